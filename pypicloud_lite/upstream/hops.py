"""By which servers of this kind a request came: so that two that have each other as upstream do not ask for ever.

Each server adds its own name to ``Via`` (RFC 9110, 7.6.3); one that finds its name there asks nobody any more. What
it answers another server has a ``Via`` as well: what came by way of a server is not shown to that one again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_HOP = re.compile(r"1\.1 (ppc-[0-9a-f]{32})", re.ASCII)
_MOST = 8
_came_by: ContextVar[tuple[str, ...]] = ContextVar("came_by", default=())


@contextmanager
def came_by(via: str | None) -> Iterator[None]:
    """Within it, what is asked of an upstream is asked on behalf of a request that had this ``Via``."""
    token = _came_by.set(named(via or ""))
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
    return written((*hops(), name))


def written(names: Iterable[str]) -> str:
    """Names of servers as ``Via`` has them, the one that was there first first."""
    return ", ".join(f"1.1 {name}" for name in names)


def named(header: str) -> tuple[str, ...]:
    """The servers of this kind that a ``Via`` names, at most as many as a request may come by."""
    return tuple(_HOP.findall(header))[: _MOST + 1]


def hop_name(identity: str) -> str:
    """The name of the server with this identity: 32 hexadecimal digits."""
    return f"ppc-{identity}"
