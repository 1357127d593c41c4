"""How the server itself is, in pages: the room that files take, and rebuilding the catalog."""
