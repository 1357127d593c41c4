"""The real server as users start it: ``ppc-serve`` in a process of its own, on a free port."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_START_SECONDS = 30.0


def free_port() -> int:
    """A port of the loopback interface on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def write_config(path: Path, settings: Mapping[str, str]) -> None:
    """An INI file of this application."""
    lines = [f"{key} = {value.replace('%', '%%')}" for key, value in settings.items()]
    path.write_text("\n".join(["[app:main]", "use = egg:pypicloud_lite", *lines, ""]), "utf-8")


class LiveServer:
    """Starts on entering, ends on leaving; its output, access log included, goes to ``log``."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        *,
        workers: int = 2,
        threads: int = 8,
        options: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        port: int | None = None,
    ) -> None:
        self.folder = folder
        self.config = folder / "config.ini"
        self.log = folder / "server.log"
        self.port = port or free_port()
        self._options = [f"--workers={workers}", f"--threads={threads}", *options]
        self._environ = {**os.environ, **(environ or {})}
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        write_config(self.config, settings)

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def url_with(self, username: str, password: str) -> str:
        """The URL with credentials, as pip's index URLs carry them."""
        return f"http://{username}:{password}@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait for the first answer."""
        command = [str(Path(sys.executable).with_name("ppc-serve")), str(self.config)]
        command += [f"--port={self.port}", "--", *self._options]
        with self.log.open("ab") as log:
            # A session of its own, so that kill() reaches the workers too.
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self._environ, start_new_session=True
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/health/live", timeout=2):  # noqa: S310  our own server
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"the server did not start:\n{self.log.read_text('utf-8', 'replace')[-4000:]}")

    def stop(self) -> int:
        """Ask politely and wait; the exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self.process = None
        return status

    def kill(self) -> None:
        """End master and workers with SIGKILL, at once."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
        self.process = None

    def worker_pids(self) -> list[int]:
        """The workers' process ids (Linux)."""
        if self.process is None:
            return []
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii")
        return [int(pid) for pid in children.split()]

    def requests(self) -> list[str]:
        """The access log's lines so far."""
        return [line for line in self.log.read_text("utf-8", "replace").splitlines() if '"GET ' in line or '"P' in line]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.stop()
        else:
            self.kill()
