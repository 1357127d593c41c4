"""Users, groups, rules and roles, as administrators (and owners of projects) change them."""
