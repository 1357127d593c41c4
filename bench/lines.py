"""What is asked for, line by line."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bench.data import upload_form
from bench.load import Connection, Reply, fetch, request
from bench.servers import Resource
from pypicloud_lite.testing.artifacts import BuiltArtifact, build_wheel

LOGIN = {"Authorization": "Basic " + base64.b64encode(b"ci:secret").decode()}
_TOKEN = {"Authorization": "Bearer (a token)"}  # made when the server runs
_PIP_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
_PIP = {"Accept": _PIP_ACCEPT, "Accept-Encoding": "gzip, deflate"}
_HTML = {"Accept": "text/html"}
_DEVPI = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate"}


@dataclass(frozen=True)
class Get:
    """A line of reading; ``path`` may name a file of the index, which is then looked up."""

    name: str
    path: str
    headers: Mapping[str, str]
    again: bool = False  # with the ETag of the first answer

    @property
    def expected(self) -> int:
        return 304 if self.again else 200


GETS = (
    Get("page10", "/simple/ten/", {**LOGIN, **_PIP}),
    Get("page10-anonymous", "/simple/ten/", _PIP),
    Get("page10-token", "/simple/ten/", {**_TOKEN, **_PIP}),
    Get("page10-html", "/simple/ten/", {**LOGIN, **_HTML}),
    Get("page10-304", "/simple/ten/", {**LOGIN, **_PIP}, again=True),
    Get("page10-stack", "/ci/top/+simple/ten/", {**LOGIN, **_PIP}),
    Get("page2000", "/simple/fat/", {**LOGIN, **_PIP}),
    Get("page2000-html", "/simple/fat/", {**LOGIN, **_HTML}),
    Get("page2000-304", "/simple/fat/", {**LOGIN, **_PIP}, again=True),
    Get("mirrored10", "/simple/mirrored/", {**LOGIN, **_PIP}),
    Get("mirrored2000", "/simple/mirrored-fat/", {**LOGIN, **_PIP}),
    Get("mirrored-file", "mirrored", LOGIN),
    Get("list50", "/root/main/list50", {**LOGIN, **_DEVPI}),
    Get("list5000", "/root/main/list5000", {**LOGIN, **_DEVPI}),
    Get("metadata", "small.metadata", LOGIN),
    Get("file-small", "small", LOGIN),
    Get("file-30MB", "big", LOGIN),
)
UPLOADS = {"upload-1": 1, "upload-4": 4, "upload-new": 1, "upload-5000": 1}
"""How many at once."""
SIZES = {"ten": 10, "fat": 2000, "list50": 50, "list5000": 5000, "grown": 5000}
"""Files of the projects that are there before."""
NAMES = (*(line.name for line in GETS), *UPLOADS)
BESIDE = (("page10-stack", "page10"), ("list5000", "list50"), ("upload-5000", "upload-new"))
"""Lines of this server that are compared with another of its own."""


def resources(port: int, addresses: Mapping[str, str]) -> dict[str, Resource]:
    """Every line of reading with what this server answers to it, by name."""
    found, secret = {}, token(port)
    for line in GETS:
        path, headers = addresses.get(line.path, line.path), dict(line.headers)
        if headers.get("Authorization") == _TOKEN["Authorization"]:
            headers["Authorization"] = f"Bearer {secret}"
        reply = fetch(port, path, headers)
        assert reply.status == 200, (line.name, reply.status)
        if line.again:
            headers["If-None-Match"] = reply.headers["etag"]
        found[line.name] = Resource(path, headers, reply)
    return found


def until_kept(port: int, path: str) -> None:
    """Have a file fetched, and wait until it comes from the storage: only then it says that parts can be had."""
    deadline = time.monotonic() + 30
    while "accept-ranges" not in fetch(port, path, LOGIN).headers:
        assert time.monotonic() < deadline, path


def token(port: int) -> str:
    """A new token that reads."""
    body = json.dumps({"name": "bench", "permissions": ["read"]}).encode()
    headers = {**LOGIN, "Content-Type": "application/json"}
    connection = Connection(port)
    status, _, answer, _ = connection.ask(request("POST", "/api/token", headers, body), keep=True)
    connection.close()
    assert status == 201, answer
    return str(json.loads(answer)["token"])


def put(port: int, artifact: BuiltArtifact) -> Reply:
    """Upload one file, unmeasured."""
    headers, body = upload_form(artifact)
    connection = Connection(port)
    status, found, answer, _length = connection.ask(request("POST", "/", {**LOGIN, **headers}, body), keep=True)
    connection.close()
    assert status == 200, answer
    return Reply(status, found, answer)


def uploads(line: str, begin: int, count: int) -> list[bytes]:
    """Requests for so many files that nobody has seen."""
    messages = []
    for number in range(begin, begin + count):
        project = {"upload-new": f"new{number}", "upload-5000": "grown"}.get(line, f"up{number % 50}")
        headers, body = upload_form(build_wheel(project, f"1.{number}", body=b"x" * 2000))
        messages.append(request("POST", "/", {**LOGIN, **headers}, body))
    return messages
