"""Connections that go only to addresses that were checked, and end with their deadline: urllib3's, taught both."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from contextvars import ContextVar
from ipaddress import ip_address
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from pypicloud_lite.kernel.errors import ConfigError, UpstreamAddressRefused
from pypicloud_lite.upstream.addresses import Doors, Resolver, resolve_in_time
from pypicloud_lite.upstream.deadline import Deadline
from pypicloud_lite.upstream.settings import Peer
from pypicloud_lite.upstream.targets import Target

_POOLS = 32
_ONE_ADDRESS = 5.0
"""Seconds, so that a dead address leaves time for the next one."""

_current: ContextVar[Deadline] = ContextVar("deadline")


class _Timed:
    """Gives each receive what is left of the exchange, so that dripping does not begin a new wait each time."""

    deadline: Deadline | None = None

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        if self.deadline is not None:
            self.settimeout(self.deadline.left())  # type: ignore[attr-defined]
        received: int = super().recv_into(*arguments, **options)  # type: ignore[misc]
        return received


class _TimedSocket(_Timed, socket.socket):
    pass


class _TimedTlsSocket(_Timed, ssl.SSLSocket):
    pass


class Connections:
    """Pools of connections, one for each server; thread-safe."""

    def __init__(self, peer: Peer, doors: Doors, resolver: Resolver) -> None:
        self._peer = peer
        self._doors = doors
        checked, unchecked = _connection_classes(doors, resolver), _connection_classes(None, resolver)
        self._managers: dict[tuple[bool, bool], urllib3.PoolManager] = {}
        for own in (True, False):
            options = _options(peer, own=own)
            self._managers[own, False] = _manager(urllib3.PoolManager(**options), checked)
            if peer.proxy is not None:
                # The proxy itself is the operator's word; what it may be asked for, ``check_name`` says.
                through = urllib3.ProxyManager(peer.proxy, proxy_headers=peer.proxy_headers(), **options)
                self._managers[own, True] = _manager(through, unchecked)

    def get(self, target: Target, headers: dict[str, str], deadline: Deadline) -> urllib3.BaseHTTPResponse:
        """Ask; the body is still to be read. Raises what urllib3 does, and ``UpstreamAddressRefused``."""
        return self.send("GET", target, headers, None, deadline)

    def send(
        self, method: str, target: Target, headers: dict[str, str], body: Iterable[bytes] | None, deadline: Deadline
    ) -> urllib3.BaseHTTPResponse:
        """As :meth:`get`, with another method and a body of the length that the headers say."""
        proxied = self._peer.uses_proxy(target.host)
        if proxied:
            self._doors.check_name(target)
        own = target.server == self._doors.own.server
        pool = self._managers[own, proxied].connection_from_host(target.host, target.port, target.scheme)
        resource = target.resource
        if proxied and target.scheme == "http":
            # Without a tunnel, the proxy reads the request itself: the whole address, and who asks.
            resource = str(target)
            headers = {**headers, **self._peer.proxy_headers()}
        token = _current.set(deadline)
        try:
            return pool.urlopen(
                method,
                resource,
                body=body,
                headers=headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=deadline.left(),
                preload_content=False,
                decode_content=False,
            )
        finally:
            _current.reset(token)

    def close(self) -> None:
        """Close those that nobody uses."""
        for manager in self._managers.values():
            manager.clear()


def _options(peer: Peer, *, own: bool) -> dict[str, Any]:
    try:
        context = ssl.create_default_context(cafile=peer.ca_file)
        if own and peer.client_cert is not None:
            context.load_cert_chain(peer.client_cert, peer.client_key)
    except OSError as error:
        raise ConfigError(
            f"upstream.ca_file, upstream.client_cert or upstream.client_key cannot be read: {error.strerror or error}"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _TimedTlsSocket
    at_once = peer.pages_at_once + peer.files_at_once
    return {"num_pools": _POOLS, "maxsize": at_once, "ssl_context": context, "cert_reqs": "CERT_REQUIRED"}


def _manager(
    manager: urllib3.PoolManager, classes: tuple[type[HTTPConnection], type[HTTPSConnection]]
) -> urllib3.PoolManager:
    class Plain(HTTPConnectionPool):
        ConnectionCls = classes[0]

    class Tls(HTTPSConnectionPool):
        ConnectionCls = classes[1]

    manager.pool_classes_by_scheme = {"http": Plain, "https": Tls}
    return manager


def _connection_classes(doors: Doors | None, resolver: Resolver) -> tuple[type[HTTPConnection], type[HTTPSConnection]]:
    """Those of direct connections with ``doors``; without, those to a proxy."""

    class Checked(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, "http", doors, resolver)

        def request(self, *arguments: Any, **options: Any) -> None:
            _stamp(self)
            super().request(*arguments, **options)

    class CheckedTls(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, "https", doors, resolver)

        def request(self, *arguments: Any, **options: Any) -> None:
            _stamp(self)
            super().request(*arguments, **options)

    return Checked, CheckedTls


def _stamp(connection: HTTPConnection) -> None:
    if connection.sock is None:
        connection.connect()
    if isinstance(connection.sock, _Timed):
        connection.sock.deadline = _current.get()


def _connect(connection: HTTPConnection, scheme: str, doors: Doors | None, resolver: Resolver) -> socket.socket:
    """Look the name up, check each address, connect to one of those that were checked."""
    deadline = _current.get()
    target = Target(scheme, connection.host, connection.port, "/")
    why: Exception | None = None
    try:
        found = resolve_in_time(resolver, connection.host, connection.port, deadline)
        refused: UpstreamAddressRefused | None = None
        for text in found:
            address = ip_address(text)
            try:
                if doors is not None:
                    doors.check_address(target, address)
            except UpstreamAddressRefused as error:
                refused = error
                continue
            try:
                return _reach(str(address), connection.port, deadline)
            except OSError as error:
                deadline.left()
                why = error
        if refused is not None and why is None:
            raise refused
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, f"{target.server}: {error}") from error
    except OSError as error:
        why = error
    raise NewConnectionError(connection, f"{target.server}: {why or 'it has no address'}") from why


def _reach(address: str, port: int, deadline: Deadline) -> socket.socket:
    connected = _TimedSocket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        connected.settimeout(min(_ONE_ADDRESS, deadline.left()))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.connect((address, port))
        # What a handshake, whose receives nobody stamps, may take.
        connected.settimeout(deadline.left())
        connected.deadline = deadline
    except BaseException:
        connected.close()
        raise
    return connected
