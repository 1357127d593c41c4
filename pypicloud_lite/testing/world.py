"""A small index with its users, wired for real, and called through WSGI: what functional tests stand on."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from json import dumps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from webtest import TestApp, TestResponse

from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.app import make_app
from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.migrate import upgrade
from pypicloud_lite.db.settings import DatabaseSettings
from pypicloud_lite.kernel.clock import Clock, system_clock
from pypicloud_lite.settings.load import Loaded
from pypicloud_lite.testing.artifacts import BuiltArtifact
from pypicloud_lite.testing.databases import open_database
from pypicloud_lite.wiring import Services, build, load_raw, prepare

PASSWORDS = {"admin": "admin-pw", "writer": "writer-pw", "reader": "reader-pw", "outsider": "outsider-pw"}
JSON = "application/vnd.pypi.simple.v1+json"


def user_settings() -> dict[str, str]:
    """An admin, a writer, a reader and an outsider, with hashes that cost next to nothing."""
    users = {f"user.{name}": hash_password(password, "pbkdf2_sha256", 1000) for name, password in PASSWORDS.items()}
    return {
        **users,
        "auth.admins": "admin",
        "group.developers": "writer",
        "group.staff": "writer reader",
        "pypi.default_read": "staff",
        "pypi.default_write": "developers",
        "pypi.allow_overwrite_groups": "nobody",
        "pypi.allow_delete_groups": "developers",
    }


def basic(username: str, password: str | None = None) -> str:
    """The value of an ``Authorization`` header."""
    secret = PASSWORDS[username] if password is None else password
    return "Basic " + base64.b64encode(f"{username}:{secret}".encode()).decode()


def _copy_schema(settings: Loaded) -> None:
    """Begin with a copy of a migrated SQLite file, where the file is not there yet: a tenth of a second less each."""
    path = Database(settings.get(DatabaseSettings)).path
    if path is not None and not Path(path).exists():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch(mode=0o600)
        Path(path).write_bytes(_schema())


@cache
def _schema() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder, "empty.sqlite")
        database = open_database(f"sqlite:///{file}")
        upgrade(database)
        database.dispose()
        return file.read_bytes()


class MovingClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        """Move it on, by what ``timedelta`` takes."""
        self.now += timedelta(**by)


class World:
    """``app`` is a WebTest application over the services of ``settings``."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None, clock: Clock = system_clock) -> None:
        raw = {**user_settings(), **(settings or {})}
        self.loaded = load_raw({name: text for name, text in raw.items() if text is not None}, folder, {})
        _copy_schema(self.loaded)
        prepare(self.loaded)
        self.services: Services = build(self.loaded, clock)
        self.app = TestApp(make_app(self.services), extra_environ={"REMOTE_ADDR": "192.0.2.1"})

    def close(self) -> None:
        """Give the connections back, and end what renders."""
        self.services.database.dispose()
        self.services.readmes.close()

    def get(self, path: str, user: str | None = "reader", status: Any = None, **headers: str) -> TestResponse:
        """GET as a user (None: anonymous); header names with ``_`` for ``-``."""
        return self.app.get(path, headers=self._headers(user, headers), status=status)

    def head(self, path: str, user: str | None = "reader", status: Any = None, **headers: str) -> TestResponse:
        """HEAD as a user."""
        return self.app.head(path, headers=self._headers(user, headers), status=status)

    def delete(self, path: str, user: str | None = "writer", status: Any = None) -> TestResponse:
        """DELETE as a user."""
        return self.app.delete(path, headers=self._headers(user, {}), status=status)

    def send(
        self,
        method: str,
        path: str,
        user: str | None = "writer",
        status: Any = 200,
        json: object = None,
        **headers: str,
    ) -> TestResponse:
        """Any method, with a JSON body where one is given."""
        sent = self._headers(user, headers)
        body = b""
        if json is not None:
            sent["Content-Type"] = "application/json"
            body = dumps(json).encode()
        answer: TestResponse = self.app.request(path, method=method, headers=sent, body=body, status=status)
        return answer

    def upload(
        self,
        artifact: BuiltArtifact,
        user: str | None = "writer",
        status: Any = 200,
        path: str = "/",
        signature: bytes | None = None,
        accept: str | None = None,
        **fields: str | None,
    ) -> TestResponse:
        """Post the legacy form as twine does; a field given as None is left out."""
        name, version = artifact.filename.split("-")[:2]
        form: dict[str, str | None] = {
            ":action": "file_upload",
            "protocol_version": "1",
            "metadata_version": "2.1",
            "name": name,
            "version": version.removesuffix(".tar.gz").removesuffix(".zip"),
            **fields,
        }
        files = [("content", artifact.filename, artifact.data)]
        if signature is not None:
            files.append(("gpg_signature", artifact.filename + ".asc", signature))
        headers = self._headers(user, {"Accept": accept} if accept else {})
        return self.app.post(
            path,
            params=[(key, value) for key, value in form.items() if value is not None],
            upload_files=files,
            headers=headers,
            status=status,
        )

    def project(self, name: str, user: str | None = "reader") -> dict[str, Any]:
        """The project's JSON page."""
        page: dict[str, Any] = self.get(f"/simple/{name}/", user, 200, Accept=JSON).json
        return page

    def _headers(self, user: str | None, headers: Mapping[str, str]) -> dict[str, str]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if user is not None:
            sent["Authorization"] = basic(user)
        return sent
