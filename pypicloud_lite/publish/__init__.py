"""Upload and deletion: rules, services and their HTTP skin."""
