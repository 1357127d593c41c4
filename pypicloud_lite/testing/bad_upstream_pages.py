"""What no page of an index is, and what it must be called: for ``pypicloud_lite.testing.upstream``."""

from __future__ import annotations

import gzip
import json
from itertools import chain, repeat

from pypicloud_lite.kernel.errors import (
    UpstreamAddressRefused,
    UpstreamError,
    UpstreamNonsense,
    UpstreamRefused,
    UpstreamTooLarge,
    UpstreamUnavailable,
    UpstreamUnreachable,
)
from pypicloud_lite.testing.upstream_server import Fault, gzip_bomb, redirect


def _page(name: str, version: str, files: object = ()) -> bytes:
    return json.dumps({"name": name, "meta": {"api-version": version}, "files": files}).encode()


BAD_PAGES: dict[str, tuple[Fault, type[UpstreamError]]] = {
    "500": (Fault(500, body=b""), UpstreamUnreachable),
    "502": (Fault(502, body=b"<html>"), UpstreamUnreachable),
    "401": (Fault(401, body=b""), UpstreamRefused),
    "403": (Fault(403, body=b""), UpstreamRefused),
    "429 with patience": (Fault(429, (("Retry-After", "30"),), b""), UpstreamUnavailable),
    "503 with patience": (Fault(503, (("Retry-After", "Fri, 31 Dec 2999 23:59:59 GMT"),), b""), UpstreamUnavailable),
    "204": (Fault(204, body=b""), UpstreamNonsense),
    "206": (Fault(206), UpstreamNonsense),
    "418": (Fault(418), UpstreamNonsense),
    "unasked 304": (Fault(304, body=b""), UpstreamNonsense),
    "redirect to nowhere": (Fault(302, body=b""), UpstreamNonsense),
    "redirect in a circle": (redirect("/simple/demo/"), UpstreamNonsense),
    "redirect to a file": (redirect("file:///etc/passwd"), UpstreamAddressRefused),
    "redirect to a link-local address": (redirect("http://169.254.169.254/latest/"), UpstreamAddressRefused),
    "redirect to IPv6 loopback": (redirect("https://[::1]:1/"), UpstreamAddressRefused),
    "redirect to a mapped address": (redirect("https://[::ffff:127.0.0.1]:1/"), UpstreamAddressRefused),
    "redirect to a number": (redirect("https://2130706433:1/"), UpstreamAddressRefused),
    "redirect to a hexadecimal address": (redirect("https://0x7f000001:1/"), UpstreamAddressRefused),
    "redirect with credentials": (redirect("https://user:pw@files.example.com/"), UpstreamAddressRefused),
    "redirect to no address": (redirect("https://[::1/"), UpstreamNonsense),
    "reset": (Fault(reset=True), UpstreamUnreachable),
    "cut short": (Fault(cut=40), UpstreamUnreachable),
    "longer than it says": (Fault(claimed=40), UpstreamNonsense),
    "another type": (Fault(headers=(("Content-Type", "text/plain"),)), UpstreamNonsense),
    "no type": (Fault(headers=(("Content-Type", ""),)), UpstreamNonsense),
    "another major version's type": (
        Fault(headers=(("Content-Type", "application/vnd.pypi.simple.v2+json"),)),
        UpstreamNonsense,
    ),
    "no JSON": (Fault(body=b"<html></html>"), UpstreamNonsense),
    "not UTF-8": (Fault(body=b'{"name": "\xff\xfe'), UpstreamNonsense),
    "a list": (Fault(body=b"[]"), UpstreamNonsense),
    "files that are none": (
        Fault(body=b'{"name": "demo", "meta": {"api-version": "1.0"}, "files": {}}'),
        UpstreamNonsense,
    ),
    "deep": (Fault(body=b"[" * 200_000), UpstreamNonsense),
    "another project": (
        Fault(body=b'{"name": "other", "meta": {"api-version": "1.0"}, "files": []}'),
        UpstreamNonsense,
    ),
    "another major version": (Fault(body=_page("demo", "2.0")), UpstreamNonsense),
    "a page to log in at": (
        Fault(
            headers=(("Content-Type", "text/html"),),
            body=b"<form action=/login><input name=user></form><a href=/help>help</a>",
        ),
        UpstreamNonsense,
    ),
    "HTML of something else": (
        Fault(headers=(("Content-Type", "text/html"),), body=b"<a href=/index.html>home</a>"),
        UpstreamNonsense,
    ),
    "HTML without end": (
        Fault(headers=(("Content-Type", "text/html"),), body=b"<a href='" + b"x" * 500_000),
        UpstreamNonsense,
    ),
    "too large": (Fault(body=b" " * 2_000_000), UpstreamTooLarge),
    "endless": (Fault(stream=lambda: iter([b" " * 100_000] * 30)), UpstreamTooLarge),
    "bomb": (gzip_bomb(200_000_000), UpstreamTooLarge),
    "damaged gzip": (Fault(headers=(("Content-Encoding", "gzip"),), body=b"\x1f\x8b\x08garbage"), UpstreamNonsense),
    "damaged zstd": (Fault(headers=(("Content-Encoding", "zstd"),), body=b"\x28\xb5\x2f\xfdgarbage"), UpstreamNonsense),
    "two encodings": (Fault(headers=(("Content-Encoding", "gzip, gzip"),), body=b""), UpstreamNonsense),
}
"""What no page is, and what it must be called. The limit for a page is 1 MiB here."""

