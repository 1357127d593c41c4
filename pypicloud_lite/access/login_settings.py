"""Logins of browsers, accounts that people make, and how long tokens last."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, SecretStr

from pypicloud_lite.settings.declare import Settings

_YEAR = 365 * 24 * 3600


class LoginSettings(Settings):
    """Sessions, registration tokens, API tokens."""

    encrypt_key: SecretStr | None = Field(
        default=None,
        alias="session.encrypt_key",
        min_length=16,
        description=(
            "What signs the cookies of logins, the same on every host; empty: a key that is made once and kept in the "
            "database"
        ),
    )
    validate_key: SecretStr | None = Field(
        default=None,
        alias="session.validate_key",
        min_length=16,
        description="As session.encrypt_key: pypicloud had two; where both are set, both are used",
    )
    secure: bool = Field(
        default=False,
        alias="session.secure",
        description="Send the cookie over https only; it always is where the request itself came by https",
    )
    idle: int = Field(
        default=12 * 3600,
        alias="session.timeout",
        ge=60,
        le=_YEAR,
        description="Seconds after its last request at which a login ends; 30 days after its beginning in any case",
    )
    signing_key: SecretStr | None = Field(
        default=None,
        alias="auth.signing_key",
        min_length=16,
        description="What signs registration tokens; empty: there are none",
    )
    signup_lifetime: int = Field(
        default=7 * 24 * 3600,
        alias="auth.token_expire",
        ge=60,
        le=_YEAR,
        description="Seconds for which a registration token can be used",
    )
    token_days: int = Field(
        default=365,
        alias="auth.api_token_days",
        ge=1,
        le=3650,
        description="Days that an API token lasts where its maker says nothing; 'never' has to be said",
    )

    @property
    def cookie_secret(self) -> str | None:
        """What signs the cookies; None: the key in the database."""
        keys = [key.get_secret_value() for key in (self.encrypt_key, self.validate_key) if key is not None]
        return "\0".join(keys) or None

    @property
    def signup_secret(self) -> str | None:
        """What signs registration tokens."""
        return None if self.signing_key is None else self.signing_key.get_secret_value()

    @property
    def idle_time(self) -> timedelta:
        """After which a login ends."""
        return timedelta(seconds=self.idle)
