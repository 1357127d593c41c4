"""Users, groups and rules from one secret of AWS Secrets Manager, as pypicloud keeps them: the plugin.

What asks AWS is in ``aws_secret``, which needs boto3 and is imported when this backend is chosen.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, model_validator

from pypicloud_lite.access.backends.aws_facts import FollowedSecret, SecretAccess
from pypicloud_lite.access.port import AccessContext
from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.settings.declare import Plugin, Settings
from pypicloud_lite.settings.values import Duration


class AwsSecretsSettings(Settings):
    """pypicloud's keys. Without any credentials the usual chain of AWS tools decides."""

    secret_id: str = Field(alias="auth.secret_id", description="Name or ARN of the secret that holds the users")
    region_name: str | None = Field(default=None, alias="auth.region_name", description="Region of the secret")
    aws_access_key_id: SecretStr | None = Field(
        default=None, alias="auth.aws_access_key_id", description="Access key for the secret"
    )
    aws_secret_access_key: SecretStr | None = Field(
        default=None, alias="auth.aws_secret_access_key", description="Secret key for the secret"
    )
    aws_session_token: SecretStr | None = Field(
        default=None, alias="auth.aws_session_token", description="Session token of temporary keys"
    )
    profile_name: str | None = Field(
        default=None, alias="auth.profile_name", description="Profile of the AWS configuration files"
    )
    endpoint_url: str | None = Field(
        default=None, alias="auth.endpoint_url", description="URL of Secrets Manager, where it is not AWS's own"
    )
    cache_time: Duration = Field(
        default=60,
        ge=1,
        le=60,
        alias="auth.secret_cache_time",
        description="A change of the secret holds after this time at the latest",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        keyed = self.aws_access_key_id is not None
        if keyed != (self.aws_secret_access_key is not None):
            raise ValueError("auth.aws_access_key_id and auth.aws_secret_access_key go together")
        if self.aws_session_token is not None and not keyed:
            raise ValueError("auth.aws_session_token needs auth.aws_access_key_id")
        if self.profile_name is not None and keyed:
            raise ValueError("auth.profile_name and auth.aws_access_key_id exclude each other")
        return self


def _build(settings: AwsSecretsSettings, context: AccessContext) -> SecretAccess:
    try:
        from pypicloud_lite.access.backends.aws_secret import AwsSecret
    except ModuleNotFoundError as error:
        if error.name not in {"boto3", "botocore"}:
            raise
        raise ConfigError("pypi.auth = aws_secrets_manager needs boto3: pip install 'pypicloud_lite[aws]'") from error
    secret = FollowedSecret(AwsSecret(settings), settings.secret_id, settings.cache_time)
    return SecretAccess(secret, context.hasher)


backend = Plugin(AwsSecretsSettings, _build)
