"""Another index for tests: a real HTTP server with projects in it, and everything that such a server can do wrong."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import html
import json
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pypicloud_lite.testing.certificates import Certificates

JSON, HTML = "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html"
_PAUSE = 0.05
_SIMPLE, _FILES = "/simple/", "/files/"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: Message


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with an answer. What is not said here is as it would be without.

    ``cut`` ends the connection after that many bytes of the body, ``claimed`` is the ``Content-Length`` instead of the
    true one, ``dripping`` sends ``head`` or ``body`` a little at a time and without end, ``stream`` replaces the body
    by pieces without a length, ``silent`` says nothing at all, ``reset`` breaks the connection off at once.
    """

    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    stream: Callable[[], Iterator[bytes]] | None = None
    cut: int | None = None
    claimed: int | None = None
    dripping: str = ""
    silent: bool = False
    reset: bool = False


def redirect(location: str, status: int = 302) -> Fault:
    """Somewhere else."""
    return Fault(status, (("Location", location),), b"")


def gzip_bomb(size: int) -> Fault:
    """Zeros, so many when unpacked."""
    return Fault(headers=(("Content-Encoding", "gzip"), ("Content-Type", JSON)), body=gzip.compress(bytes(size), 9))


@dataclass(slots=True)
class Stored:
    """A file and what its page says of it; ``told`` are members of its JSON object, which may lie."""

    data: bytes
    metadata: bytes | None = None
    told: dict[str, Any] = field(default_factory=dict)

    def entry(self, name: str, url: str) -> dict[str, Any]:
        """Its object in JSON."""
        said: dict[str, Any] = {
            "filename": name,
            "url": url,
            "hashes": {"sha256": hashlib.sha256(self.data).hexdigest()},
            "size": len(self.data),
        }
        if self.metadata is not None:
            said["core-metadata"] = {"sha256": hashlib.sha256(self.metadata).hexdigest()}
        return {**said, **self.told}


@dataclass(slots=True)
class FakeIndex:
    """What the server has, which a test may change while it runs; ``fault`` says for a path what goes wrong.

    ``kinds`` are the serialisations that it knows, ``told`` are members of every page's JSON object, ``file_server`` is
    another server's address that links lead to.
    """

    url: str = ""
    projects: dict[str, dict[str, Stored]] = field(default_factory=dict)
    kinds: tuple[str, ...] = (JSON, HTML)
    told: dict[str, Any] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()
    has_etags: bool = True
    has_ranges: bool = True
    last_modified: str = ""
    encoding: str = ""
    credentials: tuple[str, str] | None = None
    file_server: str = ""
    fault: Callable[[str], Fault | None] = lambda _path: None
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def index(self) -> str:
        """The address of its Simple API."""
        return self.url + _SIMPLE

    def add(self, project: str, filename: str, data: bytes, metadata: bytes | None = None, **told: Any) -> Stored:
        """Put a file there; ``told`` with ``_`` for ``-``."""
        members = {name.replace("_", "-"): value for name, value in told.items()}
        stored = Stored(data, metadata, members)
        self.projects.setdefault(project, {})[filename] = stored
        return stored

    def fail(self, *faults: Fault | None) -> None:
        """The next requests go wrong, one after the other (None: one that does not); those after them do not."""
        left = iter(faults)
        self.fault = lambda _path: next(left, None)

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [one.path for one in self.asked]

    def page(self, project: str, kind: str) -> bytes:
        """A project's page; KeyError when there is none."""
        files = self.projects[project]
        entries = [one.entry(name, f"{self.file_server}{_FILES}{project}/{name}") for name, one in files.items()]
        if kind == JSON:
            whole = {"meta": {"api-version": "1.4"}, "name": project, "files": entries, **self.told}
            return json.dumps(whole).encode()
        anchors = "".join(_anchor(entry) for entry in entries)
        head = '<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.4"></head>'
        return f"{head}<body>{anchors}</body></html>".encode()

    def names(self, kind: str) -> bytes:
        """The list of projects."""
        if kind == JSON:
            return json.dumps(
                {"meta": {"api-version": "1.4"}, "projects": [{"name": one} for one in self.projects]}
            ).encode()
        return "".join(f'<a href="{one}/">{html.escape(one)}</a><br>\n' for one in self.projects).encode()

    def document(self, path: str) -> bytes:
        """A file or what lies beside it; KeyError when there is none."""
        project, _, name = path.removeprefix(_FILES).partition("/")
        if name.endswith(".metadata"):
            metadata = self.projects[project][name.removesuffix(".metadata")].metadata
            if metadata is None:
                raise KeyError(path)
            return metadata
        return self.projects[project][name].data


