"""How the server and its child talk: pieces of bytes, each after its length in four bytes."""

from __future__ import annotations

import json
import struct
from typing import BinaryIO

from pypicloud_lite.readme.model import Kind, Markup

HEAD = 4
MAX_ANSWER = 2 * 1024 * 1024
"""Bytes of HTML that the child may send."""

READY = b"+"
HTML = b"h"
PROBLEM = b"!"
EXHAUSTED = b"."
"""How an answer begins. PROBLEM is followed by why there is no HTML; so is EXHAUSTED, the last answer of its child."""


def framed(body: bytes) -> bytes:
    """As it is sent."""
    return struct.pack(">I", len(body)) + body


def length(head: bytes) -> int:
    """How many bytes follow these :data:`HEAD`."""
    return int(struct.unpack(">I", head)[0])


def request(markup: Markup, text: str) -> bytes:
    """The body that asks for a README's HTML."""
    return json.dumps([markup.kind, markup.variant, text], ensure_ascii=False).encode()


def requested(incoming: BinaryIO) -> tuple[Markup, str] | None:
    """The next request, awaited as long as it takes; None when there will be none."""
    head = incoming.read(HEAD)
    if len(head) < HEAD:
        return None
    size = length(head)
    body = incoming.read(size)
    if len(body) < size:
        return None
    kind, variant, text = json.loads(body)
    return Markup(Kind(kind), variant), text
