"""The HTTP skin of documentation.

Its pages are whatever somebody uploaded, scripts too. So they run where nothing of this server's can be reached: in a
sandbox, whose origin is nobody's, or on a host of their own that knows no sessions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from mimetypes import MimeTypes
from typing import Any
from urllib.parse import quote

from pyramid.config import Configurator
from pyramid.registry import Registry
from pyramid.request import Request

from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.serve.docs.settings import DocsSettings, plain_host
from pypicloud_lite.serve.docs.sites import Documentation, Folder, Site
from pypicloud_lite.web.conditional import matches
from pypicloud_lite.web.errors import tell
from pypicloud_lite.web.responses import PlainResponse, not_modified, redirect, respond, stream

_SANDBOX = "sandbox allow-scripts allow-popups allow-forms"
_SOURCES = (
    "default-src 'self' https: data: blob: 'unsafe-inline' 'unsafe-eval'; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors"
)
_IN_SANDBOX = f"{_SANDBOX}; {_SOURCES} 'none'"
_ON_ITS_OWN = f"{_SANDBOX} allow-same-origin; {_SOURCES} 'self'"
_PATH = re.compile(r"(?:/[^/]+){4}/\+(?:doc|d)(?:/|$)")
_HOST = "pypicloud_lite.docs_host"
# What this machine's files say must not decide.
_TYPES = MimeTypes(filenames=())
_TYPES.add_type("text/javascript", ".js")
_TYPES.add_type("text/javascript", ".mjs")
_TYPES.add_type("font/woff2", ".woff2")
_TYPES.add_type("font/woff", ".woff")
_TYPES.add_type("application/wasm", ".wasm")
_TYPES.add_type("image/webp", ".webp")
_TYPES.add_type("text/markdown", ".md")


class DocumentationViews:
    """``GET`` of a page: on the main host, or on the one of documentation, to which the main one then sends."""

    def __init__(self, documentation: Documentation, identity: RequestIdentity, settings: DocsSettings) -> None:
        self._documentation = documentation
        self._identity = identity
        self._settings = settings

    def page(self, request: Request) -> PlainResponse:
        """One page, or file that pages name."""
        elsewhere = self._elsewhere(request)
        if elsewhere is not None:
            return elsewhere
        site = self._site(request)
        found = self._documentation.look(site, request.matchdict["path"])
        if isinstance(found, Folder):
            return _with_slash(request)
        headers = self._headers(site, found.path)
        if matches(request.environ.get("HTTP_IF_NONE_MATCH"), site.etag(found.path)):
            return not_modified(headers)
        headers.append(("Content-Type", content_type(found.path)))
        length = ("Content-Length", str(found.size))
        if request.method == "HEAD":
            return stream("200 OK", [*headers, length], [])
        content = self._documentation.read(site, found)
        if isinstance(content, bytes):
            return respond("200 OK", headers, content)
        return stream("200 OK", [*headers, length], content)

    def add_slash(self, request: Request) -> PlainResponse:
        """Relative links of the first page need one."""
        elsewhere = self._elsewhere(request)
        if elsewhere is None:
            self._site(request)
        return elsewhere or _with_slash(request)

    def _site(self, request: Request) -> Site:
        match = request.matchdict
        place = (match["owner"], match["index"])
        return self._documentation.find(self._identity(request), place, match["project"], match["version"])

    def _elsewhere(self, request: Request) -> PlainResponse | None:
        base_url = self._settings.base_url
        if base_url is None or _is_docs_host(request, self._settings.host):
            return None
        path = quote(f"{request.script_name}{request.path_info}", safe="/+~@!$&'()*,;=:-._")
        return redirect(f"{base_url}{path}{_query(request)}", permanent=False)

    def _headers(self, site: Site, path: str) -> list[tuple[str, str]]:
        """Those go with a 304 too: a browser takes them for the page that it kept."""
        separate = self._settings.base_url is not None
        headers = [
            ("ETag", site.etag(path)),
            ("Cache-Control", f"{'public' if site.is_public else 'private'}, max-age=60"),
            ("Content-Security-Policy", _ON_ITS_OWN if separate else _IN_SANDBOX),
            ("X-Frame-Options", "SAMEORIGIN" if separate else "DENY"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        if site.is_public:
            # Fonts, modules and indexes of searches are asked for by an origin that is nobody's.
            headers.append(("Access-Control-Allow-Origin", "*"))
        else:
            headers.append(("Vary", "Authorization, Cookie"))
        return headers


def content_type(path: str) -> str:
    """By the name alone; text but HTML, which says so itself, is UTF-8."""
    kind, coding = _TYPES.guess_type(path.rpartition("/")[2])
    if kind is None or coding is not None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") and kind != "text/html" else kind


def separate_docs(config: Configurator, settings: DocsSettings, server: str | None) -> None:
    """Where documentation has a host of its own, nothing else answers there; ConfigError where it is the server's."""
    settings.check_apart(server)
    if settings.host is not None:
        config.registry[_HOST] = settings.host
        config.add_tween(f"{__name__}.docs_host_tween", under="pypicloud_lite.web.hygiene.hygiene_tween")


def docs_host_tween(handler: Callable[[Request], Any], registry: Registry) -> Callable[[Request], Any]:
    """Pages of documentation and nothing else, and no session: a cookie that came along is not looked at."""
    host = registry[_HOST]

    def tween(request: Request) -> Any:
        if _is_docs_host(request, host):
            request.environ.pop("HTTP_COOKIE", None)
            if not _PATH.match(request.environ["PATH_INFO"]):
                return tell(request, 404, "There is only documentation at this host: check the address", "not-found")
        return handler(request)

    return tween


def _is_docs_host(request: Request, host: str | None) -> bool:
    return plain_host(request.environ.get("HTTP_HOST", "")) == host


def _with_slash(request: Request) -> PlainResponse:
    last = quote(request.path_info.rpartition("/")[2], safe="")
    return redirect(f"./{last}/{_query(request)}", permanent=False)


def _query(request: Request) -> str:
    return f"?{request.query_string}" if request.query_string else ""
