"""What this server costs, beside nginx with the same bytes and a bare Pyramid view: ``python -m bench``."""
