"""A project as a named index shows it, and what is done to a release of it there."""
