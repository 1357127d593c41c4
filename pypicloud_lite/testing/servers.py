"""Servers for tests: an S3 and a Redis as processes of their own, and a proxy that breaks what passes through it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

_MOTO = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
_PIECE = 64 * 1024


@contextlib.contextmanager
def moto_server() -> Iterator[str]:
    """Run moto's server in a process of its own, on a free port; its URL.

    It ends with the context, or with this process however that ends. ``RuntimeError`` when it does not start.
    """
    with subprocess.Popen(
        [sys.executable, "-c", _MOTO],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            port = process.stdout.readline().strip() if process.stdout else b""
            if not port:
                raise RuntimeError("moto's server did not start: is moto[s3,server] installed?")
            yield f"http://127.0.0.1:{int(port)}"
        finally:
            process.kill()


class RedisServer:
    """A Redis of its own on a Unix socket in ``folder``, which keeps nothing; starts on entering, ends on leaving.

    ``FileNotFoundError`` where there is no ``redis-server``.
    """

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        self.url = f"unix://{self._socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = ("--port", "0", "--unixsocket", str(self._socket), "--save", "", "--appendonly", "no")
        self._process = subprocess.Popen(
            ["redis-server", *options, "--dir", str(self._socket.parent)],  # noqa: S607  wherever it is installed
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("redis-server did not start")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it at once; what it counted is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        """Let it take connections and requests, and answer none."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it answer again."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(str(self._socket))
            probe.sendall(b"PING\r\n")
            return probe.recv(7) == b"+PONG\r\n"
        return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()


class Fault(Enum):
    """What the proxy does instead of passing a request on."""

    INTERNAL_ERROR = auto()  # 500
    SLOW_DOWN = auto()  # 503
    FORBIDDEN = auto()  # 403
    BAD_DIGEST = auto()  # 400, as S3 answers when a checksum does not fit
    NOT_IMPLEMENTED = auto()  # 501
    SILENCE = auto()  # takes the request and never answers
    HANG_UP = auto()  # closes the connection
    CORRUPT = auto()  # changes a byte of the body on its way
    TRUNCATE = auto()  # passes it on, and breaks off in the middle of the answer's body
    LOSE_ANSWER = auto()  # passes it on, and hangs up instead of answering


_ANSWERS = {
    Fault.INTERNAL_ERROR: (500, "InternalError"),
    Fault.SLOW_DOWN: (503, "SlowDown"),
    Fault.FORBIDDEN: (403, "AccessDenied"),
    Fault.NOT_IMPLEMENTED: (501, "NotImplemented"),
    Fault.BAD_DIGEST: (400, "BadDigest"),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as the proxy met it; ``path`` has the query string."""

    method: str
    path: str


@dataclass(slots=True)
class FaultProxy:
    """``plan`` decides, request by request, what goes wrong; ``seen`` has them all, in order.

    ``answers`` has the headers of what was answered, by path; their names in lower case.
    """

    url: str
    plan: Callable[[Seen], Fault | None] = lambda _seen: None
    seen: list[Seen] = field(default_factory=list)
    answers: dict[str, dict[str, str]] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def fail(self, fault: Fault, *, method: str = "", containing: str = "", times: int | None = None) -> None:
        """Let requests of this method whose path contains a text fail, all of them or the first ``times``."""
        rest = [times]

        def plan(seen: Seen) -> Fault | None:
            if not seen.method.startswith(method) or containing not in seen.path or rest[0] == 0:
                return None
            if rest[0] is not None:
                rest[0] -= 1
            return fault

        self.plan = plan

    def heal(self) -> None:
        """Let everything pass, and forget what was seen."""
        self.plan = lambda _seen: None
        self.seen.clear()


@contextlib.contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """Run a :class:`FaultProxy` before the HTTP server at ``upstream``, in threads of this process."""

    class Handler(_Handler):
        target = urlsplit(upstream).netloc

    server = _Server(("127.0.0.1", 0), Handler)
    server.proxy = FaultProxy(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.proxy
    finally:
        server.proxy.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: FaultProxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that give up are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 60
    target = ""
    server: _Server

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def handle_expect_100(self) -> bool:
        """Tell the client at once to go on; it waits a second for that."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def _handle(self) -> None:
        seen = Seen(self.command, self.path)
        self.server.proxy.seen.append(seen)
        fault = self.server.proxy.plan(seen)
        if fault is Fault.SILENCE:
            self.server.proxy.over.wait(self.timeout)
        if fault in {Fault.SILENCE, Fault.HANG_UP}:
            self._hang_up()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if fault is Fault.CORRUPT:
            body = bytes([body[0] ^ 1]) + body[1:]
        if fault in _ANSWERS:
            self._refuse(*_ANSWERS[fault])
        elif not self._sums_fit(body):
            self._refuse(*_ANSWERS[Fault.BAD_DIGEST])
        else:
            self._pass_on(body, fault)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815 - http.server's names

    def _sums_fit(self, body: bytes) -> bool:
        """Check what S3 checks and moto does not."""
        sums = {
            "Content-MD5": hashlib.md5(body, usedforsecurity=False),
            "x-amz-checksum-sha256": hashlib.sha256(body),
        }
        return all(
            self.headers.get(name) in {None, base64.b64encode(found.digest()).decode()} for name, found in sums.items()
        )

    def _refuse(self, status: int, code: str) -> None:
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>planned</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def _pass_on(self, body: bytes, fault: Fault | None) -> None:
        connection = http.client.HTTPConnection(self.target, timeout=self.timeout)
        with contextlib.closing(connection):
            headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
        self.server.proxy.answers[self.path] = {name.lower(): value for name, value in answer.getheaders()}
        if fault is Fault.LOSE_ANSWER:
            self._hang_up()
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"date", "server", "connection", "transfer-encoding", "content-length"}:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        if fault is Fault.TRUNCATE:
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self._hang_up()
            return
        for start in range(0, len(data), _PIECE):
            self.wfile.write(data[start : start + _PIECE])

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
