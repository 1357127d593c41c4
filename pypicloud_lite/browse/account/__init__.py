"""One's own account in pages: login, logout, password, tokens."""
