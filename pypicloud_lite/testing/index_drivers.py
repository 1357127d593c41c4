"""Three ways to do what ``index_scenarios`` tells: devpi's dialect through WebTest, the REST API over HTTP, the client.

The people are users of the server: ``ann`` and ``bob``, with the passwords ``ann-pw`` and ``bob-pw``.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import urllib3

from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.testing.artifacts import BuiltArtifact
from pypicloud_lite.testing.world import JSON, basic

PEOPLE = ("ann", "bob")
_OK = 300


def password_of(who: str) -> str:
    """Of one of the people."""
    return f"{who}-pw"


def people_settings() -> dict[str, str]:
    """Settings that make them users, and nobody an uploader of the default index."""
    users = {f"user.{who}": hash_password(password_of(who), "pbkdf2_sha256", 1000) for who in PEOPLE}
    return {**users, "pypi.default_read": "authenticated", "pypi.cache_update": "authenticated"}


Call = Callable[[str, str, str, bytes, Mapping[str, str]], tuple[int, bytes]]
"""Who, method, path, body, headers; status and body."""


def _form(artifact: BuiltArtifact) -> tuple[bytes, str]:
    name, version = artifact.filename.removesuffix(".tar.gz").split("-")[:2]
    fields: dict[str, Any] = {":action": "file_upload", "protocol_version": "1", "name": name, "version": version}
    fields["content"] = (artifact.filename, artifact.data, "application/octet-stream")
    body, kind = urllib3.encode_multipart_formdata(fields)
    return body, kind


class _OverHttp:
    """What the first two share: a call is an address, a method, a body."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def _done(self, who: str, method: str, path: str, document: object = None) -> bool:
        return self._ask(who, method, path, document)[0] < _OK

    def _ask(self, who: str, method: str, path: str, document: object = None) -> tuple[int, Any]:
        headers = {"Accept": "application/json", "Authorization": basic(who, password_of(who))}
        body = b""
        if document is not None:
            headers["Content-Type"], body = "application/json", json.dumps(document).encode()
        status, answer = self._call(who, method, path, body, headers)
        return status, json.loads(answer) if answer else None

    def upload(self, who: str, index: str, artifact: BuiltArtifact) -> bool:
        """The form that every client sends."""
        body, kind = _form(artifact)
        headers = {"Content-Type": kind, "Authorization": basic(who, password_of(who))}
        return self._call(who, "POST", f"/{index}/", body, headers)[0] < _OK

    def files(self, who: str, index: str, project: str) -> set[str]:
        """As installers see them."""
        headers = {"Accept": JSON, "Authorization": basic(who, password_of(who))}
        status, body = self._call(who, "GET", f"/{index}/+simple/{project}/", b"", headers)
        return {one["filename"] for one in json.loads(body)["files"]} if status < _OK else set()


class DevpiCalls(_OverHttp):
    """devpi's dialect, call by call."""

    def create(self, who: str, index: str, **options: str) -> bool:
        """``PUT``."""
        return self._done(who, "PUT", f"/{index}", options)

    def modify(self, who: str, index: str, *changes: str) -> bool:
        """``PATCH``."""
        return self._done(who, "PATCH", f"/{index}", list(changes))

    def delete(self, who: str, index: str) -> bool:
        """``DELETE``."""
        return self._done(who, "DELETE", f"/{index}")

    def options(self, who: str, index: str) -> Mapping[str, object]:
        """``GET``."""
        status, answer = self._ask(who, "GET", f"/{index}?no_projects=")
        return answer["result"] if status < _OK else {}

    def push(self, who: str, source: str, project: str, version: str, target: str) -> bool:
        """``PUSH``."""
        wanted = {"name": project, "version": version, "targetindex": target}
        return self._done(who, "PUSH", f"/{source}", wanted)

    def remove(self, who: str, index: str, project: str, version: str) -> bool:
        """``DELETE`` of a release."""
        return self._done(who, "DELETE", f"/{index}/{project}/{version}")


