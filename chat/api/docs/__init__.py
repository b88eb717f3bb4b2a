"""The OpenAPI document of all APIs, and the page that shows it."""
