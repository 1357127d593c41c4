"""Documentation of releases, served as sites from the archives that were uploaded."""
