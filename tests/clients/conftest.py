"""Real, unmodified clients, each in an environment of its own, before a live server on the loopback interface.

The environments are made once from files with pinned hashes, below ``.cache/clients/`` of the checkout.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from pypicloud_lite.testing.artifacts import BuiltArtifact
from pypicloud_lite.testing.devpi_client import DevpiClient
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.world import PASSWORDS, user_settings

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
REQUIREMENTS = {
    "current": CHECKOUT / "requirements" / "clients.txt",
    **{
        name: CHECKOUT / "requirements" / f"{name}.txt"
        for name in ("backends", "devpi", "flit", "hatch", "pdm", "peers", "pipenv", "poetry")
    },
    "twine-6.1": HERE / "requirements" / "twine-6.1.txt",
    "pip-9.0.3": HERE / "requirements" / "pip-9.0.3.txt",
    "pip-20.3.4": HERE / "requirements" / "pip-20.3.4.txt",
}
_LOG_LINE = re.compile(r'"([A-Z]+) (\S+) HTTP/1\.[01]" (\d{3}) \S+ \S+ "(.*)" \S+$')
_PROBE = "/health/live"
_THREADS = 8
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Nothing listens there: whoever asks another host than 127.0.0.1 is refused, and its test fails.
_NOWHERE = "http://127.0.0.1:9"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("clients")


@dataclass(frozen=True, slots=True)
class Ran:
    """A client that has ended; ``output`` is what a person would have seen on the terminal."""

    status: int
    output: str


@dataclass(frozen=True, slots=True)
class Request:
    """A line of the access log; ``path`` as it was sent."""

    method: str
    path: str
    status: int
    agent: str


class Index:
    """The live server as a client's configuration names it, and what its access log says."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.url = server.url

    def url_for(self, user: str, path: str = "/simple/") -> str:
        """An address with credentials in it."""
        return self.server.url_with(user, PASSWORDS[user]) + path

    def put(self, *artifacts: BuiltArtifact) -> None:
        """Upload without any client: for tests that are about what comes after."""
        headers = urllib3.make_headers(basic_auth=f"writer:{PASSWORDS['writer']}")
        with urllib3.PoolManager() as http:
            for artifact in artifacts:
                content = (artifact.filename, artifact.data)
                fields: list[tuple[str, str | tuple[str, bytes]]] = [(":action", "file_upload"), ("content", content)]
                answer = http.request("POST", self.url, fields=fields, headers=headers)
                assert answer.status == 200, answer.data

    def get(self, path: str, user: str = "reader", **headers: str) -> urllib3.BaseHTTPResponse:
        """An answer with all its bytes."""
        credentials = urllib3.make_headers(basic_auth=f"{user}:{PASSWORDS[user]}")
        with urllib3.PoolManager() as http:
            return http.request("GET", self.url + path, headers={**credentials, **headers})

    def page(self, project: str) -> Any:
        """The project's page as JSON."""
        answer = self.get(f"/simple/{project}/", Accept="application/vnd.pypi.simple.v1+json")
        assert answer.status == 200
        return answer.json()

    def files(self, project: str) -> dict[str, dict[str, Any]]:
        """The files of a project by their names; none when there is no such project."""
        answer = self.get(f"/simple/{project}/", Accept="application/vnd.pypi.simple.v1+json")
        return {file["filename"]: file for file in answer.json()["files"]} if answer.status == 200 else {}

    @contextmanager
    def watch(self) -> Iterator[list[Request]]:
        """Collect the requests that were answered in between, from the access log."""
        self._settle()
        begin = self.server.log.stat().st_size
        seen: list[Request] = []
        yield seen
        self._settle()
        text = self.server.log.read_bytes()[begin:].decode("utf-8", "replace")
        matches = [match for line in text.splitlines() if (match := _LOG_LINE.search(line))]
        seen += [Request(match[1], match[2], int(match[3]), match[4]) for match in matches if match[2] != _PROBE]

    def _settle(self) -> None:
        """Wait until the line of every request that a client has seen answered is in the log.

        A thread writes it after the answer. So all threads but one are kept waiting for the rest of a request:
        the last request, whole, is answered by a thread that is through with what it did before.
        """
        with ExitStack() as stack:
            for number in range(_THREADS):
                connection = socket.create_connection(("127.0.0.1", self.server.port))
                stack.enter_context(connection)
                head = f"GET {_PROBE} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                connection.sendall(head.encode() + (b"\r\n" if number == _THREADS - 1 else b""))
            while connection.recv(4096):
                pass


@pytest.fixture(scope="module")
def make_index(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., AbstractContextManager[Index]]:
    """``with make_index(settings) as index``: a server with the usual users, and these settings."""

    @contextmanager
    def make(settings: dict[str, str], port: int | None = None) -> Iterator[Index]:
        folder = tmp_path_factory.mktemp("server")
        everything = {**user_settings(), **settings}
        with LiveServer(folder, everything, workers=1, threads=_THREADS, port=port) as server:
            yield Index(server)

    return make


@pytest.fixture(scope="module")
def index(make_index: Callable[..., AbstractContextManager[Index]]) -> Iterator[Index]:
    """A server for the tests of a module."""
    with make_index({}) as made:
        yield made


