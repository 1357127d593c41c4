"""Where upstreams are, who asks there, and what an answer may cost."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed does not have it

from pydantic import Field, SecretStr

from pypicloud_lite.kernel.errors import ConfigError, UpstreamError
from pypicloud_lite.settings.declare import Settings, Words
from pypicloud_lite.settings.values import Duration, Size
from pypicloud_lite.upstream.targets import Target

_MIB = 1024 * 1024
_SIMPLE = ("simple", "+simple")
_BASE, _WHOLE, _CREDENTIALS = "pypi.fallback_base_url", "pypi.fallback_url", "upstream.credentials"


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password, which never show."""

    user: str
    password: str = field(repr=False)

    def headers(self, *, proxy: bool = False) -> dict[str, str]:
        """HTTP Basic, for a server or a proxy; in UTF-8, as RFC 7617 has it."""
        pair = b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Proxy-Authorization" if proxy else "Authorization": f"Basic {pair}"}


@dataclass(frozen=True, slots=True)
class Peer:
    """One upstream as it is asked.

    ``index`` is its Simple API, ending in ``/``. Seconds bound whole exchanges (``names``: the list of all projects); a
    file has ``file_seconds`` and as long as it takes at ``file_rate`` bytes per second. After ``failures`` in a row a
    server is left alone for ``pause`` seconds. ``login`` and client certificate are for the index's own server only.
    One that is not trusted was not named by the operator: it may have a public address alone.
    """

    index: Target
    login: Login | None = None
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = None
    proxy_login: Login | None = None
    no_proxy: str = ""
    file_hosts: frozenset[tuple[str, int]] = frozenset()
    is_trusted: bool = True
    page_seconds: float = 10.0
    names_seconds: float = 120.0
    file_seconds: float = 60.0
    file_rate: float = 64 * 1024
    page_bytes: int = 32 * _MIB
    names_bytes: int = 128 * _MIB
    file_bytes: int = 4096 * _MIB
    pages_at_once: int = 16
    files_at_once: int = 16
    attempts: int = 3
    failures: int = 5
    pause: float = 15.0

    def proxy_headers(self) -> dict[str, str]:
        """What the proxy, and nobody else, is told."""
        return self.proxy_login.headers(proxy=True) if self.proxy_login else {}

    def uses_proxy(self, host: str) -> bool:
        """Whether ``host`` is asked by way of the proxy."""
        return self.proxy is not None and not proxy_bypass_environment(host, {"no": self.no_proxy})


