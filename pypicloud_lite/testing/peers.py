"""Other index servers as people run them: the real pypiserver and the real devpi-server, on free ports.

Both end with the context. ``programs`` is the folder with their commands (``requirements/peers.txt``).
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self, TypeAlias

import urllib3

from pypicloud_lite.testing.artifacts import BuiltArtifact
from pypicloud_lite.testing.live import free_port

_START_SECONDS = 60.0
_Value: TypeAlias = str | bytes | tuple[str, str | bytes] | tuple[str, str | bytes, str]
_USER, _PASSWORD, _INDEX = "ann", "pw-ann", "dev"


class OtherIndex:
    """A server that starts on entering; what it says goes to ``log``."""

    asked: ClassVar[re.Pattern[str]]

    def __init__(self, folder: Path, command: Sequence[str], port: int, simple: str) -> None:
        self.folder = folder
        self.log = folder / "peer.log"
        self.url = f"http://127.0.0.1:{port}"
        self.index = self.url + simple
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait for the first answer."""
        self._process = _begin(self._command, self.log)
        deadline = time.monotonic() + _START_SECONDS
        with urllib3.PoolManager(retries=False, timeout=5) as http:
            while self._process.poll() is None and time.monotonic() < deadline:
                try:
                    http.request("GET", self.url)
                except urllib3.exceptions.HTTPError:
                    time.sleep(0.02)
                else:
                    return
        self.stop()
        raise RuntimeError(f"{self._command[0]} did not start:\n{self.log.read_text('utf-8', 'replace')[-4000:]}")

    def stop(self) -> None:
        """End it at once; what it has stays in the folder."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    @property
    def pid(self) -> int:
        """Its process, which runs."""
        assert self._process is not None
        return self._process.pid

    def paths(self) -> list[str]:
        """The paths that were asked for, in order, those of :meth:`start` and uploads among them."""
        return self.asked.findall(self.log.read_text("utf-8", "replace"))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()


class PypiServer(OtherIndex):
    """``pypi-server run`` on the folder ``packages``; ``logins`` are asked for everything where there are any."""

    asked = re.compile(r"Request: [A-Z]+ http://[^/]+(/\S*)>")

    def __init__(
        self, folder: Path, programs: Path, *, logins: Mapping[str, str] | None = None, options: Sequence[str] = ()
    ) -> None:
        self.packages = folder / "packages"
        self.packages.mkdir(parents=True)
        guard: list[str] = ["-a", ".", "-P", "."]
        if logins:
            passwords = folder / "htpasswd"
            passwords.write_text("".join(f"{user}:{_sha1(word)}\n" for user, word in logins.items()))
            guard = ["-a", "list,download,update", "-P", str(passwords)]
        port = free_port()
        command = [str(programs / "pypi-server"), "run", "-v", "-i", "127.0.0.1", "-p", str(port), *guard, *options]
        super().__init__(folder, [*command, str(self.packages)], port, "/simple/")

    def put(self, *artifacts: BuiltArtifact) -> None:
        """As its users do: into the folder."""
        for artifact in artifacts:
            (self.packages / artifact.filename).write_bytes(artifact.data)


class DevpiServer(OtherIndex):
    """``devpi-server`` with the user ``ann`` and her index ``dev``, without any mirror.

    ``options`` are of its command; it lists METADATA only with ``--enable-core-metadata``. ``hashing`` are those for
    passwords: its usual ones (``()``) take a quarter of a minute at each start.
    """

    cheap: ClassVar[Sequence[str]] = ("--argon2-time-cost=1", "--argon2-memory-cost=1024")
    asked = re.compile(r"\[req\d+\] [A-Z]+ (/\S*)")

    def __init__(
        self, folder: Path, programs: Path, *, options: Sequence[str] = (), hashing: Sequence[str] = cheap
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.lists_metadata = "--enable-core-metadata" in options
        self._data, secret = folder / "devpi", folder / "secret"
        self._init = [str(programs / "devpi-init"), "--serverdir", str(self._data), "--no-root-pypi"]
        self._export = [str(programs / "devpi-export"), f"--serverdir={self._data}"]
        secret.touch(0o600)
        secret.write_bytes(base64.b64encode(secrets.token_bytes(32)))
        port = free_port()
        place = [f"--serverdir={self._data}", f"--secretfile={secret}", "--host=127.0.0.1", f"--port={port}"]
        command = [str(programs / "devpi-server"), *place, *hashing, *options]
        super().__init__(folder, command, port, f"/{_USER}/{_INDEX}/+simple/")

    def start(self) -> None:
        """Start; the first time, also make the folder, the user and the index."""
        is_new = not self._data.exists()
        if is_new and _begin(self._init, self.log).wait(_START_SECONDS):
            raise RuntimeError(f"devpi-init failed:\n{self.log.read_text('utf-8', 'replace')[-4000:]}")
        super().start()
        if is_new:
            self._call("PUT", f"/{_USER}", {"password": _PASSWORD})
            self._call("PUT", f"/{_USER}/{_INDEX}", {"bases": [], "volatile": True})

    def put(self, *artifacts: BuiltArtifact) -> None:
        """As twine does."""
        with urllib3.PoolManager(retries=False) as http:
            for artifact in artifacts:
                fields = list(_form(artifact))
                answer = http.request("POST", f"{self.url}/{_USER}/{_INDEX}/", fields=fields, headers=_login())
                assert answer.status == 200, answer.data

    def add_mirror(self, name: str, upstream: str) -> str:
        """Make an index of its own that mirrors another server's; the address of its Simple API."""
        settings = {"type": "mirror", "mirror_url": upstream, "volatile": True}
        self._call("PUT", f"/{_USER}/{name}", settings)
        return f"{self.url}/{_USER}/{name}/+simple/"

    def export(self, folder: Path) -> None:
        """``devpi-export`` of all that it has, which it does while it runs too."""
        with self.log.open("ab") as out:
            command = [*self._export, str(folder)]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False)
        assert done.returncode == 0, self.log.read_text("utf-8", "replace")[-4000:]

    def _call(self, method: str, path: str, body: Mapping[str, object]) -> None:
        answer = urllib3.request(method, self.url + path, json=body, headers=_login(), retries=False)
        assert answer.status in {200, 201}, answer.data


def _begin(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONUNBUFFERED": "1"},
        )


def _form(artifact: BuiltArtifact) -> Iterator[tuple[str, _Value]]:
    """What twine sends of it; devpi keeps what the form says, and reads no file."""
    yield ":action", "file_upload"
    yield "filetype", "bdist_wheel" if artifact.filename.endswith(".whl") else "sdist"
    wanted = {b"Metadata-Version", b"Name", b"Version", b"Requires-Python"}
    for line in artifact.metadata.partition(b"\n\n")[0].splitlines():
        key, _, value = line.partition(b": ")
        if key in wanted:
            yield key.decode().lower().replace("-", "_"), value.decode()
    yield "content", (artifact.filename, artifact.data)


def _login() -> Mapping[str, str]:
    return urllib3.make_headers(basic_auth=f"{_USER}:{_PASSWORD}")


def _sha1(password: str) -> str:
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "{SHA}" + base64.b64encode(digest).decode()
