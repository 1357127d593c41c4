"""Users, groups and grants from the INI file: immutable, and nothing but memory after the start."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Self

from pydantic import Field

from pypicloud_lite.access.backends.config_keys import ConfigWorld, read_keys
from pypicloud_lite.access.facts import Facts, FactsAccess, KnownUser
from pypicloud_lite.access.passwords import PasswordHasher, derive_hash
from pypicloud_lite.access.port import AccessContext
from pypicloud_lite.kernel.errors import ConfigError, InvalidRequest
from pypicloud_lite.settings.declare import Plugin, Settings


class ConfigAccessSettings(Settings):
    """pypicloud's keys."""

    open_keys: ClassVar[tuple[str, ...]] = ("user.", "group.", "package.")

    entries: Mapping[str, str] = Field(
        default_factory=dict,
        alias="*",
        repr=False,
        json_schema_extra={
            "example": [
                "user.alice = $argon2id$v=19$m=31744,t=3,p=1$c2FsdA$aGFzaA",
                "group.developers = alice bob",
                "package.internal-tool.group.developers = rw",
                "package.internal-tool.user.carol = r",
                "package.team-*.user.dave = owner",
            ]
        },
        description=(
            "user.NAME = HASH (ppc-gen-password makes it); group.NAME = users; package.PROJECT.user.NAME and "
            "package.PROJECT.group.NAME = r, w, rw or owner; PROJECT may have * for any text"
        ),
    )

    def with_admin(self, username: str, password: str) -> Self:
        """Define one user more, whose password is known in clear text (from the environment).

        Costs one hash. ConfigError when the file has that user too.
        """
        key = f"user.{username}"
        if key in self.entries:
            raise ConfigError(f"PPC_ADMIN_USER and {key} define the same user: remove one of the two")
        try:
            stored = derive_hash(password, username)
        except InvalidRequest as error:
            raise ConfigError(f"PPC_ADMIN_PASSWORD: {error.message}") from None
        return self.model_copy(update={"entries": {**self.entries, key: stored}})


_NOBODY = (
    "There are no users, so nobody can log in: add a line user.NAME with a hash of ppc-gen-password and name an "
    "administrator in auth.admins, or set PPC_ADMIN_USER with PPC_ADMIN_PASSWORD or PPC_ADMIN_PASSWORD_FILE"
)


class ConfigAccess(FactsAccess):
    """An :class:`~pypicloud_lite.access.port.AccessBackend` over what the INI file said at the start.

    ``warnings`` names what was understood and is probably a mistake, ``strangers`` who is named and not defined, a
    line each. ``serial`` and the versions of the accounts depend on nothing but the settings: every worker and host
    computes the same.
    """

    def __init__(self, world: ConfigWorld, hasher: PasswordHasher | None = None) -> None:
        self.warnings = world.warnings
        self.strangers = (*world.strangers, *(() if world.hashes else (_NOBODY,)))
        users = MappingProxyType({name: KnownUser(stored) for name, stored in world.hashes.items()})
        facts = Facts(users=users, groups=world.groups, book=world.book)
        super().__init__(lambda: facts, hasher or PasswordHasher())

    @classmethod
    def from_settings(cls, settings: ConfigAccessSettings, context: AccessContext) -> Self:
        """Build it; ConfigError lists every wrong key at once."""
        return cls(read_keys(settings.entries), context.hasher)


backend = Plugin(ConfigAccessSettings, ConfigAccess.from_settings)
