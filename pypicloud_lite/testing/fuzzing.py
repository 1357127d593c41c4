"""Posts fuzzed uploads to a real index, and says what must be true whatever they are.

``python -m pypicloud_lite.testing.fuzzing archives 5000 1`` is one part of the big run, in a process whose memory
is measured.
"""

from __future__ import annotations

import io
import json
import os
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from pypicloud_lite.indexes.layout import project_document
from pypicloud_lite.testing.fuzzed_archives import archives
from pypicloud_lite.testing.fuzzed_forms import Body, bodies, upload
from pypicloud_lite.testing.world import World, basic

KINDS = {"archives": archives().map(upload), "forms": bodies()}
MAX_SECONDS = 2.0
MAX_GROWTH_MIB = 156
"""What one post may add: a worker at rest has about 100 MiB, and 256 is what a small container gives it."""

_BUG = 500
_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
_MEMORY = re.compile(r"^Vm(?:HWM|RSS):\s+(\d+) kB", re.MULTILINE)


class Target:
    """An index of its own below ``folder``, and what came of every post."""

    def __init__(self, folder: Path, extra: dict[str, str] | None = None) -> None:
        self._folder = folder
        self._world = World(folder, extra)
        self._storage = folder / "data" / "packages"
        self._authorization = basic("writer")
        self._acknowledged: set[str] = set()
        self.statuses: Counter[int] = Counter()
        self.slowest = 0.0
        self.growth_mib = 0

    def post(self, body: Body) -> int:
        """Post it; AssertionError when a promise is broken."""
        _forget_peak()
        _, before = _memory()
        began = time.thread_time()
        status, text = self._answer(body)
        seconds = time.thread_time() - began
        peak, _ = _memory()
        self.growth_mib = max(self.growth_mib, peak - before)
        self.slowest = max(self.slowest, seconds)
        self.statuses[status] += 1
        assert status < _BUG, (status, text)
        assert seconds < MAX_SECONDS, f"{seconds:.1f} s"
        assert peak - before < MAX_GROWTH_MIB, f"{peak - before} MiB"
        if status == 200:
            self._acknowledged = self._promised()
        stored = {str(path.relative_to(self._storage)) for path in self._storage.rglob("*") if path.is_file()}
        assert stored == self._acknowledged, stored ^ self._acknowledged
        return status

    def close(self) -> None:
        """Nothing but the storage and the catalog may have appeared."""
        self._world.close()
        data = self._folder / "data"
        appeared = {path.name for path in self._folder.iterdir()} - {"data"}
        appeared |= (
            {path.name for path in data.iterdir()} - {"packages"} - {path.name for path in data.glob("catalog.sqlite*")}
        )
        assert not appeared, appeared

    def _answer(self, body: Body) -> tuple[int, str]:
        seen: list[str] = []

        def start_response(status: str, _headers: Any, _error: Any = None) -> Any:
            seen.append(status)

        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.1",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_AUTHORIZATION": self._authorization,
            "CONTENT_TYPE": body.content_type,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body.data),
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        if body.length is None:
            environ["HTTP_TRANSFER_ENCODING"] = "chunked"
        else:
            environ["CONTENT_LENGTH"] = str(body.length)
        answer = self._world.app.app(environ, start_response)
        try:
            text = b"".join(answer).decode("utf-8", "replace")
        finally:
            if hasattr(answer, "close"):
                answer.close()
        return int(seen[0].partition(" ")[0]), text

    def _promised(self) -> set[str]:
        """The keys of everything that the catalog has."""
        keys = set()
        with self._world.services.catalog.read() as catalog:
            for attached in catalog.all_attachments():
                keys |= {attached.key, attached.manifest_key}
            for record in catalog.all_files(self._world.services.index):
                keys |= {record.key, record.manifest_key}
                keys |= {record.metadata_key} if record.metadata_sha256 else set()
                keys |= {record.signature_key} if record.signed else set()
                document = project_document(record.index, record.project)
                keys |= {document} if (self._storage / str(document)).exists() else set()
        return {str(key) for key in keys}


def _forget_peak() -> None:
    """The kernel's record of this process's peak begins anew, where it can: what made the body does not count."""
    if _CLEAR.exists():
        _CLEAR.write_text("5")


def _memory() -> tuple[int, int]:
    """The highest and the present resident size, in MiB; without Linux's files, the highest ever for both."""
    if _CLEAR.exists():
        peak, now = map(int, _MEMORY.findall(_STATUS.read_text()))
        return peak // 1024, now // 1024
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "linux" else 1024**2)
    return highest, highest


def run(target: Target, kind: str, examples: int, number: int) -> None:
    """Post that many examples; the same ones for the same seed and release of hypothesis."""

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(body=KINDS[kind])
    def fuzz(body: Body) -> None:
        target.post(body)

    fuzz()


def main(kind: str, examples: str, number: str) -> None:
    """Run one part in a folder of its own, from which nothing may be seen elsewhere; print figures as JSON."""
    with tempfile.TemporaryDirectory() as room:
        folder, elsewhere = Path(room) / "index", Path(room) / "elsewhere"
        folder.mkdir()
        elsewhere.mkdir()
        os.chdir(elsewhere)
        tempfile.tempdir = str(elsewhere)
        target = Target(folder)
        try:
            run(target, kind, int(examples), int(number))
            target.close()
            assert not list(elsewhere.iterdir()), list(elsewhere.iterdir())
        finally:
            os.chdir("/")
    figures = {"statuses": target.statuses, "slowest": round(target.slowest, 2), "growth_mib": target.growth_mib}
    print(json.dumps(figures))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
