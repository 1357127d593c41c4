"""Index servers of other makers, started for a test: what people have as an upstream."""

from __future__ import annotations

import base64
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from json import dumps
from pathlib import Path

from urllib3 import encode_multipart_formdata

from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.testing.artifacts import BuiltArtifact
from pypicloud_lite.testing.live import free_port

_START_SECONDS = 60.0
_PASSWORD = "devpi-root-pw"  # noqa: S105  of a server that lives for one test


@dataclass(frozen=True, slots=True)
class Peer:
    """``index`` is the address of its Simple API; ``stop`` ends it before its time."""

    index: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)


@contextmanager
def pypiserver(commands: Path, folder: Path, artifacts: Sequence[BuiltArtifact]) -> Iterator[Peer]:
    """A pypiserver, from the environment with ``commands``, over these files."""
    packages = folder / "packages"
    packages.mkdir(parents=True)
    for artifact in artifacts:
        (packages / artifact.filename).write_bytes(artifact.data)
    port = free_port()
    words = ["run", "--host", "127.0.0.1", "--port", str(port), "--disable-fallback", str(packages)]
    with _running([str(commands / "pypi-server"), *words], folder, f"http://127.0.0.1:{port}/") as process:
        yield Peer(f"http://127.0.0.1:{port}/simple/", process)


@contextmanager
def devpi(commands: Path, folder: Path, artifacts: Sequence[BuiltArtifact]) -> Iterator[Peer]:
    """A devpi-server with the stage index ``root/dev``, to which these files were uploaded."""
    data = folder / "devpi"
    folder.mkdir(parents=True, exist_ok=True)
    init = [str(commands / "devpi-init"), "--serverdir", str(data), "--root-passwd", _PASSWORD, "--no-root-pypi"]
    subprocess.run(init, check=True, capture_output=True, timeout=120)
    port = free_port()
    words = ["--serverdir", str(data), "--host", "127.0.0.1", "--port", str(port), "--offline-mode"]
    url = f"http://127.0.0.1:{port}"
    with _running([str(commands / "devpi-server"), *words], folder, f"{url}/+api") as process:
        stage = {"type": "stage", "bases": [], "volatile": True}
        _send("PUT", f"{url}/root/dev", dumps(stage).encode(), "application/json")
        for artifact in artifacts:
            _send("POST", f"{url}/root/dev/", *_form(artifact))
        yield Peer(f"{url}/root/dev/+simple/", process)


@contextmanager
def _running(command: Sequence[str], folder: Path, probe: str) -> Iterator[subprocess.Popen[bytes]]:
    log = folder / "peer.log"
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=folder)
    try:
        _wait(process, probe, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)


def _wait(process: subprocess.Popen[bytes], probe: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(probe, timeout=2):  # noqa: S310  our own server
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"it did not start:\n{log.read_text('utf-8', 'replace')[-4000:]}")


def _form(artifact: BuiltArtifact) -> tuple[bytes, str]:
    filename = Filename.parse(artifact.filename)
    fields: dict[str, str | tuple[str, bytes]] = {
        ":action": "file_upload",
        "name": str(filename.project),
        "version": filename.version,
        "filetype": filename.packagetype,
        "content": (artifact.filename, artifact.data),
    }
    return encode_multipart_formdata(fields)


def _send(method: str, url: str, body: bytes, kind: str) -> None:
    credentials = base64.b64encode(f"root:{_PASSWORD}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Content-Type": kind, "Accept": "application/json"}
    request = urllib.request.Request(url, data=body, headers=headers, method=method)  # noqa: S310  our own server
    with urllib.request.urlopen(request, timeout=60):  # noqa: S310
        return