class RestCalls(_OverHttp):
    """The REST API."""

    def create(self, who: str, index: str, **options: str) -> bool:
        """``PUT /api/index/``."""
        return self._done(who, "PUT", f"/api/index/{index}", options)

    def modify(self, who: str, index: str, *changes: str) -> bool:
        """``PATCH /api/index/``, of whole lists."""
        now = self.options(who, index)
        options: dict[str, Any] = {}
        for change in changes:
            key, _, value = change.partition("=")
            name = key.rstrip("+-")
            have = now.get(name)
            if key[-1] == "+" and isinstance(have, list):
                options[name] = [*have, *value.split(",")]
            elif key[-1] == "-" and isinstance(have, list):
                options[name] = [one for one in have if one not in value.split(",")]
            else:
                options[name] = value.split(",") if isinstance(have, list) and value else value or None
        return self._done(who, "PATCH", f"/api/index/{index}", options)

    def delete(self, who: str, index: str) -> bool:
        """``DELETE /api/index/``."""
        return self._done(who, "DELETE", f"/api/index/{index}")

    def options(self, who: str, index: str) -> Mapping[str, object]:
        """``GET /api/index/``."""
        status, answer = self._ask(who, "GET", f"/api/index/{index}")
        return answer["options"] if status < _OK else {}

    def push(self, who: str, source: str, project: str, version: str, target: str) -> bool:
        """``POST /api/promote``."""
        wanted = {"source": source, "target": target, "project": project, "version": version}
        return self._done(who, "POST", "/api/promote", wanted)

    def remove(self, who: str, index: str, project: str, version: str) -> bool:
        """``DELETE`` of a release of an index."""
        return self._done(who, "DELETE", f"/api/index/{index}/package/{project}/version/{version}")


class DevpiClient:
    """The real client, a folder of its own for each of the people, each logged in."""

    def __init__(self, program: Path, url: str, folder: Path, environ: Mapping[str, str]) -> None:
        self._program = program
        self._folder = folder
        self._environ = environ
        for who in PEOPLE:
            self.run(who, "use", url)
            self.run(who, "login", who, "--password", password_of(who))

    def run(self, who: str, *arguments: str) -> tuple[int, str]:
        """One command: its exit status, and what it printed."""
        command = [str(self._program), arguments[0], "--clientdir", str(self._folder / who), *arguments[1:]]
        done = subprocess.run(
            command,
            env=dict(self._environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def _done(self, who: str, *arguments: str) -> bool:
        return self.run(who, *arguments)[0] == 0

    def create(self, who: str, index: str, **options: str) -> bool:
        """``devpi index -c``."""
        return self._done(who, "index", "-c", index, *(f"{key}={value}" for key, value in options.items()))

    def modify(self, who: str, index: str, *changes: str) -> bool:
        """``devpi index``."""
        return self._done(who, "index", index, *changes)

    def delete(self, who: str, index: str) -> bool:
        """``devpi index --delete``."""
        return self._done(who, "index", "-y", "--delete", index)

    def options(self, who: str, index: str) -> Mapping[str, object]:
        """``devpi getjson``."""
        status, text = self.run(who, "getjson", f"/{index}")
        found: Mapping[str, object] = json.loads(text)["result"] if status == 0 else {}
        return found

    def upload(self, who: str, index: str, artifact: BuiltArtifact) -> bool:
        """``devpi upload`` of a file."""
        file = self._folder / "dist" / artifact.sha256[:8] / artifact.filename
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(artifact.data)
        return self._done(who, "upload", "--index", index, str(file))

    def files(self, who: str, index: str, project: str) -> set[str]:
        """``devpi list``."""
        status, text = self.run(who, "list", "--index", index, "--all", project)
        return set(re.findall(r"\S+/([^/\s]+\.(?:whl|tar\.gz))(?=[#\s])", text)) if status == 0 else set()

    def push(self, who: str, source: str, project: str, version: str, target: str) -> bool:
        """``devpi push``."""
        return self._done(who, "push", "--index", source, f"{project}=={version}", target)

    def remove(self, who: str, index: str, project: str, version: str) -> bool:
        """``devpi remove``."""
        return self._done(who, "remove", "-y", "--index", index, f"{project}=={version}")
