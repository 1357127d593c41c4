"""``auth.ldap.*``: pypicloud's keys, some of our own, and what they may not say together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr

from pypicloud_lite.access.outages import MAX_SECONDS
from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.settings.declare import Settings, Words
from pypicloud_lite.settings.values import parse_duration

PLACE = "{username}"
_SCHEMES = frozenset({"ldap", "ldaps", "ldapi"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_COMPARED = re.compile(r"\(\s*([A-Za-z][A-Za-z0-9-]*)[^=()<>~]*[~]?=([^()]*\{username\}[^()]*)\)")
_RDN = re.compile(r"([A-Za-z][A-Za-z0-9-]*)=([^,+]*\{username\}[^,+]*)")

_TWO_WAYS = (
    "auth.ldap.user_dn_format goes without auth.ldap.base_dn and auth.ldap.user_search_filter: keep one of the two "
    "ways to find a user"
)
_NO_WAY = (
    "auth.ldap does not say where users are: set auth.ldap.base_dn and auth.ldap.user_search_filter, or "
    "auth.ldap.user_dn_format"
)
_NO_DN = (
    "auth.ldap.user_dn_format is no DN that begins with the name: write uid={username},ou=people,… or, for Active "
    "Directory, auth.ldap.base_dn with auth.ldap.user_search_filter = (sAMAccountName={username})"
)


def _cache_time(value: Any) -> Any:
    """pypicloud's "for ever" (``none`` or nothing) is the most there is."""
    if isinstance(value, str) and value.strip().lower() in {"", "none"}:
        return MAX_SECONDS
    seconds = parse_duration(value)
    return min(seconds, MAX_SECONDS) if isinstance(seconds, int) else seconds


def _lines(value: Any) -> Any:
    """Words, but a line with ``=`` in it is one value, because a DN may have spaces."""
    if not isinstance(value, str):
        return value
    lines = [line.strip() for line in value.splitlines()]
    return tuple(part for line in lines if line for part in ([line] if "=" in line else line.split()))


@dataclass(frozen=True, slots=True)
class Spelling:
    """Where an entry says how its user is spelled: an attribute, and what stands around the name in it."""

    attribute: str
    template: str

    def value_for(self, username: str) -> str:
        """What the attribute has, exactly, for that user."""
        return self.template.replace(PLACE, username)

    def username_in(self, value: str) -> str | None:
        """The user of that value."""
        before, _, after = self.template.partition(PLACE)
        if len(value) <= len(before) + len(after) or not value.startswith(before) or not value.endswith(after):
            return None
        return value[len(before) : len(value) - len(after)]


