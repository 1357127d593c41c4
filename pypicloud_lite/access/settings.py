"""Who may do what by default, how new passwords are hashed, and how often a wrong one may be tried."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from pypicloud_lite.access.model import AUTHENTICATED, EVERYONE, Role, RoleHolders
from pypicloud_lite.access.passwords import canonical_scheme, check_rounds
from pypicloud_lite.access.policy import Rules
from pypicloud_lite.access.throttle import LoginThrottle, SharedFailures
from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.settings.declare import Settings, Words
from pypicloud_lite.settings.values import Duration


class AccessSettings(Settings):
    """The policy's settings; those of the chosen access backend are its own."""

    default_read: Words = Field(
        default=(AUTHENTICATED,),
        alias="pypi.default_read",
        description="Groups that may read projects without a rule of their own",
    )
    default_write: Words = Field(
        default=(),
        alias="pypi.default_write",
        description="Groups that may upload to projects without a rule of their own; empty: admins only",
    )
    allow_overwrite_groups: Words = Field(
        default=(),
        alias="pypi.allow_overwrite_groups",
        description="Groups that may replace an existing file where they may write",
    )
    allow_delete_groups: Words = Field(
        default=(AUTHENTICATED,),
        alias="pypi.allow_delete_groups",
        description="Groups that may delete where they may write",
    )
    allow_overwrite: bool | None = Field(
        default=None,
        alias="pypi.allow_overwrite",
        description="Deprecated: true is pypi.allow_overwrite_groups = everyone, false is none",
    )
    allow_delete: bool | None = Field(
        default=None,
        alias="pypi.allow_delete",
        description="Deprecated: true is pypi.allow_delete_groups = everyone, false is none",
    )
    cache_update: Words = Field(
        default=(AUTHENTICATED,),
        alias="pypi.cache_update",
        description="Groups that may have a file fetched from an upstream and kept",
    )
    admins: Words = Field(
        default=(),
        alias="auth.admins",
        description="Users who may do everything, whichever backend knows them; group:NAME for a group's members",
    )
    writers: Words = Field(
        default=(),
        alias="auth.writers",
        description="Users (or group:NAME) who may read and upload every project, whatever its rules",
    )
    readers: Words = Field(
        default=(),
        alias="auth.readers",
        description="Users (or group:NAME) who may read every project, whatever its rules",
    )
    realm: str = Field(
        default="pypi",
        alias="pypi.realm",
        pattern=r'^[^"\\\x00-\x1f\x7f-\U0010ffff]{1,100}$',
        description="The realm of HTTP Basic; distutils looks for 'pypi'",
    )
    scheme: Annotated[str, AfterValidator(canonical_scheme)] = Field(
        default="argon2",
        alias="auth.scheme",
        description=(
            "How ppc-gen-password -c hashes: argon2, bcrypt, sha512_crypt (sha), sha256_crypt, pbkdf2_sha512 "
            "(pbkdf2) or pbkdf2_sha256"
        ),
    )
    rounds: int | None = Field(
        default=None,
        alias="auth.rounds",
        description="The cost of those hashes, in the scheme's own unit; empty: the scheme's default",
    )
    limit_user: int = Field(
        default=10,
        ge=1,
        alias="auth.limit_user",
        description="Failed logins of one user from one address within auth.limit_window; more wait: 429",
    )
    limit_address: int = Field(
        default=100, ge=1, alias="auth.limit_address", description="Failed logins of all users from one address"
    )
    limit_overall: int = Field(
        default=1000, ge=1, alias="auth.limit_overall", description="Failed logins of all users from all addresses"
    )
    limit_window: Duration = Field(
        default=300, ge=1, le=86400, alias="auth.limit_window", description="The time within which failures count"
    )
    limit_url: SecretStr | None = Field(
        default=None,
        alias="auth.limit_url",
        description=(
            "Redis in which all workers and hosts count failures together: redis://, rediss:// or unix://; empty: each "
            "worker counts by itself"
        ),
        json_schema_extra={"example": "redis://127.0.0.1:6379/0"},
    )

    @field_validator("limit_url")
    @classmethod
    def _redis_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("it must begin with redis://, rediss:// or unix://")
        return url

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.rounds is not None:
            check_rounds(self.scheme, self.rounds)
        for field in ("allow_overwrite", "allow_delete"):
            self._not_both(field)
        return self

    def _not_both(self, old: str) -> None:
        flag, groups = getattr(self, old), getattr(self, f"{old}_groups")
        if (
            flag is not None
            and f"{old}_groups" in self.model_fields_set
            and frozenset(groups) != _groups(groups, flag=flag)
        ):
            raise ValueError(
                f"pypi.{old} contradicts pypi.{old}_groups: remove pypi.{old}, which is deprecated, and list "
                f"in pypi.{old}_groups the groups that may"
            )

    def rules(self) -> Rules:
        """The same as the policy reads it."""
        return Rules(
            default_read=frozenset(self.default_read),
            default_write=frozenset(self.default_write),
            overwrite_groups=_groups(self.allow_overwrite_groups, flag=self.allow_overwrite),
            delete_groups=_groups(self.allow_delete_groups, flag=self.allow_delete),
            cache_groups=frozenset(self.cache_update),
        )

    def throttle(self) -> LoginThrottle:
        """The limits on failed logins. Connects to nothing; ConfigError where Redis is named and cannot be used."""
        return LoginThrottle(
            per_user=self.limit_user,
            per_address=self.limit_address,
            overall=self.limit_overall,
            window=float(self.limit_window),
            shared=None if self.limit_url is None else _shared(self.limit_url, self.limit_window),
        )

    def holders(self) -> RoleHolders:
        """Who holds a role by these settings."""
        users: dict[str, frozenset[Role]] = {}
        groups: dict[str, frozenset[Role]] = {}
        for role, names in ((Role.ADMIN, self.admins), (Role.WRITER, self.writers), (Role.READER, self.readers)):
            for name in names:
                table = groups if name.startswith(_GROUP) else users
                who = name.removeprefix(_GROUP)
                table[who] = table.get(who, frozenset()) | {role}
        return RoleHolders(users, groups)


_GROUP = "group:"


def _shared(url: SecretStr, window: float) -> SharedFailures:
    try:
        from pypicloud_lite.access.throttle_redis import RedisFailures
    except ModuleNotFoundError as error:
        if error.name != "redis":
            raise
        raise ConfigError("auth.limit_url needs redis: pip install 'pypicloud_lite[redis]'") from error
    try:
        return RedisFailures(url.get_secret_value(), window)
    except ValueError:
        # Its text quotes the URL, which may hold a password.
        raise ConfigError("auth.limit_url cannot be read: write it as redis://[:PASSWORD@]HOST:PORT/NUMBER") from None


def _groups(named: tuple[str, ...], *, flag: bool | None) -> frozenset[str]:
    """What the deprecated flag says, else the groups named."""
    if flag is None:
        return frozenset(named)
    return frozenset({EVERYONE}) if flag else frozenset()
