"""The catalog (the package cache): which files exist in which index. Rebuildable from storage."""
