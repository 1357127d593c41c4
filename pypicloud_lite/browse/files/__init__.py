"""The page of one file: what it is, where it comes from, what it contains."""
