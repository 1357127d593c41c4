"""The REST API described: an OpenAPI document, and a page to try it."""
