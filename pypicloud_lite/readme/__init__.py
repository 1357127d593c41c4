"""A project's README as HTML that a page may hold: made in a process of its own, under limits, and kept by its hash."""
