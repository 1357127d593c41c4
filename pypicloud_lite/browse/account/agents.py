"""What a browser calls itself, as its owner would say it."""

from __future__ import annotations

# The first that is named counts: most browsers name others too, which they are not.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
_LONGEST = 60


def agent_name(user_agent: str | None) -> str:
    """``Firefox on Linux``; the beginning of what was sent where no browser is known in it."""
    if not user_agent:
        return "A program that does not say what it is"
    browser = next((name for word, name in _BROWSERS if word in user_agent), None)
    if browser is None:
        return user_agent[:_LONGEST]
    system = next((name for word, name in _SYSTEMS if word in user_agent), None)
    return browser if system is None else f"{browser} on {system}"
