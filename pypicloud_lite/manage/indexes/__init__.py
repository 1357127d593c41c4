"""Named indexes in the REST API."""
