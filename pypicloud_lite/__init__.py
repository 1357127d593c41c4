"""A private Python package index that a team runs itself."""
