"""Pages for people: one frame, one style, one policy of what a page may load."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from pyramid.config import Configurator
from pyramid.renderers import render
from pyramid.request import Request

from pypicloud_lite.kernel.clock import iso_utc
from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.web.local_paths import path_of
from pypicloud_lite.web.responses import Headers, PlainResponse, respond

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_UNITS = (("year", 365 * 86400), ("month", 30 * 86400), ("day", 86400), ("hour", 3600), ("minute", 60))
_KILO = 1000


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whom the frame of a page greets. ``csrf_token`` is what its forms send along; None without a session.

    ``sees_indexes``: whether it leads to the list of indexes.
    """

    username: str | None = None
    is_admin: bool = False
    csrf_token: str | None = None
    sees_indexes: bool = False


Greet = Callable[[Request], Visitor]
_GREET = "pypicloud_lite.greet"


def mount(config: Configurator, greet: Greet) -> None:
    """Templates and their filters. ``greet`` says who the visitor is, and must not fail."""
    config.registry[_GREET] = greet
    config.add_settings({"jinja2.undefined": "strict", "jinja2.trim_blocks": "true", "jinja2.lstrip_blocks": "true"})
    config.include("pyramid_jinja2")
    config.add_jinja2_search_path("pypicloud_lite.web:templates")
    config.action(None, lambda: _equip(config), order=1_000_000)


def _equip(config: Configurator) -> None:
    environment = config.get_jinja2_environment()
    environment.filters |= {"size": human_size, "exact": exact_time, "count": _count}
    environment.globals |= {"asset": asset_path}


def page(
    request: Request,
    template: str,
    status: str = "200 OK",
    headers: Headers = (),
    visitor: Visitor | None = None,
    **values: Any,
) -> PlainResponse:
    """A page out of a template, such as ``pypicloud_lite.browse:templates/home.jinja2``.

    ``visitor`` is whom to greet where that is not to be asked.
    """
    greet: Greet = request.registry[_GREET]
    now = datetime.now(UTC)
    more: Mapping[str, Any] = {
        "visitor": greet(request) if visitor is None else visitor,
        "root": request.script_name,
        "path": path_of(request),
        "ago": lambda moment: relative_time(moment, now),
    }
    body = render(template, {**more, **values}, request=request).encode()
    usual = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", PAGE_POLICY),
        ("Vary", "Accept-Encoding, Authorization, Cookie"),
        *headers,
    ]
    if not any(name == "Cache-Control" for name, _ in headers):
        usual.append(("Cache-Control", "private, no-cache"))
    return respond(status, usual, body)


def asset_path(name: str) -> str:
    """Where a static file is, below the root; another address for other bytes."""
    return f"static/{_digest(name)}/{name}"


def relative_time(moment: datetime, now: datetime) -> str:
    """``3 days ago``; the exact time belongs beside it."""
    seconds = (now - moment).total_seconds()
    for unit, length in _UNITS:
        if seconds >= length:
            number = int(seconds // length)
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now"


def exact_time(moment: datetime) -> str:
    """For ``datetime`` attributes and titles."""
    return iso_utc(moment.replace(microsecond=0))


def human_size(size: float) -> str:
    """``1.4 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < _KILO:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= _KILO
    return f"{size:.1f} TB"


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def asset(request: Request) -> PlainResponse:
    """The view of static files."""
    name = request.matchdict["asset"]
    try:
        current = request.matchdict["version"] == _digest(name)
    except FileNotFoundError:
        raise NotFound("There is no such file: reload the page") from None
    kind = _TYPES[name[name.rindex(".") :]]
    headers = [
        ("Content-Type", f"{kind}; charset=utf-8"),
        # Another version than the one asked for: what a page of another worker names while a new release starts.
        ("Cache-Control", "public, max-age=31536000, immutable" if current else "no-cache"),
    ]
    return respond("200 OK", headers, _bytes(name))


@cache
def _digest(name: str) -> str:
    return hashlib.sha256(_bytes(name)).hexdigest()[:12]


@cache
def _bytes(name: str) -> bytes:
    return (files("pypicloud_lite.web") / "static" / name).read_bytes()
