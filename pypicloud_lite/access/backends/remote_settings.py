"""``auth.backend_server``, ``auth.uri.*`` and what else a server of one's own is asked with."""

from __future__ import annotations

from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from pypicloud_lite.access.outages import MAX_SECONDS
from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.settings.declare import Settings
from pypicloud_lite.settings.values import Duration

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _uri(name: str, description: str) -> Any:
    return Field(default=f"/{name}", min_length=1, alias=f"auth.uri.{name}", description=description)


class RemoteSettings(Settings):
    """Where the server is, and the path of each question below it."""

    backend_server: str = Field(
        alias="auth.backend_server",
        json_schema_extra={"example": "https://users.example.com"},
        description="The server that knows users, groups and rules; docs/remote-access.rst says what it must answer",
    )
    user: str = Field(default="", alias="auth.user", description="With auth.password: who asks, by HTTP Basic")
    password: SecretStr | None = Field(default=None, alias="auth.password", description="The password of auth.user")
    timeout: float = Field(
        default=2.5,
        gt=0,
        le=30,
        alias="auth.remote.timeout",
        description="Seconds that one question may take, all in all",
    )
    cache_time: Duration = Field(
        default=MAX_SECONDS,
        ge=1,
        le=MAX_SECONDS,
        alias="auth.remote.cache_time",
        description="How long an answer is used again; at most 60 s",
    )
    ca_file: str = Field(
        default="", alias="auth.remote.ca_file", description="PEM file of the authorities to trust; empty: the system's"
    )
    verify: str = _uri("verify", "username, password: whether it is right")
    user_data: str = _uri("user_data", "username: that user; without: all of them")
    groups: str = _uri("groups", "username: that user's groups; without: all of them")
    group_members: str = _uri("group_members", "group: its users")
    admin: str = _uri("admin", "username: whether that user is an administrator")
    grants: str = _uri("grants", "Every rule at once; a server without it answers 404")
    group_permissions: str = _uri("group_permissions", "package: rights by group")
    user_permissions: str = _uri("user_permissions", "package: rights by user")
    user_package_permissions: str = _uri("user_package_permissions", "username: packages and that user's rights")
    group_package_permissions: str = _uri("group_package_permissions", "group: packages and that group's rights")

    @property
    def in_clear(self) -> bool:
        """Whether passwords would travel for anybody to read."""
        split = urlsplit(self.backend_server)
        return split.scheme == "http" and split.hostname not in _LOOPBACK

    def checked(self) -> Self:
        """The same; ConfigError lists every contradiction at once."""
        problems = []
        try:
            split = urlsplit(self.backend_server)
            valid = split.scheme in {"http", "https"} and bool(split.hostname) and (split.port or 1) > 0
            plain = not (split.query or split.fragment or "@" in split.netloc)
        except ValueError:
            valid, plain = False, True
        if not valid:
            problems.append("auth.backend_server is no address of a server: write https://HOST or https://HOST/PATH")
        elif not plain:
            problems.append(
                "auth.backend_server has more than a host and a path: put a user and a password into auth.user and "
                "auth.password, and leave ? and # out"
            )
        if bool(self.user) != (self.password is not None):
            have, lacks = ("user", "password") if self.user else ("password", "user")
            problems.append(f"auth.{lacks} is missing: auth.{have} does nothing without it")
        if problems:
            raise ConfigError(*problems)
        return self
