"""Where the time of one line goes: the application is called in this process, without a server around it."""

from __future__ import annotations

import cProfile
import io
import pstats
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pypicloud_lite.app import make_app
from pypicloud_lite.wiring import build, load_settings

_SHOWN = 18
_LONGEST = 5.0
"""Seconds for warming up, and for what is measured: what costs most of all may be asked less often."""


def environ_of(message: bytes) -> dict[str, Any]:
    """A WSGI environment of the bytes of a request."""
    head, _, body = message.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, protocol = first.split(" ")
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(path, "latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": protocol,
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for line in lines:
        name, _, value = line.partition(": ")
        key = name.upper().replace("-", "_")
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
    return environ


def profile(config: Path, messages: Iterable[bytes], warm_up: int = 20) -> str:
    """The functions that took most of the time by themselves."""
    services = build(load_settings(config))
    app = make_app(services)
    todo = list(messages)
    _call_all(app, todo[:warm_up])
    profiler = cProfile.Profile()
    profiler.enable()
    _call_all(app, todo[warm_up:])
    profiler.disable()
    services.database.dispose()
    out = io.StringIO()
    pstats.Stats(profiler, stream=out).strip_dirs().sort_stats("tottime").print_stats(_SHOWN)
    return "\n".join(line for line in out.getvalue().splitlines() if line.strip())


def _call_all(app: Any, messages: Sequence[bytes]) -> None:
    """As many as there is time for."""
    end = time.monotonic() + _LONGEST
    for message in messages:
        call(app, message)
        if time.monotonic() > end:
            return


def call(app: Any, message: bytes) -> None:
    """Answer it, to the last byte."""
    body = app(environ_of(message), lambda _status, _headers, _error=None: None)
    for _ in body:
        pass
    if hasattr(body, "close"):
        body.close()
