"""The prediction API: what clients of Flowise, and of the products that follow it, expect under `/api/v1/`."""
