"""Who asks at an address that is several things: a program for JSON, an installer for links, a person for a page."""

from __future__ import annotations

import re
from enum import Enum

from pyramid.request import Request

from pypicloud_lite.web.errors import answers_json

_INSTALLERS = re.compile(r"(?:pip|uv|setuptools|distribute|pex|poetry|pdm|pipenv|hatch|unearth)[/ ]", re.IGNORECASE)
_SIMPLE = "application/vnd.pypi.simple"


class Caller(Enum):
    """What a caller wants."""

    PROGRAM = "program"
    INSTALLER = "installer"
    BROWSER = "browser"


def caller_of(request: Request) -> Caller:
    """Judged by ``Accept``, and by the name of the program where that leaves it open.

    A program that names nothing gets the links, as everywhere at this server's root.
    """
    accept = request.environ.get("HTTP_ACCEPT", "")
    if _SIMPLE in accept or _INSTALLERS.match(request.environ.get("HTTP_USER_AGENT", "")):
        return Caller.INSTALLER
    if accept.startswith("text/html"):
        return Caller.BROWSER
    if "application/json" in accept or "HTTP_X_DEVPI_AUTH" in request.environ:
        answers_json(request)
        return Caller.PROGRAM
    return Caller.INSTALLER
