"""By which servers of this kind a request came: so that two that have each other as upstream do not ask for ever.

Each server adds its own name to ``Via`` (RFC 9110, 7.6.3); one that finds its name there asks nobody any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_HOP = re.compile(r"1\.1 (ppc-[0-9a-f]{32})", re.ASCII)
_MOST = 8
_came_by: ContextVar[tuple[str, ...]] = ContextVar("came_by", default=())


@contextmanager
def came_by(via: str | None) -> Iterator[None]:
    """Within it, what is asked of an upstream is asked on behalf of a request that had this ``Via``."""
    token = _came_by.set(tuple(_HOP.findall(via))[: _MOST + 1] if via else ())
    try:
        yield
    finally:
        _came_by.reset(token)


def hops() -> tuple[str, ...]:
    """The names of the servers by which the request at hand came."""
    return _came_by.get()


def goes_round(name: str) -> bool:
    """Whether asking on would ask the server ``name`` again, or one server after another without end."""
    return name in hops() or len(hops()) >= _MOST


def via(name: str) -> str:
    """What this server, ``name``, says to an upstream."""
    return ", ".join(f"1.1 {hop}" for hop in (*hops(), name))


def hop_name(identity: str) -> str:
    """The name of the server with this identity: 32 hexadecimal digits."""
    return f"ppc-{identity}"
