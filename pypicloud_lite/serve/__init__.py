"""What installers read: the Simple API and files."""
