"""Uploading a file to another index, on behalf of somebody who has a login there: the form that every index takes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from urllib3.exceptions import HTTPError

from pypicloud_lite.kernel.errors import UpstreamError, UpstreamNonsense, UpstreamTimedOut, UpstreamUnreachable
from pypicloud_lite.upstream.addresses import Doors, Resolver, resolve
from pypicloud_lite.upstream.connections import Connections
from pypicloud_lite.upstream.deadline import Deadline
from pypicloud_lite.upstream.outgoing import Outgoing, Uploaded
from pypicloud_lite.upstream.settings import Login, Peer
from pypicloud_lite.upstream.targets import Target

_SECONDS = 60.0
_RATE = 64 * 1024
_MOST_ANSWER = 4096
# Nobody's: what the caller names is a place like any other, so it must be public, or named by the operator.
_NOWHERE = Target("http", "nowhere.invalid", 80, "/")


class Uploader:
    """Posts files. Redirects are not followed: what was sent is somebody's password."""

    def __init__(self, peer: Peer, resolver: Resolver = resolve) -> None:
        self._doors = Doors(_NOWHERE, peer.file_hosts, trusts_own=False)
        self._connections = Connections(peer, self._doors, resolver)

    def post(self, url: str, login: Login, file: Outgoing) -> Uploaded:
        """Upload one file; an ``UpstreamError`` where the server cannot be asked, whatever it says is the answer."""
        target = Target.parse(url)
        self._doors.check(target, None)
        boundary = secrets.token_hex(16)
        head, tail = _frame(file, boundary)
        headers = {
            "User-Agent": "pypicloud_lite (a private package index)",
            "Accept": "*/*",
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + file.size + len(tail)),
            **login.headers(),
        }
        deadline = Deadline(_SECONDS, _RATE)
        try:
            response = self._connections.send("POST", target, headers, _body(head, file, tail, deadline), deadline)
            text = response.read(_MOST_ANSWER, decode_content=True).decode("utf-8", "replace")
            response.close()
        except UpstreamError:
            raise
        except TimeoutError as error:
            raise UpstreamTimedOut(f"{target.server} takes too long") from error
        except HTTPError as error:
            # The text of urllib3's errors may hold an address with a query.
            raise UpstreamUnreachable(f"{target.server} gives no whole answer: {type(error).__name__}") from error
        if 300 <= response.status < 400:  # noqa: PLR2004  redirects
            raise UpstreamNonsense(f"{target.server} sends uploads elsewhere: give the address that takes them")
        return Uploaded(response.status, response.reason or text.partition("\n")[0])


def _frame(file: Outgoing, boundary: str) -> tuple[bytes, bytes]:
    part = f"--{boundary}\r\nContent-Disposition: form-data; name="
    parts = [f'{part}"{name}"\r\n\r\n{value}\r\n' for name, value in file.fields]
    parts.append(f'{part}"content"; filename="{file.filename}"\r\nContent-Type: application/octet-stream\r\n\r\n')
    return "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()


def _body(head: bytes, file: Outgoing, tail: bytes, deadline: Deadline) -> Iterator[bytes]:
    yield head
    for chunk in file.chunks:
        yield chunk
        deadline.arrived(len(chunk))
    yield tail