_LIST = b'{"meta": {"api-version": "1.0"}, "projects": [{"name": "a"}, {"name": "b"}]}'
_AS_HTML = (("Content-Type", "text/html"),)
BAD_LISTS: dict[str, tuple[Fault, type[UpstreamError]]] = {
    **{
        name: BAD_PAGES[name]
        for name in (
            *("500", "401", "429 with patience", "204", "206", "418", "unasked 304", "redirect to nowhere", "reset"),
            *(
                "redirect to a link-local address",
                "redirect to a file",
                "longer than it says",
                "another type",
                "no type",
            ),
            *("another major version's type", "no JSON", "not UTF-8", "a list", "deep", "damaged gzip", "damaged zstd"),
            *("two encodings", "a page to log in at", "HTML of something else"),
        )
    },
    "cut short": (Fault(body=_LIST, cut=60), UpstreamUnreachable),
    "cut short without a length": (Fault(stream=lambda: iter([_LIST[:-2]])), UpstreamNonsense),
    "a project's page": (Fault(body=_page("demo", "1.0")), UpstreamNonsense),
    "another major version": (Fault(body=_LIST.replace(b"1.0", b"2.0")), UpstreamNonsense),
    "a message": (Fault(body=b'{"message": "log in"}'), UpstreamNonsense),
    "no list": (Fault(body=b'{"projects": {"name": "a"}}'), UpstreamNonsense),
    "a string without end": (Fault(body=b'{"projects": [{"name": "' + b"x" * 3_000_000), UpstreamNonsense),
    "a string of escapes": (Fault(body=b'{"projects": [{"name": "' + b"\\u0041" * 300_000), UpstreamNonsense),
    "an object without end": (Fault(body=b'{"projects": [{' + b'"a": 1,' * 300_000), UpstreamNonsense),
    "too large": (Fault(body=b" " * 5_000_000), UpstreamTooLarge),
    "endless": (Fault(stream=lambda: repeat(b" " * 100_000)), UpstreamTooLarge),
    "endless projects": (Fault(stream=lambda: chain([_LIST[:-2]], repeat(b',{"name":"c"}' * 5000))), UpstreamTooLarge),
    "endless links": (
        Fault(headers=_AS_HTML, stream=lambda: repeat(b"<a href=a/>a</a>" * 5000)),
        UpstreamTooLarge,
    ),
    "a gibibyte": (Fault(claimed=2**30), UpstreamTooLarge),
    "bomb": (gzip_bomb(200_000_000), UpstreamNonsense),
    "bomb of blanks": (
        Fault(headers=(("Content-Encoding", "gzip"),), body=gzip.compress(b" " * 50_000_000)),
        UpstreamTooLarge,
    ),
}
"""What no list of projects is, and what it must be called. The limit for one is 4 MiB here."""

HOSTILE = [
    "../../etc/passwd",
    "demo-1.0.tar.gz/../../x",
    "demo-1.0.tar.gz\0",
    "demo-1.0.exe",
    "other-1.0.tar.gz",
    "demo-not-a-version.tar.gz",
    "<img onerror=x>-1.0.tar.gz",
    "",
]
HOSTILE_URLS = [
    "javascript:alert(1)",
    "file:///etc/passwd",
    "ftp://files.example.com/demo-1.0.tar.gz",
    "https://user:pw@files.example.com/demo-1.0.tar.gz",
    "https://[::1/demo-1.0.tar.gz",
    "https://files.example.com/\u202edemo-1.0.tar.gz",
    "data:text/plain,x",
]
