"""A server of users and rules for tests, as docs/remote-access.rst asks for one, and what can be wrong with it."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from pypicloud_lite.testing.access import ADMINS, GROUP_GRANTS, GROUPS, PASSWORDS, USER_GRANTS
from pypicloud_lite.testing.certificates import Certificates

Form = dict[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came: its first line and headers, and the form apart from them."""

    line: str
    headers: str
    path: str
    form: Form


@dataclass(frozen=True, slots=True)
class Bad:
    """An answer that is none."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    silent: bool = False
    dripping: bool = False


@dataclass(slots=True)
class RemoteWorld:
    """The contract's world, which a test may change; ``bad`` says for a path what goes wrong, None for nothing."""

    url: str = ""
    passwords: dict[str, str] = field(default_factory=lambda: dict(PASSWORDS))
    versions: dict[str, str] = field(default_factory=lambda: dict.fromkeys(PASSWORDS, "1"))
    admins: set[str] = field(default_factory=lambda: set(ADMINS))
    members: dict[str, set[str]] = field(default_factory=lambda: {name: set(some) for name, some in GROUPS.items()})
    users_hold: dict[tuple[str, str], list[str]] = field(
        default_factory=lambda: {key: sorted(rights) for key, rights in USER_GRANTS.items()}
    )
    groups_hold: dict[tuple[str, str], list[str]] = field(
        default_factory=lambda: {key: sorted(rights) for key, rights in GROUP_GRANTS.items()}
    )
    has_grants: bool = True
    terse: bool = False
    prefix: str = "/"
    credentials: tuple[str, str] | None = None
    bad: Callable[[str], Bad | None] = lambda _path: None
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def settings(self, **more: str) -> dict[str, str]:
        """The keys that lead here; ``more`` without ``auth.``, and with ``__`` for a dot."""
        chosen = {"backend_server": self.url, **more}
        return {f"auth.{name.replace('__', '.')}": text for name, text in chosen.items()}

    def answer(self, path: str, form: Form) -> Any:
        """What is so; KeyError for a path that there is not."""
        answers: dict[str, Callable[[], Any]] = {
            "/verify": lambda: form["password"] == self.passwords.get(form["username"]),
            "/user_data": lambda: self._user_data(form.get("username")),
            "/groups": lambda: self._groups(form.get("username")),
            "/group_members": lambda: sorted(self.members.get(form["group"], ())),
            "/admin": lambda: form["username"] in self.admins,
            "/user_permissions": lambda: _of_project(self.users_hold, form["package"]),
            "/group_permissions": lambda: _of_project(self.groups_hold, form["package"]),
            "/user_package_permissions": lambda: _of_holder(self.users_hold, form["username"]),
            "/group_package_permissions": lambda: _of_holder(self.groups_hold, form["group"]),
        }
        if self.has_grants:
            answers["/grants"] = lambda: {"users": _by_holder(self.users_hold), "groups": _by_holder(self.groups_hold)}
        if not path.startswith(self.prefix):
            raise KeyError(path)
        return answers[f"/{path.removeprefix(self.prefix)}"]()

    def _user_data(self, username: str | None) -> Any:
        if username is None:
            return [self._user(name) for name in self.passwords]
        return self._user(username) if username in self.passwords else None

    def _user(self, username: str) -> dict[str, Any]:
        if self.terse:
            return {"username": username}
        return {
            "username": username,
            "admin": username in self.admins,
            "groups": self._groups(username),
            "version": self.versions[username],
        }

    def _groups(self, username: str | None) -> list[str]:
        return sorted(name for name, members in self.members.items() if username is None or username in members)


def _of_project(holds: dict[tuple[str, str], list[str]], package: str) -> dict[str, list[str]]:
    return {who: rights for (project, who), rights in holds.items() if project == package}


def _of_holder(holds: dict[tuple[str, str], list[str]], holder: str) -> list[dict[str, Any]]:
    return [{"package": project, "permissions": rights} for (project, who), rights in holds.items() if who == holder]


def _by_holder(holds: dict[tuple[str, str], list[str]]) -> dict[str, dict[str, list[str]]]:
    return {who: {row["package"]: row["permissions"] for row in _of_holder(holds, who)} for _, who in holds}


@contextlib.contextmanager
def remote_server(certificates: Certificates | None = None) -> Iterator[RemoteWorld]:
    """Run it in threads of this process, on a free port; over TLS where there is a certificate."""
    server = _Server(("127.0.0.1", 0), _Handler)
    scheme = "http"
    if certificates is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.certificate, certificates.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https"
    server.world = RemoteWorld(f"{scheme}://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.world
    finally:
        server.world.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    world: RemoteWorld

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

    def do_POST(self) -> None:
        world = self.server.world
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        form = dict(parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)))
        world.asked.append(Asked(self.requestline, str(self.headers), self.path, form))
        bad = world.bad(self.path)
        if bad is not None:
            self._fail(bad)
        elif world.credentials is not None and self.headers.get("Authorization") != _basic(*world.credentials):
            self._send(401, b"{}")
        else:
            try:
                self._send(200, json.dumps(world.answer(self.path, form)).encode())
            except KeyError:
                self._send(404, b"{}")

    def do_GET(self) -> None:
        self.server.world.asked.append(Asked(self.requestline, str(self.headers), self.path, {}))
        self._send(405, b"{}")

    def _fail(self, bad: Bad) -> None:
        if bad.silent:
            self.server.world.over.wait(self.timeout)
            self.close_connection = True
        elif bad.dripping:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.server.world.over.wait(0.05):
                self.wfile.write(b"X-Drip: 1\r\n")
                self.wfile.flush()
        else:
            self._send(bad.status, bad.body, bad.headers)

    def _send(self, status: int, body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
