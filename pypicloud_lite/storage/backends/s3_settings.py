"""Blobs as objects in a bucket of S3, or of a server that speaks its protocol: the settings."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from pypicloud_lite.settings.declare import Settings

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]", re.ASCII)
_WEEK = int(timedelta(days=7).total_seconds())
_SWITCH = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}

CannedAcl = Literal[
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
]


def _switch_or_path(value: Any) -> Any:
    return _SWITCH.get(value.lower(), value) if isinstance(value, str) else value


def _proxies(value: Any) -> Any:
    """``https=http://proxy:3128 http=...``; a URL alone serves both."""
    if not isinstance(value, str):
        return value
    proxies: dict[str, str] = {}
    for word in value.split():
        scheme, equals, url = word.partition("=")
        if equals and scheme in {"http", "https"} and url:
            proxies[scheme] = url
        elif "://" in word:
            proxies |= {"http": word, "https": word}
        else:
            raise ValueError("write a proxy's URL, or words like https=http://proxy.example.com:3128")
    return proxies


class S3Settings(Settings):
    """``storage.*`` of the backend ``s3``. Without any credentials the usual chain of AWS tools decides."""

    bucket: str = Field(alias="storage.bucket", description="Name of the bucket")
    prefix: str = Field(
        default="", alias="storage.prefix", description="Put before every key as it is written (with its '/')"
    )
    create_bucket: bool = Field(
        default=False,
        alias="storage.create_bucket",
        description="Create the bucket at start when it is missing",
    )
    expire_after: int = Field(
        default=3600,
        ge=10,
        le=_WEEK,
        alias="storage.expire_after",
        description="Seconds for which a signed URL works; each is given out for at most half of them",
    )
    redirect_urls: bool = Field(
        default=True,
        alias="storage.redirect_urls",
        description="Send downloads to the bucket by signed URL; false: stream through this server",
    )
    public_url: bool = Field(
        default=False,
        alias="storage.public_url",
        description="The bucket is readable by anyone: send downloads there without a signature",
    )
    object_acl: CannedAcl | None = Field(
        default=None, alias="storage.object_acl", description="Canned ACL of new objects"
    )
    storage_class: str | None = Field(
        default=None, alias="storage.storage_class", description="Storage class of new objects"
    )
    server_side_encryption: Literal["AES256", "aws:kms", "aws:kms:dsse"] | None = Field(
        default=None, alias="storage.server_side_encryption", description="AES256 or aws:kms"
    )
    sse_kms_key_id: str | None = Field(
        default=None, alias="storage.sse_kms_key_id", description="KMS key, with aws:kms"
    )
    region_name: str | None = Field(default=None, alias="storage.region_name", description="Region of the bucket")
    aws_access_key_id: SecretStr | None = Field(
        default=None, alias="storage.aws_access_key_id", description="Access key"
    )
    aws_secret_access_key: SecretStr | None = Field(
        default=None, alias="storage.aws_secret_access_key", description="Secret key"
    )
    aws_session_token: SecretStr | None = Field(
        default=None, alias="storage.aws_session_token", description="Session token of temporary keys"
    )
    profile_name: str | None = Field(
        default=None, alias="storage.profile_name", description="Profile of the AWS configuration files"
    )
    role_arn: str | None = Field(
        default=None, alias="storage.role_arn", description="Role to assume, and to assume anew as it expires"
    )
    endpoint_url: str | None = Field(
        default=None, alias="storage.endpoint_url", description="URL of an S3-compatible server"
    )
    use_ssl: bool = Field(default=True, alias="storage.use_ssl", description="TLS, where no endpoint_url says")
    verify: Annotated[bool | str, BeforeValidator(_switch_or_path)] = Field(
        default=True, alias="storage.verify", description="Check certificates: true, false or a file of CAs"
    )
    api_version: str | None = Field(
        default=None, alias="storage.api_version", description="Version of the S3 API, as botocore names them"
    )
    signature_version: Literal["s3v4"] = Field(
        default="s3v4", alias="storage.signature_version", description="s3v4, the only one"
    )
    user_agent: str | None = Field(
        default=None, alias="storage.user_agent", description="User-Agent of requests to the bucket"
    )
    user_agent_extra: str | None = Field(
        default=None, alias="storage.user_agent_extra", description="Words added to the User-Agent"
    )
    connect_timeout: float = Field(
        default=2,
        gt=0,
        alias="storage.connect_timeout",
        description="Seconds to connect, and for which sending may stall",
    )
    read_timeout: float = Field(
        default=10, gt=0, alias="storage.read_timeout", description="Seconds to wait for more of an answer"
    )
    parameter_validation: bool = Field(
        default=True, alias="storage.parameter_validation", description="botocore checks its parameters"
    )
    max_pool_connections: int = Field(
        default=32, ge=1, alias="storage.max_pool_connections", description="Connections kept per process"
    )
    proxies: Annotated[dict[str, str], BeforeValidator(_proxies)] = Field(
        default_factory=dict,
        repr=False,
        alias="storage.proxies",
        description="A proxy's URL, or https=URL http=URL",
    )
    use_accelerate_endpoint: bool = Field(
        default=False, alias="storage.use_accelerate_endpoint", description="S3 Transfer Acceleration"
    )
    payload_signing_enabled: bool | None = Field(
        default=None,
        alias="storage.payload_signing_enabled",
        description="Sign bodies too; by default only where there is no TLS",
    )
    addressing_style: Literal["auto", "virtual", "path"] = Field(
        default="auto", alias="storage.addressing_style", description="auto, virtual or path"
    )
    spool_dir: str | None = Field(
        default=None,
        alias="storage.spool_dir",
        description="Folder for uploads on their way to the bucket; default: the system's temporary folder",
    )

    @field_validator("bucket")
    @classmethod
    def _plain_bucket(cls, value: str) -> str:
        if not _BUCKET.fullmatch(value):
            raise ValueError("name a bucket itself (letters, digits, '.', '_' and '-'), not an ARN or a URL")
        if value.endswith("--x-s3"):
            raise ValueError("directory buckets cannot give out signed URLs; use a general purpose bucket")
        return value

    @field_validator("storage_class")
    @classmethod
    def _readable_class(cls, value: str | None) -> str | None:
        if value in {"GLACIER", "DEEP_ARCHIVE"}:
            raise ValueError("objects of this class cannot be downloaded at once; use GLACIER_IR or another")
        return value

    @field_validator("signature_version", mode="before")
    @classmethod
    def _only_v4(cls, value: Any) -> Any:
        if value not in {"s3v4", "v4"}:
            raise ValueError("only s3v4 is supported: remove this key")
        return "s3v4"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        keyed = self.aws_access_key_id is not None
        if keyed != (self.aws_secret_access_key is not None):
            raise ValueError("storage.aws_access_key_id and storage.aws_secret_access_key go together")
        if self.aws_session_token is not None and not keyed:
            raise ValueError("storage.aws_session_token needs storage.aws_access_key_id")
        if self.profile_name is not None and keyed:
            raise ValueError("storage.profile_name and storage.aws_access_key_id exclude each other")
        if self.sse_kms_key_id is not None and not (self.server_side_encryption or "").startswith("aws:kms"):
            raise ValueError("storage.sse_kms_key_id needs storage.server_side_encryption = aws:kms")
        if self.use_accelerate_endpoint and (self.endpoint_url or self.addressing_style == "path"):
            raise ValueError(
                "storage.use_accelerate_endpoint excludes storage.endpoint_url and storage.addressing_style = path"
            )
        if self.public_url and not self.redirect_urls:
            raise ValueError("storage.public_url needs storage.redirect_urls = true")
        return self
