"""Users, groups and grants from the INI file: immutable, and nothing but memory after the start."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Self

from pydantic import Field

from pypicloud_lite.access.backends.config_keys import ConfigWorld, read_keys
from pypicloud_lite.access.model import NO_GRANTS, Account, Grants
from pypicloud_lite.access.passwords import PasswordHasher, derive_hash
from pypicloud_lite.kernel.errors import ConfigError, InvalidRequest
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.settings.declare import Plugin, Settings, Words


class ConfigAccessSettings(Settings):
    """pypicloud's keys."""

    open_keys: ClassVar[tuple[str, ...]] = ("user.", "group.", "package.")

    admins: Words = Field(default=(), alias="auth.admins", description="Users who may do everything")
    entries: Mapping[str, str] = Field(
        default_factory=dict,
        alias="*",
        repr=False,
        json_schema_extra={
            "example": [
                "user.alice = $argon2id$v=19$m=32768,t=3,p=1$c2FsdA$aGFzaA",
                "group.developers = alice bob",
                "package.internal-tool.group.developers = rw",
                "package.internal-tool.user.carol = r",
            ]
        },
        description=(
            "user.NAME = HASH (ppc-gen-password makes it); group.NAME = users; package.PROJECT.user.NAME and "
            "package.PROJECT.group.NAME = r, w or rw"
        ),
    )

    def with_admin(self, username: str, password: str) -> Self:
        """Define one admin more, whose password is known in clear text (from the environment).

        Costs one hash. ConfigError when the file has that user too.
        """
        key = f"user.{username}"
        if key in self.entries:
            raise ConfigError(f"PPC_ADMIN_USER and {key} define the same user: remove one of the two")
        try:
            stored = derive_hash(password, username)
        except InvalidRequest as error:
            raise ConfigError(f"PPC_ADMIN_PASSWORD: {error.message}") from None
        return self.model_copy(update={"admins": (*self.admins, username), "entries": {**self.entries, key: stored}})


_NOBODY = (
    "There are no users, so nobody can log in: add a line user.NAME with a hash of ppc-gen-password and name an "
    "administrator in auth.admins, or set PPC_ADMIN_USER with PPC_ADMIN_PASSWORD or PPC_ADMIN_PASSWORD_FILE"
)


@dataclass(frozen=True, slots=True)
class _User:
    account: Account
    password_hash: str


class ConfigAccess:
    """An :class:`~pypicloud_lite.access.port.AccessBackend` over what the INI file said at the start.

    ``warnings`` names what was understood and is probably a mistake, a line each. ``serial`` and the versions
    of the accounts depend on nothing but the settings: every worker and host computes the same.
    """

    def __init__(self, world: ConfigWorld, admins: Iterable[str] = (), hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._grants = world.grants
        admin_names = frozenset(admins)
        groups_of: dict[str, set[str]] = {name: set() for name in world.hashes}
        for group, members in world.groups.items():
            for member in members & groups_of.keys():
                groups_of[member].add(group)
        self._users = MappingProxyType(
            {
                name: _User(_account(name, stored, groups_of[name], is_admin=name in admin_names), stored)
                for name, stored in world.hashes.items()
            }
        )
        self._decoys = tuple(world.hashes[name] for name in sorted(world.hashes))
        unknown = tuple(
            f"auth.admins names {name!a}, who has no line user.{name}: add one, or remove the name"
            for name in sorted(admin_names - world.hashes.keys())
        )
        nobody = () if world.hashes else (_NOBODY,)
        self.warnings = (*world.warnings, *unknown, *nobody)
        self._serial = _fingerprint(
            sorted((name, user.account.version) for name, user in self._users.items()),
            sorted((str(project), _shown(grants)) for project, grants in self._grants.items()),
        )

    @classmethod
    def from_settings(cls, settings: ConfigAccessSettings) -> Self:
        """Build it; ConfigError lists every wrong key at once."""
        return cls(read_keys(settings.entries), settings.admins)

    def authenticate(self, username: str, password: str) -> Account | None:
        """As the port says; an unknown name costs what one of the users in the file would.

        Which one follows from the name and from the hashes in the file, which nobody outside knows: asking
        again, or asking another worker, takes the same time again, as it does for a user who exists.
        """
        user = self._users.get(username)
        if user is not None:
            return user.account if self._hasher.verify(password, user.password_hash) else None
        if self._decoys:
            self._hasher.verify(password, self._decoys[self._decoy_of(username)])
        else:
            self._hasher.verify_dummy(password)
        return None

    def lookup(self, username: str) -> Account | None:
        """As the port says; no I/O."""
        user = self._users.get(username)
        return None if user is None else user.account

    def grants(self, project: ProjectName) -> Grants:
        """As the port says; no I/O."""
        return self._grants.get(project, NO_GRANTS)

    def all_grants(self) -> Mapping[ProjectName, Grants]:
        """As the port says; no I/O."""
        return self._grants

    def serial(self) -> str:
        """Constant: the file is read once."""
        return self._serial

    def probe(self) -> None:
        """Nothing that could be down."""

    def _decoy_of(self, username: str) -> int:
        digest = hashlib.sha256(f"{self._serial}\0{username}".encode(errors="surrogatepass")).digest()
        return int.from_bytes(digest) % len(self._decoys)


def _account(name: str, stored: str, groups: Iterable[str], *, is_admin: bool) -> Account:
    ordered = sorted(groups)
    return Account(name, frozenset(ordered), is_admin, _fingerprint(name, stored, ordered, is_admin))


def _shown(grants: Grants) -> list[object]:
    return [sorted((who, sorted(rights)) for who, rights in rules.items()) for rules in (grants.users, grants.groups)]


def _fingerprint(*facts: object) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


backend = Plugin(ConfigAccessSettings, ConfigAccess.from_settings)
