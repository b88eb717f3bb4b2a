"""The NDJSON API: /v1/generate_response and its neighbours."""
