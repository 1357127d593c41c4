"""How a rendered page is sent: compressed where that is understood, and not at all where the caller has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pypicloud_lite.serve.cache import Page
from pypicloud_lite.serve.negotiation import choose_coding
from pypicloud_lite.web.conditional import matches
from pypicloud_lite.web.responses import Headers, PlainResponse, not_modified, respond


def send_page(
    environ: Mapping[str, Any],
    page: Page,
    content_type: str,
    *,
    private: bool,
    vary: str = "Accept-Encoding, Authorization, Cookie",
    more: Headers = (),
) -> PlainResponse:
    """200, or 304 when the caller named this page's ETag; ``private`` where it may differ by caller."""
    rendered = page.encoded(choose_coding(environ.get("HTTP_ACCEPT_ENCODING")))
    headers = [
        ("ETag", rendered.etag),
        # no Last-Modified: uv would take a page with one for fresh without asking
        ("Cache-Control", "private, no-cache" if private else "no-cache"),
        ("Vary", vary),
        *more,
    ]
    if matches(environ.get("HTTP_IF_NONE_MATCH"), rendered.etag):
        return not_modified(headers)
    headers.append(("Content-Type", content_type))
    if rendered.coding:
        headers.append(("Content-Encoding", rendered.coding.value))
    return respond("200 OK", headers, rendered.body)
