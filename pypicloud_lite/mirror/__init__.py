"""A mirror index: what an upstream has, shown under our own addresses, and kept once somebody wanted it."""