class UpstreamSettings(Settings):
    """The upstreams, in order; pypicloud's keys where it has them."""

    base_url: SecretStr = Field(
        default=SecretStr(""),
        alias="pypi.fallback_base_url",
        json_schema_extra={"example": "https://index.example.com"},
        description="Other indexes, in order; /simple/ is added where it is missing. Empty: the public PyPI",
    )
    url: SecretStr = Field(
        default=SecretStr(""),
        alias="pypi.fallback_url",
        description="pypicloud's older key: the whole address of one Simple API",
    )
    credentials: SecretStr = Field(
        default=SecretStr(""),
        alias="upstream.credentials",
        json_schema_extra={"example": "https://index.example.com user:password"},
        description="A line for each server that wants a login; an address with user:password@ does the same",
    )
    ca_file: str = Field(
        default="", alias="upstream.ca_file", description="PEM file of the authorities to trust; empty: the system's"
    )
    client_cert: str = Field(
        default="",
        alias="upstream.client_cert",
        description="PEM file of a client certificate for the indexes' servers",
    )
    client_key: str = Field(
        default="", alias="upstream.client_key", description="PEM file of its key, where that is another file"
    )
    proxy: SecretStr = Field(
        default=SecretStr("environment"),
        alias="upstream.proxy",
        json_schema_extra={"example": "http://user:password@proxy.example.com:3128"},
        description="environment: as HTTPS_PROXY, HTTP_PROXY and NO_PROXY say; none; or an http:// address",
    )
    file_hosts: Words = Field(
        default=(),
        alias="upstream.file_hosts",
        json_schema_extra={"example": "files.example.com:8443"},
        description="Servers (HOST or HOST:PORT) of files that may have private addresses; public ones need no line",
    )
    page_seconds: Annotated[float, Field(gt=0, le=60)] = Field(
        default=10.0, alias="upstream.timeout", description="Seconds that a page may take, all in all"
    )
    file_seconds: Duration = Field(
        default=60, ge=1, alias="upstream.file_timeout", description="The same for a file, which then needs 64 KiB/s"
    )
    page_bytes: Size = Field(
        default=32 * _MIB, ge=1024, alias="upstream.max_page", description="The largest page, unpacked"
    )
    file_bytes: Size = Field(default=4096 * _MIB, ge=1024, alias="upstream.max_file", description="The largest file")

    def peers(self, environ: Mapping[str, str] = os.environ) -> tuple[Peer, ...]:
        """Each upstream; ConfigError lists every contradiction at once. Nothing is asked, and no file read."""
        problems: list[str] = []
        logins = self._logins(problems)
        hosts = places(self.file_hosts, "upstream.file_hosts", problems)
        peers = [
            self._peer(target, login or logins.get(target.server), hosts, environ, problems)
            for target, login in self._indexes(problems)
        ]
        unused = logins.keys() - {peer.index.server for peer in peers}
        problems += [f"{_CREDENTIALS}: there is no upstream at {server}" for server in sorted(unused)]
        if self.client_key and not self.client_cert:
            problems.append("upstream.client_cert is missing: upstream.client_key does nothing without it")
        if problems:
            raise ConfigError(*problems)
        return tuple(peers)

    def peer_at(
        self, url: str, hosts: frozenset[tuple[str, int]], environ: Mapping[str, str] = os.environ, *, is_trusted: bool
    ) -> Peer:
        """The upstream of a mirror index, by the whole address of its Simple API, which may hold a login.

        It gets no login and no client certificate of the configuration. An ``UpstreamError`` or ``ValueError`` for what
        is no address.
        """
        plain, login = _without_login(url)
        index, problems = _simple(Target.parse(plain), adding=False), list[str]()
        peer = self._peer(index, login, hosts, environ, problems)
        if problems:
            raise ConfigError(*problems)
        return replace(peer, client_cert=None, client_key=None, is_trusted=is_trusted)

    def _indexes(self, problems: list[str]) -> list[tuple[Target, Login | None]]:
        bases, whole = self.base_url.get_secret_value().split(), self.url.get_secret_value().split()
        if bases and whole:
            problems.append(f"{_WHOLE} does nothing beside {_BASE}: write that alone")
        key, given = (_BASE, bases or [_public()]) if bases or not whole else (_WHOLE, whole)
        found = []
        for number, url in enumerate(given, 1):
            try:
                plain, login = _without_login(url)
                target = Target.parse(plain)
            except (ValueError, UpstreamError):
                # Never the text: it may hold a password where nobody looks for one.
                problems.append(f"{key}: address {number} is none of a server: write https://HOST/PATH")
                continue
            if "?" in target.resource or "#" in plain:
                problems.append(f"{key}: address {number} has more than a host and a path: leave ? and # out")
                continue
            found.append((_simple(target, adding=key == _BASE), login))
        return found

    def _logins(self, problems: list[str]) -> dict[str, Login]:
        logins = {}
        for number, line in enumerate(
            filter(None, map(str.strip, self.credentials.get_secret_value().splitlines())), 1
        ):
            server, _, pair = line.partition(" ")
            user, colon, password = pair.strip().partition(":")
            try:
                place = Target.parse(server).server if user and colon else None
            except (ValueError, UpstreamError):
                place = None
            if place is None:
                problems.append(f"{_CREDENTIALS}: line {number} is not https://HOST user:password")
            else:
                logins[place] = Login(user, password)
        return logins

    def _peer(
        self,
        index: Target,
        login: Login | None,
        hosts: frozenset[tuple[str, int]],
        environ: Mapping[str, str],
        problems: list[str],
    ) -> Peer:
        proxy, proxy_login = None, None
        try:
            proxy, proxy_login = self._proxy(index.scheme, environ)
        except (ValueError, UpstreamError):
            problem = "upstream.proxy must be environment, none, or http://HOST:PORT (also what it says there)"
            if problem not in problems:
                problems.append(problem)
        return Peer(
            index=index,
            login=login,
            ca_file=self.ca_file or None,
            client_cert=self.client_cert or None,
            client_key=self.client_key or None,
            proxy=proxy,
            proxy_login=proxy_login,
            no_proxy=_variable(environ, "no_proxy") if self._asks_environment else "",
            file_hosts=hosts,
            page_seconds=self.page_seconds,
            file_seconds=float(self.file_seconds),
            page_bytes=self.page_bytes,
            file_bytes=self.file_bytes,
        )

    @property
    def _asks_environment(self) -> bool:
        return self.proxy.get_secret_value().strip() in {"", "environment"}

    def _proxy(self, scheme: str, environ: Mapping[str, str]) -> tuple[str | None, Login | None]:
        said = self.proxy.get_secret_value().strip()
        if self._asks_environment:
            # A CGI server would put a request's "Proxy" header there.
            trusted = scheme != "http" or "REQUEST_METHOD" not in environ
            said = (_variable(environ, f"{scheme}_proxy") if trusted else "") or _variable(environ, "all_proxy")
        if said in {"", "none"}:
            return None, None
        plain, login = _without_login(said if "://" in said else f"http://{said}")
        target = Target.parse(plain)
        if target.scheme != "http":
            raise ValueError("TLS to the proxy itself is not spoken here; what goes through it is TLS anyway")
        return target.server, login


def _variable(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _without_login(url: str) -> tuple[str, Login | None]:
    split = urlsplit(url)
    if "@" not in split.netloc:
        return url, None
    userinfo, _, place = split.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    return urlunsplit(split._replace(netloc=place)), Login(unquote(user), unquote(password))


def _simple(target: Target, *, adding: bool) -> Target:
    path = target.resource.rstrip("/")
    if adding and path.rpartition("/")[2] not in _SIMPLE:
        path += "/simple"
    return Target(target.scheme, target.host, target.port, f"{path}/")


def places(words: Iterable[str], key: str, problems: list[str]) -> frozenset[tuple[str, int]]:
    """Hosts and ports of a setting; without a port that of https."""
    found = (_place(word, key, problems) for word in words)
    return frozenset(place for place in found if place is not None)


def _place(word: str, key: str, problems: list[str]) -> tuple[str, int] | None:
    try:
        target = Target.parse(f"https://{word}")
    except (ValueError, UpstreamError):
        target = None
    if target is None or target.resource != "/":
        problems.append(f"{key}: write HOST or HOST:PORT, separated by spaces")
        return None
    return target.place


def _public() -> str:
    # Here, as importing it takes a third of a second, and most servers start without.
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    return PYPI_SIMPLE_ENDPOINT
