"""Named indexes in pages: the list, one index, a project as an index shows it, promotion."""
