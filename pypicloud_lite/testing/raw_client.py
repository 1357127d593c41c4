"""A client with nothing between it and the wire: one connection, no retries, every answer as it came."""

from __future__ import annotations

import http.client
import json
import secrets
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urljoin

from pypicloud_lite.testing.artifacts import BuiltArtifact
from pypicloud_lite.testing.world import JSON, basic


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; ``headers`` has lower-case names."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes


class RawClient:
    """One user on one connection to a server on the loopback interface; not for several threads at once.

    An exception of ``http.client`` or of the socket means that no answer came; the next request connects anew.
    """

    def __init__(self, port: int, user: str, timeout: float = 60) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self._authorization = basic(user)

    def request(
        self, method: str, path: str, body: bytes | None = None, content_type: str | None = None, accept: str = "*/*"
    ) -> Answer:
        """Send one request and read its answer to the end."""
        headers = {"Authorization": self._authorization, "Accept": accept}
        if content_type is not None:
            headers["Content-Type"] = content_type
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            received = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, response.reason, received, response.read())
        except BaseException:
            self._connection.close()
            raise

    def upload(self, artifact: BuiltArtifact) -> Answer:
        """Post the legacy form."""
        body, content_type = upload_form(artifact)
        return self.request("POST", "/", body, content_type)

    def delete(self, project: str, filename: str) -> Answer:
        """Delete one file."""
        return self.request("DELETE", f"/api/package/{project}/{filename}")

    def page(self, project: str) -> Answer:
        """The project's JSON page."""
        return self.request("GET", f"/simple/{project}/", accept=JSON)

    def listed(self, project: str) -> dict[str, dict[str, Any]]:
        """The files of a project by name, each with its absolute path as ``url``; {} where there is no page."""
        answer = self.page(project)
        if answer.status == http.HTTPStatus.NOT_FOUND:
            return {}
        if answer.status != http.HTTPStatus.OK:
            raise AssertionError(f"the page of {project} answers {answer.status} {answer.reason}")
        files = json.loads(answer.body)["files"]
        return {file["filename"]: {**file, "url": urljoin(f"/simple/{project}/", file["url"])} for file in files}

    def download(self, path: str) -> Answer:
        """Fetch a file by the path that a page gave."""
        return self.request("GET", path)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def form_edges(filename: str) -> tuple[bytes, bytes, str]:
    """What comes before and after a file's bytes in the legacy form, and the form's content type."""
    boundary = secrets.token_hex(16)
    fields = {":action": "file_upload", "protocol_version": "1"}
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    head += (
        f'--{boundary}\r\nContent-Disposition: form-data; name="content"; filename="{filename}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return head.encode(), f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def upload_form(artifact: BuiltArtifact) -> tuple[bytes, str]:
    """The legacy form for a distribution: its body and content type."""
    head, tail, content_type = form_edges(artifact.filename)
    return head + artifact.data + tail, content_type