class LdapSettings(Settings):
    """Where the directory is, who a user is in it, which groups, and who is an administrator."""

    url: Words = Field(
        alias="auth.ldap.url",
        json_schema_extra={"example": "ldaps://ldap.example.com"},
        description="The directory: ldaps://, ldap:// or ldapi://; several are tried in their order",
    )
    service_dn: str = Field(
        default="", alias="auth.ldap.service_dn", description="Who reads the directory; empty: nobody in particular"
    )
    service_password: SecretStr | None = Field(
        default=None, alias="auth.ldap.service_password", description="The password of service_dn"
    )
    service_username: str = Field(
        default="",
        alias="auth.ldap.service_username",
        description="A user name under which service_dn may log in, as an administrator",
    )
    user_dn_format: str = Field(
        default="",
        alias="auth.ldap.user_dn_format",
        json_schema_extra={"example": "uid={username},ou=people,dc=example,dc=com"},
        description="The DN of every user, where they all lie in one place",
    )
    base_dn: str = Field(
        default="",
        alias="auth.ldap.base_dn",
        json_schema_extra={"example": "dc=example,dc=com"},
        description="Below which users are searched, with user_search_filter",
    )
    user_search_filter: str = Field(
        default="",
        alias="auth.ldap.user_search_filter",
        json_schema_extra={"example": "(&(objectClass=person)(uid={username}))"},
        description="What a user's entry matches, with {username} for the name, which must match letter for letter",
    )
    admin_field: str = Field(
        default="",
        alias="auth.ldap.admin_field",
        description="An attribute that makes administrators, with admin_value",
    )
    admin_value: Annotated[tuple[str, ...], BeforeValidator(_lines)] = Field(
        default=(),
        alias="auth.ldap.admin_value",
        description="Values of admin_field, any of which makes one; a DN a line",
    )
    admin_group_dn: str = Field(
        default="", alias="auth.ldap.admin_group_dn", description="A group whose members are administrators"
    )
    group_base_dn: str = Field(
        default="",
        alias="auth.ldap.group_base_dn",
        json_schema_extra={"example": "ou=groups,dc=example,dc=com"},
        description="Below which groups are searched; empty: the directory has none for this server",
    )
    group_filter: str = Field(
        default="(objectClass=*)", alias="auth.ldap.group_filter", description="Which entries there are groups"
    )
    group_name: str = Field(
        default="cn",
        pattern=r"^[A-Za-z][A-Za-z0-9-]*$",
        alias="auth.ldap.group_name",
        description="The attribute with a group's name",
    )
    group_members: Words = Field(
        default=("member", "uniqueMember", "memberUid"),
        alias="auth.ldap.group_members",
        description="The attributes with a group's members: DNs, but names in memberUid",
    )
    nested_groups: bool = Field(
        default=False, alias="auth.ldap.nested_groups", description="The members of a group in a group are in both"
    )
    cache_time: Annotated[int, BeforeValidator(_cache_time)] = Field(
        default=MAX_SECONDS,
        ge=1,
        alias="auth.ldap.cache_time",
        description="How long what the directory said of a user is used again, at most and by default 60 s",
    )
    timeout: float = Field(
        default=2.5,
        gt=0,
        le=30,
        alias="auth.ldap.timeout",
        description="Seconds that one question may take, all in all",
    )
    start_tls: bool = Field(
        default=False, alias="auth.ldap.start_tls", description="Encrypt an ldap:// connection before anything is sent"
    )
    ca_file: str = Field(
        default="", alias="auth.ldap.ca_file", description="PEM file of the authorities to trust; empty: the system's"
    )
    ignore_cert: bool = Field(
        default=False, alias="auth.ldap.ignore_cert", description="Accept any certificate: for tests only"
    )
    ignore_referrals: bool = Field(
        default=True,
        alias="auth.ldap.ignore_referrals",
        description="Do not go to other servers that the directory points to; false goes there, without logging in",
    )
    ignore_multiple_results: bool = Field(
        default=False,
        alias="auth.ldap.ignore_multiple_results",
        description="Take the first of several entries for one name; else nobody can log in with it",
    )
    fallback: Literal["", "config"] = Field(
        default="",
        alias="auth.ldap.fallback",
        description="Deprecated: config is pypi.auth = ldap config",
    )

    @cached_property
    def spellings(self) -> tuple[Spelling, ...]:
        """Where entries say the names of their users: each attribute that is compared with ``{username}``."""
        found = _RDN.match(self.user_dn_format.strip())
        if found is not None:
            return (Spelling(found[1], found[2].strip()),)
        return tuple(
            Spelling(attribute, value.strip()) for attribute, value in _COMPARED.findall(self.user_search_filter)
        )

    @property
    def reads_entries(self) -> bool:
        """Whether users are found without their password."""
        return not self.user_dn_format or bool(self.service_dn)

    @property
    def in_clear(self) -> list[str]:
        """The URLs over which passwords would travel for anybody to read."""
        parts = [(url, urlsplit(url)) for url in self.url]
        return [
            url
            for url, split in parts
            if split.scheme.lower() == "ldap" and not self.start_tls and split.hostname not in _LOOPBACK
        ]

    def checked(self) -> Self:
        """The same; ConfigError lists every contradiction at once."""
        problems = [*self._of_server(), *self._of_users(), *self._of_administrators(), *self._of_groups()]
        if problems:
            raise ConfigError(*problems)
        return self

    def _of_server(self) -> list[str]:
        problems = []
        for url in self.url:
            if urlsplit(url).scheme.lower() not in _SCHEMES or "://" not in url:
                problems.append("auth.ldap.url: write ldaps://HOST, ldap://HOST or ldapi://PATH (with %2F for each /)")
            elif self.start_tls and not url.lower().startswith("ldap://"):
                problems.append("auth.ldap.start_tls is for ldap:// alone: remove it, or change auth.ldap.url")
        if not self.url:
            problems.append("auth.ldap.url is empty: write ldaps://HOST")
        if self.ca_file and self.ignore_cert:
            problems.append("auth.ldap.ignore_cert makes auth.ldap.ca_file useless: remove ignore_cert")
        password = self.service_password.get_secret_value() if self.service_password else ""
        if self.service_dn and not password:
            problems.append(
                "auth.ldap.service_password is missing: without it many servers take auth.ldap.service_dn for nobody"
            )
        if password and not self.service_dn:
            problems.append("auth.ldap.service_dn is missing: auth.ldap.service_password is for it")
        if self.service_username and not self.service_dn:
            problems.append("auth.ldap.service_dn is missing: auth.ldap.service_username logs in as it")
        return problems

    def _of_users(self) -> list[str]:
        if self.user_dn_format:
            if self.base_dn or self.user_search_filter:
                return [_TWO_WAYS]
            return [] if self.spellings else [_NO_DN]
        if not self.base_dn or not self.user_search_filter:
            return [_NO_WAY]
        return self._of_filter()

    def _of_filter(self) -> list[str]:
        key = "auth.ldap.user_search_filter"
        if not self.spellings or len(self.spellings) != self.user_search_filter.count(PLACE):
            return [f"{key} does not compare an attribute with {PLACE}: write (uid={PLACE}), in parentheses"]
        if any("*" in spelling.template for spelling in self.spellings):
            return [f"{key} compares with a part of the name: write {PLACE} without *"]
        return []

    def _of_administrators(self) -> list[str]:
        if bool(self.admin_field) == bool(self.admin_value):
            return []
        have, lacks = ("admin_field", "admin_value") if self.admin_field else ("admin_value", "admin_field")
        return [f"auth.ldap.{lacks} is missing: auth.ldap.{have} does nothing without it"]

    def _of_groups(self) -> list[str]:
        if self.nested_groups and not self.group_base_dn:
            return ["auth.ldap.group_base_dn is missing: auth.ldap.nested_groups searches groups below it"]
        if not self.group_members:
            return ["auth.ldap.group_members is empty: name the attributes with a group's members, or remove it"]
        return []