@pytest.fixture(scope="session")
def environment(missing: Callable[[str, str], None]) -> Callable[[str], Path]:
    """``environment("poetry")``: the folder with the commands of these requirements, installed when needed."""

    def ready(name: str) -> Path:
        requirements = REQUIREMENTS[name]
        python = f"{sys.implementation.cache_tag} {sys.base_prefix}"
        digest = hashlib.sha256(requirements.read_bytes() + python.encode()).hexdigest()[:16]
        folder = CHECKOUT / ".cache" / "clients" / digest
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "complete").exists():
                _install(folder, requirements, missing)
                (folder / "complete").touch()
        return folder / "bin"

    return ready


def _install(folder: Path, requirements: Path, missing: Callable[[str, str], None]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    rules = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps", "--only-binary=:all:"]
    python = str(folder / "bin" / "python")
    commands = [
        [sys.executable, "-m", "venv", str(folder)],
        [python, "-m", "pip", "install", *rules, "--requirement", str(requirements)],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            missing("clients", f"{requirements.name} could not be installed: {done.stderr[-2000:]}")


@pytest.fixture(scope="session")
def tools(environment: Callable[[str], Path]) -> Path:
    """Today's pip, uv, twine and build."""
    return environment("current")


@pytest.fixture(scope="session")
def find_python() -> Callable[..., str]:
    """``find_python("2.7", "import x")``: an interpreter of that version that can run the statement, or ''."""

    def find(version: str, statement: str = "") -> str:
        here = [sys.executable] if version == "{}.{}".format(*sys.version_info) else []
        kept = [str(path) for path in Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
        for candidate in [*here, shutil.which(f"python{version}"), *kept]:
            if candidate and _runs(candidate, version, statement):
                return candidate
        return ""

    return find


def _runs(python: str, version: str, statement: str) -> bool:
    check = f"import sys; assert sys.version.startswith('{version}.'); {statement}"
    environ = {**os.environ, "SETUPTOOLS_USE_DISTUTILS": "stdlib"}
    return not subprocess.run(
        [python, "-Wignore", "-c", check], env=environ, capture_output=True, check=False
    ).returncode


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home folder of the person who runs the clients: caches and configuration land there."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def run(home: Path) -> Callable[..., Ran]:
    """``run(program, *arguments)`` with nothing of this machine's configuration; checks the exit status.

    ``status=None`` takes any.
    """
    base = {
        "PATH": os.defpath,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "COLUMNS": "1000",
        "http_proxy": _NOWHERE,
        "https_proxy": _NOWHERE,
        "no_proxy": "127.0.0.1",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INPUT": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_RETRIES": "0",
        "UV_NO_CONFIG": "1",
        "UV_PYTHON": sys.executable,
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_HTTP_RETRIES": "0",
        "POETRY_NO_INTERACTION": "1",
        "POETRY_VIRTUALENVS_IN_PROJECT": "true",
        "VIRTUALENV_NO_PERIODIC_UPDATE": "1",
    }

    def client(
        program: Path | str, *arguments: Path | str, status: int | None = 0, cwd: Path = home, **env: str
    ) -> Ran:
        done = subprocess.run(
            [str(program), *map(str, arguments)],
            cwd=cwd,
            env={**base, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        # Without the colours and the padding of tables.
        output = re.sub(r" +\n", "\n", _COLOUR.sub("", done.stdout.decode("utf-8", "replace")))
        assert status is None or done.returncode == status, output
        return Ran(done.returncode, output)

    return client


@pytest.fixture
def devpi(environment: Callable[[str], Path], tmp_path: Path) -> Callable[[str], DevpiClient]:
    """``devpi("ann")``: the devpi client of somebody, who is somebody else for another name."""
    commands = environment("devpi")
    return lambda person: DevpiClient(commands, tmp_path / "people" / person)


@pytest.fixture
def dist(tmp_path: Path) -> Callable[..., list[Path]]:
    """``dist(*artifacts)``: as files in a folder ``dist`` of the person's project."""

    def write(*artifacts: BuiltArtifact) -> list[Path]:
        folder = tmp_path / "project" / "dist"
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / artifact.filename for artifact in artifacts]
        for path, artifact in zip(paths, artifacts, strict=True):
            path.write_bytes(artifact.data)
        return paths

    return write


class Target:
    """A virtual environment that a test installs into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"

    def installed(self) -> dict[str, str]:
        """Versions by name, as the filenames of the metadata spell them."""
        found = self.folder.glob("**/site-packages/*.dist-info")
        return dict(path.name.removesuffix(".dist-info").split("-") for path in found)


@pytest.fixture
def make_target(tools: Path, run: Callable[..., Ran], tmp_path: Path) -> Callable[[], Target]:
    """Makes empty environments, without pip."""
    made: list[Target] = []

    def make() -> Target:
        folder = tmp_path / f"target{len(made) or ''}"
        run(tools / "uv", "venv", "--quiet", folder)
        made.append(Target(folder))
        return made[-1]

    return make


@pytest.fixture
def target(make_target: Callable[[], Target]) -> Target:
    """An empty environment, without pip."""
    return make_target()
