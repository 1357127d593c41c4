"""What of devpi's ways is taken over where safety would have it otherwise."""

from __future__ import annotations

from pydantic import Field, SecretStr

from pypicloud_lite.settings.declare import Settings
from pypicloud_lite.settings.values import Duration


class DevpiSettings(Settings):
    """For the devpi client."""

    open_registration: bool = Field(
        default=False,
        alias="devpi.open_registration",
        description="Let anyone make a user with devpi user -c, without a login, as devpi-server does",
    )
    root_password: SecretStr | None = Field(
        default=None,
        alias="devpi.root_password",
        description=(
            "Make the user root, an administrator, with this password at the first start where there is none. Without "
            "the key there is no such user, and administrators act as owners of root/*"
        ),
    )
    login_lifetime: Duration = Field(
        default=36_000,
        ge=60,
        alias="devpi.login_lifetime",
        description="How long a login of the devpi client lasts",
    )
