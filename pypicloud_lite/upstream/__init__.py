"""Another index, read-only: what it lists, its files, and how it is asked without harm."""
