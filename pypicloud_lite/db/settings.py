"""The ``db.*`` keys: where the catalog lies and how its connections are pooled."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from pypicloud_lite.db.dialects import parse_url
from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.settings.declare import Settings


class DatabaseSettings(Settings):
    """pypicloud's ``db.*`` keys; engine options go to SQLAlchemy under the same names."""

    url: SecretStr = Field(
        alias="db.url",
        description="Database of the catalog: sqlite:////path/file.sqlite, postgresql://user:password@host/name or "
        "mysql://user:password@host/name",
    )
    migrate: Literal["auto", "check"] = Field(
        "auto",
        alias="db.migrate",
        description="auto: apply pending migrations at start, under a lock; check: refuse to start without them",
    )
    poolclass: Literal["QueuePool", "NullPool"] = Field(
        "QueuePool",
        alias="db.poolclass",
        description="SQLAlchemy's pool: QueuePool, or NullPool to open a connection for each scope",
    )
    pool_size: int = Field(10, ge=1, alias="db.pool_size", description="Connections kept open by each worker process")
    max_overflow: int = Field(
        10, ge=-1, alias="db.max_overflow", description="Connections opened beyond pool_size under load"
    )
    pool_recycle: int = Field(
        1800, ge=-1, alias="db.pool_recycle", description="Seconds after which a connection is opened anew; -1: never"
    )
    pool_timeout: float = Field(
        5.0, gt=0, alias="db.pool_timeout", description="Seconds to wait for a free connection before answering 503"
    )
    pool_pre_ping: bool = Field(
        False, alias="db.pool_pre_ping", description="Test each connection before use, at the cost of a round trip"
    )
    pool_use_lifo: bool = Field(
        True, alias="db.pool_use_lifo", description="Use the connection that was returned last, so that idle ones end"
    )
    query_cache_size: int = Field(
        500, ge=0, alias="db.query_cache_size", description="How many compiled statements are kept"
    )
    echo: bool = Field(False, alias="db.echo", description="Log every statement (without its values)")
    echo_pool: bool = Field(False, alias="db.echo_pool", description="Log what the connection pool does")

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: SecretStr) -> SecretStr:
        try:
            parse_url(value.get_secret_value())
        except ConfigError as error:
            raise ValueError(error.message) from None
        return value

    @field_validator("poolclass", mode="before")
    @classmethod
    def _last_word(cls, value: Any) -> Any:
        # pypicloud takes a dotted path here.
        return value.rpartition(".")[2] if isinstance(value, str) else value
