"""What ``devpi-export`` wrote, taken over: people, indexes and what lies in them."""
