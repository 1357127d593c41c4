"""How the mirror is, in a page, and what can be done about it."""
