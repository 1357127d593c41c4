"""What lies in an index and what of it is visible; ``ingest`` and its ``changes`` are the only writers."""