def _anchor(entry: dict[str, Any]) -> str:
    fragment = "".join(f"#{name}={value}" for name, value in list(entry["hashes"].items())[:1])
    given = {"href": entry["url"] + fragment, "data-requires-python": entry.get("requires-python")}
    if entry.get("yanked") not in {None, False}:
        given["data-yanked"] = "" if entry["yanked"] is True else entry["yanked"]
    if isinstance(entry.get("core-metadata"), dict):
        given["data-core-metadata"] = "sha256=" + entry["core-metadata"]["sha256"]
    given["data-provenance"] = entry.get("provenance")
    attributes = " ".join(f'{name}="{html.escape(value)}"' for name, value in given.items() if value is not None)
    return f"<a {attributes}>{html.escape(entry['filename'])}</a><br>"


@contextlib.contextmanager
def upstream_server(certificates: Certificates | None = None, *, asks_client: bool = False) -> Iterator[FakeIndex]:
    """Run it in threads of this process, on a free port of 127.0.0.1; over TLS where there is a certificate.

    ``asks_client``: it wants a client certificate, made by the same authority.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    scheme = "http"
    if certificates is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.certificate, certificates.key)
        if asks_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(certificates.authority)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https"
    server.index = FakeIndex(f"{scheme}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.index
    finally:
        server.index.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
        server.hang_up()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    index: FakeIndex

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread, until the client or :meth:`hang_up` ends the connection."""
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """It is over."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep for later: who is stopped answers nobody."""
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that give up are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 30
    server: _Server

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        index = self.server.index
        index.asked.append(Asked(self.command, self.path, self.headers))
        fault = index.fault(self.path) or Fault()
        if fault.reset:
            self._reset()
        elif fault.silent:
            index.over.wait(self.timeout)
            self.close_connection = True
        elif fault.dripping == "head":
            self._drip(b"HTTP/1.1 200 OK\r\n", b"X-Drip: 1\r\n")
        else:
            self._answer(fault)

    def _answer(self, fault: Fault) -> None:
        status, headers, body = self._proper()
        status = fault.status or status
        names = {name.lower() for name, _ in fault.headers}
        headers = [(name, value) for name, value in headers if name.lower() not in names] + list(fault.headers)
        if fault.body is not None:
            body = fault.body
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if fault.stream is not None or fault.dripping:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body) if fault.claimed is None else fault.claimed))
        self.end_headers()
        if fault.stream is not None:
            for piece in fault.stream():
                self.wfile.write(piece)
        elif fault.dripping:
            self._drip(b"", b"x")
        elif status != 304:
            self.wfile.write(body if fault.cut is None else body[: fault.cut])
        self.close_connection = self.close_connection or fault.cut is not None or fault.stream is not None

    def _proper(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """The answer without any fault."""
        index, path = self.server.index, self.path.partition("?")[0]
        if index.credentials is not None and self.headers.get("Authorization") != _basic(*index.credentials):
            return 401, [("WWW-Authenticate", 'Basic realm="pypi"')], b"who are you?"
        try:
            if path.startswith(_FILES):
                return self._file(index.document(path))
            return self._page(path.removeprefix(_SIMPLE).rstrip("/"))
        except KeyError:
            return 404, [("Content-Type", "text/plain")], b"404 Not Found"

    def _page(self, project: str) -> tuple[int, list[tuple[str, str]], bytes]:
        index = self.server.index
        accepted = self.headers.get("Accept", "")
        kind = next((one for one in index.kinds if one in accepted), index.kinds[-1])
        body = index.page(project, kind) if project else index.names(kind)
        headers = [("Content-Type", kind), ("Vary", "Accept"), *index.headers]
        etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        if index.has_etags:
            headers.append(("ETag", etag))
        if index.last_modified:
            headers.append(("Last-Modified", index.last_modified))
        same = index.has_etags and self.headers.get("If-None-Match") == etag
        if same or (index.last_modified and self.headers.get("If-Modified-Since") == index.last_modified):
            return 304, headers, b""
        if index.encoding == "gzip":
            return 200, [*headers, ("Content-Encoding", "gzip")], gzip.compress(body)
        return 200, headers, body

    def _file(self, data: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        headers = [("Content-Type", "application/octet-stream"), ("Accept-Ranges", "bytes")]
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if match is None or not self.server.index.has_ranges:
            return 200, headers, data
        first, last = int(match[1]), min(int(match[2]), len(data) - 1)
        if first > last:
            return 416, [("Content-Range", f"bytes */{len(data)}")], b""
        return 206, [*headers, ("Content-Range", f"bytes {first}-{last}/{len(data)}")], data[first : last + 1]

    def _drip(self, begin: bytes, drop: bytes) -> None:
        self.wfile.write(begin)
        while not self.server.index.over.wait(_PAUSE):
            self.wfile.write(drop)
            self.wfile.flush()

    def _reset(self) -> None:
        """Close without reading on: the kernel says RST to whoever is there."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
