"""The REST API: pypicloud's addresses, completed; every change is a service of ``publish``."""
