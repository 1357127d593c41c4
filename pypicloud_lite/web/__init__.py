"""Pyramid plumbing that knows no feature."""
