"""Blobs as objects in a bucket: the storage. Needs boto3."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pypicloud_lite.kernel.clock import Clock, system_clock
from pypicloud_lite.kernel.errors import ConfigError, InsufficientStorage, InvalidName, StorageUnavailable
from pypicloud_lite.kernel.names import StorageKey, shown
from pypicloud_lite.storage.backends.s3_client import Connection
from pypicloud_lite.storage.backends.s3_signing import attachment, signed
from pypicloud_lite.storage.backends.s3_transfer import S3Reader, Uploads
from pypicloud_lite.storage.port import BlobInfo, BlobNotFound, BlobTooLarge, Span, Spool
from pypicloud_lite.storage.spool import FileSpool, disk_error

if TYPE_CHECKING:
    from pypicloud_lite.storage.backends.s3_settings import S3Settings

PROBE = ".probe"
"""The key, below the prefix, that :meth:`S3Storage.probe` writes and removes."""

_PAGE = 1000
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_LEAST_FREE = 64 * 1024 * 1024  # of the disk with the spool, which others use too


class S3Storage:
    """A :class:`~pypicloud_lite.storage.port.Storage` in one bucket, below one prefix.

    An object's name is the prefix, as written, and the key. A spool is a nameless local file, gone with its
    process. ``clock`` decides nothing but when a signed URL begins.
    """

    def __init__(self, settings: S3Settings, clock: Clock = system_clock) -> None:
        self._settings = settings
        self._clock = clock
        self._bucket = settings.bucket
        self._connection = Connection(settings)
        self._uploads = Uploads(self._connection, settings.bucket, _object_options(settings))

    def _name(self, key: StorageKey) -> str:
        return self._settings.prefix + key.value

    def spool(self, expected_size: int | None = None) -> Spool:
        """Begin a nameless temporary on local disk."""
        try:
            folder = self._settings.spool_dir or tempfile.gettempdir()
            if expected_size is not None:
                status = os.statvfs(folder)
                if status.f_bavail * status.f_frsize - expected_size < _LEAST_FREE:
                    raise InsufficientStorage(
                        f"{folder} has no room for a temporary file of {expected_size} bytes: free some "
                        "space, or set storage.spool_dir"
                    )
            file: Any = tempfile.TemporaryFile("w+b", buffering=0, dir=folder)  # noqa: SIM115 - the spool closes it
        except OSError as error:
            raise disk_error(error, "begin a temporary file") from error
        return FileSpool(file, lambda: None)

    def put(self, key: StorageKey, spool: Spool) -> None:
        """One request up to 32 MiB, in parts above; verified by checksum, entity tag or size."""
        if not isinstance(spool, FileSpool) or spool.closed:
            raise ValueError("put takes an open spool of this storage")
        _refuse_reserved(key)
        self._uploads.blob(key, self._name(key), spool)
        spool.close()

    def copy(self, source: StorageKey, target: StorageKey, size: int) -> None:
        """By the bucket itself: two requests, or one for each GiB of a large blob."""
        _refuse_reserved(target)
        self._uploads.copy(source, self._name(source), target, self._name(target), size)

    def write(self, key: StorageKey, data: bytes) -> None:
        """One request."""
        _refuse_reserved(key)
        self._uploads.document(key, self._name(key), data)

    def read(self, key: StorageKey, limit: int = 8 * 1024 * 1024) -> bytes:
        """One request."""
        with self.open(key) as reader:
            if reader.size > limit:
                raise BlobTooLarge(f"{shown(key.value)} has {reader.size} bytes, and at most {limit} are read at once")
            return b"".join(reader)

    def open(self, key: StorageKey, span: Span | None = None) -> S3Reader:
        """One request; its connection is held until the reader is closed."""
        wanted: Any = {} if span is None else {"Range": f"bytes={span.start}-{span.stop - 1}"}
        with self._connection.asking(f"read {shown(key.value)}", key) as client:
            try:
                answer = client.get_object(Bucket=self._bucket, Key=self._name(key), **wanted)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") not in {"InvalidRange", "416"}:
                    raise
                answer = None
        if answer is None:
            raise ValueError(f"{shown(key.value)} is not longer than the span's start")
        length = self._length(answer)
        if span is None:
            return S3Reader(key, answer["Body"], length, length)
        found = _CONTENT_RANGE.fullmatch(answer.get("ContentRange", ""))
        if found is None or int(found[1]) != span.start or int(found[2]) + 1 != span.start + length:
            answer["Body"].close()
            raise StorageUnavailable(f"The bucket {self._bucket} did not send the span that was asked for")
        return S3Reader(key, answer["Body"], int(found[3]), length)

    def stat(self, key: StorageKey) -> BlobInfo:
        """One request."""
        with self._connection.asking(f"look at {shown(key.value)}", key) as client:
            answer = client.head_object(Bucket=self._bucket, Key=self._name(key))
        attributes = {name.lower().replace("_", "-"): text for name, text in answer.get("Metadata", {}).items()}
        return BlobInfo(key, self._length(answer), answer["LastModified"], attributes)

    def _length(self, answer: Mapping[str, Any]) -> int:
        if "ContentLength" not in answer:
            raise StorageUnavailable(f"The bucket {self._bucket} did not say how long its answer is")
        return int(answer["ContentLength"])

    def delete(self, key: StorageKey) -> None:
        """One request; a bucket has no folders."""
        with (
            contextlib.suppress(BlobNotFound),
            self._connection.asking(f"delete {shown(key.value)}", key) as client,
        ):
            client.delete_object(Bucket=self._bucket, Key=self._name(key))

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """One request per 1000 keys."""
        start = self._settings.prefix
        position: Any = {}
        while True:
            with self._connection.asking("list the bucket") as client:
                page = client.list_objects_v2(Bucket=self._bucket, Prefix=start + prefix, MaxKeys=_PAGE, **position)
            for entry in page.get("Contents", []):
                with contextlib.suppress(InvalidName):
                    key = StorageKey(entry["Key"].removeprefix(start))
                    if key.value != PROBE:
                        yield BlobInfo(key, entry["Size"], entry["LastModified"])
            if not page.get("IsTruncated"):
                return
            position = {"ContinuationToken": page["NextContinuationToken"]}

    def signed_url(self, key: StorageKey, filename: str) -> str | None:
        """Signed for ``storage.expire_after`` seconds, or plain with ``storage.public_url``.

        None without ``storage.redirect_urls``. The string stays for half of that time, except that a new
        session token changes it too.
        """
        if not self._settings.redirect_urls:
            return None
        asked: dict[str, Any] = {"Bucket": self._bucket, "Key": self._name(key)}
        if not self._settings.public_url:  # S3 refuses anonymous requests that ask for response headers
            asked["ResponseContentDisposition"] = attachment(filename)
        with self._connection.asking(f"sign a URL of {shown(key.value)}"):
            url = self._connection.anonymous.generate_presigned_url("get_object", Params=asked)
            if self._settings.public_url:
                return url
            expires = self._settings.expire_after
            return signed(url, self._connection.credentials(), self._connection.region, self._clock(), expires)

    def accelerated(self, key: StorageKey) -> str | None:  # noqa: ARG002 - the port's signature
        """None: a signed URL does that here."""
        return None

    def probe(self) -> None:
        """Three requests: look at the bucket, write and remove ``.probe`` below the prefix."""
        name = self._settings.prefix + PROBE
        with self._connection.asking("reach it") as client:
            client.head_bucket(Bucket=self._bucket)
        self._uploads.document(StorageKey(PROBE), name, b"probe")
        with self._connection.asking("remove the test object") as client:
            client.delete_object(Bucket=self._bucket, Key=name)

    def prepare(self) -> None:
        """See that the bucket is there and may be used; create it only with ``storage.create_bucket``."""
        folder = self._settings.spool_dir
        if folder is not None and not os.access(folder, os.W_OK | os.X_OK):
            raise ConfigError(f"storage.spool_dir = {folder} is no folder that the server's user may write to")
        try:
            answer = self._connection.begin().head_bucket(Bucket=self._bucket)
        except ClientError as error:
            self._cannot_use(error)
        except (BotoCoreError, ValueError, OSError) as error:
            raise ConfigError(
                f"storage.bucket = {self._bucket} cannot be reached ({type(error).__name__}): check "
                "storage.endpoint_url, storage.region_name and the credentials (storage.aws_access_key_id, "
                "storage.profile_name, storage.role_arn or the machine's own)"
            ) from error
        else:
            self._check_region(answer)

    def _check_region(self, answer: Mapping[str, Any]) -> None:
        region = answer.get("BucketRegion")
        if region and self._settings.endpoint_url is None and region != self._connection.region:
            raise ConfigError(
                f"storage.bucket = {self._bucket} is in the region {region}, not in "
                f"{self._connection.region}: set storage.region_name = {region}"
            )

    def _cannot_use(self, error: ClientError) -> None:
        """Raise what to change, or create the bucket."""
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        told = {
            400: "refuses the request: check storage.region_name and the credentials",
            401: "refuses the credentials: check storage.aws_access_key_id and storage.aws_secret_access_key",
            403: "may not be used with these credentials: check them (storage.aws_access_key_id, "
            "storage.profile_name or storage.role_arn), and "
            "that the policy allows s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject",
            404: "does not exist: check the name, or set storage.create_bucket = true",
        }
        if status == 404 and self._settings.create_bucket:  # noqa: PLR2004 - an HTTP status
            self._create()
            return
        what = told.get(status, f"answers with status {status}")
        raise ConfigError(f"storage.bucket = {self._bucket} {what}") from error

    def _create(self) -> None:
        region = self._connection.region
        where: Any = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self._connection.begin().create_bucket(Bucket=self._bucket, **where)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            if code != "BucketAlreadyOwnedByYou":  # several servers start at once
                raise ConfigError(
                    f"storage.bucket = {self._bucket} cannot be created ({code}): create it by hand, or "
                    "choose another name"
                ) from error
        except BotoCoreError as error:
            raise ConfigError(f"storage.bucket = {self._bucket} cannot be created: no answer") from error

    def sweep(self, older_than: datetime) -> int:
        """Abort multipart uploads below the prefix; one request per page and one per upload."""
        count = 0
        position: Any = {}
        while True:
            with self._connection.asking("list unfinished uploads") as client:
                page = client.list_multipart_uploads(Bucket=self._bucket, Prefix=self._settings.prefix, **position)
            for upload in page.get("Uploads", []):
                if upload["Initiated"] < older_than:
                    with self._connection.asking("abort an unfinished upload") as client:
                        client.abort_multipart_upload(
                            Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                        )
                    count += 1
            if not page.get("IsTruncated"):
                return count
            position = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}


def _object_options(settings: S3Settings) -> dict[str, str]:
    options = {
        "ACL": settings.object_acl,
        "StorageClass": settings.storage_class,
        "ServerSideEncryption": settings.server_side_encryption,
        "SSEKMSKeyId": settings.sse_kms_key_id,
    }
    return {name: value for name, value in options.items() if value is not None}


def _refuse_reserved(key: StorageKey) -> None:
    if key.value == PROBE:
        raise InvalidName(f"The key {PROBE} is kept for the storage's own test")
