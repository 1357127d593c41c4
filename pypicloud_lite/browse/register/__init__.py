"""How somebody gets an account."""
