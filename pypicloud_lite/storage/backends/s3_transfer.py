"""Large bodies to and from the bucket, a piece at a time and each piece checked."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from pypicloud_lite.kernel.digests import digests_of
from pypicloud_lite.kernel.errors import PpcError, StorageUnavailable
from pypicloud_lite.kernel.names import StorageKey, shown
from pypicloud_lite.storage.port import CHUNK, BlobNotFound, DigestMismatch

if TYPE_CHECKING:
    from pypicloud_lite.storage.backends.s3_client import Connection
    from pypicloud_lite.storage.spool import FileSpool

SINGLE_LIMIT = 32 * 1024 * 1024
"""The largest body sent by one request."""
_PART = 16 * 1024 * 1024
_MOST_PARTS = 10_000
COPY_LIMIT = 1024 * 1024 * 1024
"""The most that one request copies: it could take five times that, and would answer too late."""

_log = logging.getLogger(__name__)


class Uploads:
    """Sends whole blobs: ``target`` is the bucket, ``options`` what every new object gets."""

    def __init__(self, connection: Connection, bucket: str, options: Mapping[str, str]) -> None:
        self._connection = connection
        self._bucket = bucket
        self._options = dict(options)

    def document(self, key: StorageKey, name: str, data: bytes) -> None:
        """Send bytes at hand, replacing what is there."""
        digests = digests_of(data)
        with self._connection.asking(f"write {shown(key.value)}") as client:
            client.put_object(
                Bucket=self._bucket,
                Key=name,
                Body=data,
                **self._sums(digests.sha256, digests.md5),
                **self._extra(),
            )

    def blob(self, key: StorageKey, name: str, spool: FileSpool) -> None:
        """Send a spool under a name that is free."""
        if spool.size <= SINGLE_LIMIT:
            self._whole(key, name, spool)
        else:
            self._in_parts(key, name, spool)

    def copy(self, source: StorageKey, source_name: str, target: StorageKey, target_name: str, size: int) -> None:
        """Have the bucket copy an object of ``size`` bytes to a name that is free."""
        origin: Any = {"Bucket": self._bucket, "Key": source_name}
        if size > COPY_LIMIT:
            self._verify_source(source, source_name, size)
            with self._multipart(target, target_name) as upload:
                parts = list(self._copied_parts(source, origin, target_name, upload, size))
                answer = self._complete(target, target_name, upload, parts)
                self._verify(target, target_name, size, ours=answer is not None)
            return
        with self._connection.asking(f"copy {shown(source.value)}", source) as client:

            def send(**condition: Any) -> Mapping[str, Any]:
                # The new object has what is configured, and nothing that somebody told of the old one.
                return client.copy_object(
                    Bucket=self._bucket,
                    Key=target_name,
                    CopySource=origin,
                    MetadataDirective="REPLACE",
                    **self._extra(),
                    **condition,
                )

            # Older clients have no such condition.
            shape: Any = client.meta.service_model.operation_model("CopyObject").input_shape
            knows = "IfNoneMatch" in shape.members
            answer = _if_absent(target, send) if knows else send()
        self._verify(target, target_name, size, ours=answer is not None)

    def _copied_parts(
        self, source: StorageKey, origin: Any, name: str, upload: str, size: int
    ) -> Iterator[dict[str, Any]]:
        for number, start in enumerate(range(0, size, COPY_LIMIT), 1):
            span = f"bytes={start}-{min(start + COPY_LIMIT, size) - 1}"
            with self._connection.asking(f"copy part {number} of {shown(source.value)}", source) as client:
                answer = client.upload_part_copy(
                    Bucket=self._bucket,
                    Key=name,
                    UploadId=upload,
                    PartNumber=number,
                    CopySource=origin,
                    CopySourceRange=span,
                )
            yield {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}

    def _verify_source(self, source: StorageKey, name: str, size: int) -> None:
        with self._connection.asking(f"look at {shown(source.value)}", source) as client:
            found = client.head_object(Bucket=self._bucket, Key=name).get("ContentLength")
        if found != size:
            raise DigestMismatch(f"{shown(source.value)} has {found} bytes and should have {size}: nothing was copied")

    def _extra(self) -> Any:
        return self._options

    @staticmethod
    def _sums(sha256: str, md5: str) -> Any:
        # Content-MD5 is understood by every server, the other by those that keep it for later.
        return {"ChecksumSHA256": _base64(sha256), "ContentMD5": _base64(md5)}

    def _whole(self, key: StorageKey, name: str, spool: FileSpool) -> None:
        digests = spool.digests
        with self._connection.asking(f"write {shown(key.value)}") as client:

            def send(**condition: Any) -> Mapping[str, Any]:
                body: Any = spool.section(0, spool.size, self._connection.progress)
                return client.put_object(
                    Bucket=self._bucket,
                    Key=name,
                    Body=body,
                    **self._sums(digests.sha256, digests.md5),
                    **self._extra(),
                    **condition,
                )

            answer = _if_absent(key, send)
        if answer is not None and answer.get("ChecksumSHA256") == _base64(digests.sha256):
            return
        if answer is not None and str(answer.get("ETag", "")).strip('"') == digests.md5:
            return
        self._verify(key, name, spool.size, ours=answer is not None)

    def _in_parts(self, key: StorageKey, name: str, spool: FileSpool) -> None:
        with self._multipart(key, name, ChecksumAlgorithm="SHA256") as upload:
            parts = list(self._parts(key, name, upload, spool))
            answer = self._complete(key, name, upload, parts)
            self._verify(key, name, spool.size, ours=answer is not None)

    @contextlib.contextmanager
    def _multipart(self, key: StorageKey, name: str, **options: Any) -> Iterator[str]:
        """Begin an upload in parts, which is given up where it is left by an exception."""
        with self._connection.asking(f"begin to write {shown(key.value)}") as client:
            answer = client.create_multipart_upload(Bucket=self._bucket, Key=name, **options, **self._extra())
            upload: str = answer["UploadId"]
        try:
            yield upload
        except BaseException:
            self._abort(name, upload)
            raise

    def _parts(self, key: StorageKey, name: str, upload: str, spool: FileSpool) -> Iterator[dict[str, Any]]:
        length = max(_PART, -(-spool.size // _MOST_PARTS))
        for number, start in enumerate(range(0, spool.size, length), 1):
            part = min(length, spool.size - start)
            sums = self._sums(*_part_digests(spool, start, part))
            with self._connection.asking(f"write part {number} of {shown(key.value)}") as client:
                body: Any = spool.section(start, part, self._connection.progress)
                answer = client.upload_part(
                    Bucket=self._bucket, Key=name, UploadId=upload, PartNumber=number, Body=body, **sums
                )
            known = {"ChecksumSHA256": sums["ChecksumSHA256"]} if answer.get("ChecksumSHA256") else {}
            yield {"PartNumber": number, "ETag": answer["ETag"], **known}

    def _complete(self, key: StorageKey, name: str, upload: str, parts: list[Any]) -> Mapping[str, Any] | None:
        with self._connection.asking(f"complete {shown(key.value)}") as client:

            def send(**condition: Any) -> Mapping[str, Any] | None:
                try:
                    return client.complete_multipart_upload(
                        Bucket=self._bucket,
                        Key=name,
                        UploadId=upload,
                        MultipartUpload={"Parts": parts},
                        **condition,
                    )
                except ClientError as error:
                    # The answer to an earlier attempt got lost: the upload is gone because it is complete.
                    if _code(error) == "NoSuchUpload" and _repeated(error):
                        return None
                    raise

            return _if_absent(key, send)

    def _abort(self, name: str, upload: str) -> None:
        """Give up an upload, unless the bucket was just seen not to answer at all: then it is swept later."""
        if self._connection.exhausted:
            _log.warning("An unfinished upload is left in the bucket, to be swept")
            return
        with (
            contextlib.suppress(PpcError),
            self._connection.asking("abort an upload", continuing=True) as client,
        ):
            client.abort_multipart_upload(Bucket=self._bucket, Key=name, UploadId=upload)

    def _verify(self, key: StorageKey, name: str, size: int, *, ours: bool) -> None:
        """Ask for the size; ``ours``: what lies there was certainly written by us, and may be removed."""
        found: int | None = None
        with (
            contextlib.suppress(BlobNotFound),
            self._connection.asking(f"verify {shown(key.value)}", key) as client,
        ):
            found = client.head_object(Bucket=self._bucket, Key=name).get("ContentLength")
        if found == size:
            return
        if found is not None and not ours:
            raise FileExistsError(f"{shown(key.value)} exists already")
        if found is not None:
            with self._connection.asking(f"remove {shown(key.value)}") as client:
                client.delete_object(Bucket=self._bucket, Key=name)
        raise DigestMismatch(
            f"{shown(key.value)}: {size} bytes were sent to the bucket, {found or 0} arrived: send it again"
        )


def _if_absent(key: StorageKey, send: Callable[..., Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    """Send on the condition that nothing is there; without it where the server has no such condition.

    None: an earlier attempt, whose answer got lost, most likely did it; what is there has to be looked at.
    """
    try:
        return send(IfNoneMatch="*")
    except ClientError as error:
        if _code(error) == "NotImplemented":
            return send()
        if _code(error) not in {"PreconditionFailed", "ConditionalRequestConflict", "412"}:
            raise
        if _repeated(error):
            return None
        raise FileExistsError(f"{shown(key.value)} exists already") from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _repeated(error: ClientError) -> bool:
    return bool(error.response.get("ResponseMetadata", {}).get("RetryAttempts"))


def _base64(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode("ascii")


def _part_digests(spool: FileSpool, start: int, length: int) -> tuple[str, str]:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    section = spool.section(start, length)
    while chunk := section.read(CHUNK):
        sha256.update(chunk)
        md5.update(chunk)
    return sha256.hexdigest(), md5.hexdigest()


class S3Reader:
    """A :class:`~pypicloud_lite.storage.port.BlobReader` on the answer to a GET."""

    def __init__(self, key: StorageKey, body: Any, size: int, length: int) -> None:
        self.size = size
        self._key = key
        self._body = body
        self._length = length

    def __iter__(self) -> Iterator[bytes]:
        rest = self._length
        while rest:
            try:
                chunk = self._body.read(min(CHUNK, rest))
            except (BotoCoreError, HTTPError, OSError) as error:
                raise StorageUnavailable(
                    f"The bucket broke off in {shown(self._key.value)} ({type(error).__name__})"
                ) from error
            if not chunk:
                raise StorageUnavailable(f"{shown(self._key.value)}: the bucket sent {rest} bytes too few")
            rest -= len(chunk)
            yield chunk

    def close(self) -> None:
        """Give the connection back; harmless when repeated."""
        self._body.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
