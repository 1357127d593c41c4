"""What a server says to people who come with the devpi client."""

from __future__ import annotations

from pydantic import Field, SecretStr

from pypicloud_lite.settings.declare import Settings
from pypicloud_lite.settings.values import Duration


class DevpiSettings(Settings):
    """Users and logins in devpi's way (``docs/devpi.rst``)."""

    open_registration: bool = Field(
        default=False,
        alias="devpi.open_registration",
        description="Anybody may make an account with 'devpi user -c', as on a devpi-server; else administrators only",
    )
    root_password: SecretStr | None = Field(
        default=None,
        alias="devpi.root_password",
        json_schema_extra={"may_be_empty": True},
        description=(
            "Makes the user root, an administrator with this password, at a start that finds no such user. The key "
            "without a value makes one with an empty password, as devpi-init does: anybody can then do everything"
        ),
    )
    login_lifetime: Duration = Field(
        default=10 * 3600,
        ge=60,
        le=365 * 24 * 3600,
        alias="devpi.login_lifetime",
        description="How long 'devpi login' lasts",
    )
