"""The body of a request as the server hands it over, with one way to fail."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

_PIECE = 256 * 1024
_IDLE_SECONDS = 30.0
_DRAIN_SECONDS = 15.0
_DRAIN_BYTES = 256 * 1024 * 1024
FEW_BYTES = 4 * 1024 * 1024
"""Enough to forget of a call that takes no file: a client which sends before it reads hears why."""


class RequestBody:
    """Reads ``wsgi.input``.

    Whatever a server raises for a body that breaks off or whose chunks are malformed is an ``OSError`` here:
    gunicorn has exceptions of its own for the latter, which WSGI does not name. So is a sender that falls silent
    for half a minute, where the server lets us see its socket (gunicorn does): each one would hold a thread.
    """

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._stream = environ["wsgi.input"]
        self._socket = environ.get("gunicorn.socket")
        self._wait_at_most(_IDLE_SECONDS)

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; ``b""`` at the end."""
        try:
            piece: bytes = self._stream.read(size)
        except OSError:
            raise
        except Exception as error:
            raise OSError(f"the body of the request is malformed: {error!r}") from error
        return piece

    def drain(self, most: int = _DRAIN_BYTES) -> bool:
        """Read and forget the rest, so that its sender reads our answer; whether that was all of it.

        Bounded in bytes and time: what is left then is the server's to cut off.
        """
        deadline = time.monotonic() + _DRAIN_SECONDS
        left = most
        try:
            while left > 0 and (seconds := deadline - time.monotonic()) > 0:
                self._wait_at_most(seconds)
                piece = self.read(min(left, _PIECE))
                if not piece:
                    return True
                left -= len(piece)
        except OSError:
            pass
        finally:
            self.release()
        return False

    def release(self) -> None:
        """Wait for ever again: what follows on this connection is the server's business."""
        self._wait_at_most(None)

    def _wait_at_most(self, seconds: float | None) -> None:
        if self._socket is not None:
            self._socket.settimeout(seconds)
