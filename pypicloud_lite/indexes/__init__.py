"""What lies in an index and what of it is visible; ``ingest`` is the only writer."""
