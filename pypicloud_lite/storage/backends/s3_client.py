"""One connection pool to the bucket per process: credentials, bounded retries, and errors translated."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from urllib3.exceptions import HTTPError

from pypicloud_lite.kernel.errors import InsufficientStorage, PpcError, StorageUnavailable
from pypicloud_lite.kernel.names import StorageKey, shown
from pypicloud_lite.storage.port import BlobNotFound, DigestMismatch

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from pypicloud_lite.storage.backends.s3_settings import S3Settings

_ATTEMPTS = 4
_PATIENCE = 25.0  # seconds for which one call may wait without progress, all its attempts together
_MISSING = frozenset({"NoSuchKey", "NotFound", "404"})
_CORRUPT = frozenset(
    {
        "BadDigest",
        "InvalidDigest",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
        "IncompleteBody",
    }
)
_FULL = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage"})
_INSUFFICIENT_STORAGE = 507


class _OutOfPatienceError(BotoCoreError):
    fmt = "No answer within {seconds} s"


class _Patience(threading.local):
    """Counts the time that the current call waits; time in which its body moves does not count."""

    def __init__(self, longest_attempt: float) -> None:
        self._allowed = max(0.0, _PATIENCE - longest_attempt)
        self._mark = self._waited = 0.0
        self.begin()

    def begin(self, *, continuing: bool = False) -> None:
        now = time.monotonic()
        self._waited = self._waited + now - self._mark if continuing else 0.0
        self._mark = now
        self._attempts = 0

    def progress(self) -> None:
        self._mark = time.monotonic()

    def attempt(self, **_event: Any) -> None:
        """Before each attempt: refuse one that could end too late. The first is always made."""
        now = time.monotonic()
        if self._attempts:
            self._waited += now - self._mark
        self._mark = now
        self._attempts += 1
        if self._attempts > 1 and self._waited > self._allowed:
            raise _OutOfPatienceError(seconds=round(self._waited))

    @property
    def exhausted(self) -> bool:
        """Whether one more attempt, of anything, could end too late."""
        return self._waited + time.monotonic() - self._mark > self._allowed


@dataclass(frozen=True, slots=True)
class _Clients:
    pid: int
    signed: S3Client
    unsigned: S3Client
    session: botocore.session.Session


class _AssumedRole(CredentialProvider):
    """The role named in the settings, assumed when first needed and again before it expires."""

    METHOD = "assume-role"

    def __init__(self, fetch: Callable[[], Any]) -> None:
        super().__init__()
        self._fetch = fetch

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(refresh_using=self._fetch, method=self.METHOD)


class Connection:
    """What every request to the bucket goes through; safe among threads and after a fork."""

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        self._patience = _Patience(settings.connect_timeout + settings.read_timeout)
        self._lock = threading.Lock()
        self._clients: _Clients | None = None

    @property
    def client(self) -> S3Client:
        """The client that signs."""
        return self._current().signed

    def begin(self) -> S3Client:
        """The same, with all its patience: for calls whose errors the caller translates."""
        self._patience.begin()
        return self.client

    @property
    def anonymous(self) -> S3Client:
        """The same without a signature, for building URLs."""
        return self._current().unsigned

    def credentials(self) -> Any:
        """A consistent snapshot of the credentials (``botocore.credentials.ReadOnlyCredentials``).

        Costs a request when they come from a role and are about to expire.
        """
        credentials = self._current().session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        return credentials.get_frozen_credentials()

    @property
    def region(self) -> str:
        """The region that signatures name."""
        region = self.client.meta.region_name
        return "us-east-1" if not region or region == "aws-global" else region

    def progress(self) -> None:
        """Note that the body of the current call moves."""
        self._patience.progress()

    @property
    def exhausted(self) -> bool:
        """Whether the last call of this thread waited so long that another could take too long."""
        return self._patience.exhausted

    @contextlib.contextmanager
    def asking(self, doing: str, key: StorageKey | None = None, *, continuing: bool = False) -> Iterator[S3Client]:
        """One call to the bucket: ``doing`` is a verb phrase for messages, and errors come out translated.

        ``continuing``: the time that the call before it waited counts against this one too.
        """
        try:
            self._patience.begin(continuing=continuing)
            yield self.client
        except ClientError as error:
            raise self._refusal(error, doing, key) from error
        except (BotoCoreError, HTTPError, OSError) as error:
            if isinstance(error, FileExistsError):
                raise
            raise StorageUnavailable(
                f"The bucket {self._settings.bucket} did not answer ({type(error).__name__}): cannot {doing}"
            ) from error

    def _refusal(self, error: ClientError, doing: str, key: StorageKey | None) -> PpcError:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if key is not None and code in _MISSING:
            return BlobNotFound(f"The bucket {self._settings.bucket} holds nothing at {shown(key.value)}")
        if code in _CORRUPT:
            return DigestMismatch(f"Bytes were changed on their way to the bucket ({code}): send the file again")
        text = f"The bucket {self._settings.bucket} answered {shown(code)} (status {status}): cannot {doing}"
        if code in _FULL or status == _INSUFFICIENT_STORAGE:
            return InsufficientStorage(text)
        return StorageUnavailable(text)

    def _current(self) -> _Clients:
        clients = self._clients
        if clients is None or clients.pid != os.getpid():
            with self._lock:
                clients = self._clients
                if clients is None or clients.pid != os.getpid():
                    clients = self._clients = self._connect()
        return clients

    def _connect(self) -> _Clients:
        settings = self._settings
        session = self._session()
        config = self._config()
        connect = boto3.Session(botocore_session=session).client

        def create(config: Config) -> S3Client:
            return connect(
                "s3",
                region_name=settings.region_name,
                endpoint_url=settings.endpoint_url,
                use_ssl=settings.use_ssl,
                verify=settings.verify,
                api_version=settings.api_version,
                config=config,
            )

        signed = create(config)
        signed.meta.events.register("before-send.s3", self._patience.attempt)
        plain = Config(signature_version=UNSIGNED)
        if settings.addressing_style == "auto" and ".amazonaws.com" in signed.meta.endpoint_url:
            # With "auto" botocore builds URLs of the global endpoint, which redirects to other regions: that
            # breaks signatures. "virtual" names the region, and still falls back to paths for odd names.
            s3: Any = {**(config.s3 or {}), "addressing_style": "virtual"}  # type: ignore[attr-defined]  # not in the stubs
            plain = plain.merge(Config(s3=s3))
        unsigned = create(config.merge(plain))
        return _Clients(os.getpid(), signed, unsigned, session)

    def _config(self) -> Config:
        settings = self._settings
        s3: Any = {
            "addressing_style": settings.addressing_style,
            "use_accelerate_endpoint": settings.use_accelerate_endpoint,
        }
        if settings.payload_signing_enabled is not None:
            s3["payload_signing_enabled"] = settings.payload_signing_enabled
        return Config(
            signature_version=settings.signature_version,
            user_agent=settings.user_agent,
            user_agent_extra=settings.user_agent_extra,
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            parameter_validation=settings.parameter_validation,
            max_pool_connections=settings.max_pool_connections,
            proxies=settings.proxies or None,
            tcp_keepalive=True,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            # Our own checksums are sent with every body; the default's trailers are unknown to many servers.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3=s3,
        )

    def _session(self) -> botocore.session.Session:
        settings = self._settings
        source = botocore.session.Session(profile=settings.profile_name)
        if settings.aws_access_key_id is not None and settings.aws_secret_access_key is not None:
            token = settings.aws_session_token
            source.set_credentials(
                settings.aws_access_key_id.get_secret_value(),
                settings.aws_secret_access_key.get_secret_value(),
                token.get_secret_value() if token is not None else None,
            )
        if settings.role_arn is None:
            return source
        credentials = source.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        timeouts = Config(
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            proxies=settings.proxies or None,
        )
        fetcher = AssumeRoleCredentialFetcher(
            functools.partial(source.create_client, region_name=settings.region_name, config=timeouts),
            credentials,
            settings.role_arn,
            extra_args={"RoleSessionName": "pypicloud-lite"},
        )
        acting = botocore.session.Session(profile=settings.profile_name)
        acting.register_component("credential_provider", CredentialResolver([_AssumedRole(fetcher.fetch_credentials)]))
        return acting
