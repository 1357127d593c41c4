"""Whether this server can do its work: pypicloud's ``/health`` and the two that orchestrators ask for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

import structlog

from pypicloud_lite.kernel.errors import PpcError
from pypicloud_lite.web.responses import PlainResponse, respond, respond_json

if TYPE_CHECKING:
    # Commands import this module too, and Pyramid 2.1 greets each of them with a notice about pkg_resources.
    from pyramid.request import Request

_log = structlog.get_logger("pypicloud_lite.health")

Probe = Callable[[], None]


class Health:
    """Runs every probe at once, each within ``timeout`` seconds.

    One caller probes, and others get the answer before it: it is kept for ``keep`` seconds when all is well, for
    ``keep_fault`` when not. So what an anonymous caller can make storage and database do is bounded, and no thread
    but one ever waits for them. A probe that hangs is not started again before it has ended.
    """

    def __init__(
        self, probes: Mapping[str, Probe], timeout: float = 5.0, keep: float = 15.0, keep_fault: float = 2.0
    ) -> None:
        self._probes = probes
        self._timeout = timeout
        self._keep = keep
        self._keep_fault = keep_fault
        self._probing = threading.Lock()
        self._first = threading.Event()
        self._pool: ThreadPoolExecutor | None = None
        self._running: dict[str, Future[str]] = {}
        self._stale_at = float("-inf")
        self._result: dict[str, str] = {}

    def check(self) -> Mapping[str, str]:
        """The fault of each part, an empty text where there is none."""
        if time.monotonic() >= self._stale_at and self._probing.acquire(blocking=False):
            try:
                self._result = self._run()
                keep = self._keep_fault if any(self._result.values()) else self._keep
                self._stale_at = time.monotonic() + keep
                self._first.set()
            finally:
                self._probing.release()
        self._first.wait(self._timeout + 1)
        return self._result

    def _run(self) -> dict[str, str]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(len(self._probes), thread_name_prefix="health")
        for name, probe in self._probes.items():
            running = self._running.get(name)
            if running is None or running.done():
                self._running[name] = self._pool.submit(_fault, name, probe)
        wait(self._running.values(), timeout=self._timeout)
        slow = f"no answer within {self._timeout:g} seconds"
        return {name: future.result() if future.done() else slow for name, future in self._running.items()}


def _fault(name: str, probe: Probe) -> str:
    try:
        probe()
    except PpcError as error:
        return error.message
    except Exception as error:  # noqa: BLE001 - a probe's bug is a fault to report, not one to pass on
        _log.warning("health probe failed", part=name, error=repr(error))
        return "failed unexpectedly: see the log"
    return ""


class HealthViews:
    """The three addresses."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def whole(self, _request: Request) -> PlainResponse:
        """Each part by name, an empty text where all is well; 503 when one is not."""
        result = self._health.check()
        status = "503 Service Unavailable" if any(result.values()) else "200 OK"
        return respond_json(status, dict(result))

    def live(self, _request: Request) -> PlainResponse:
        """The process answers: nothing else is asked."""
        return respond("200 OK", [("Content-Type", "text/plain; charset=utf-8")], b"ok\n")

    def ready(self, _request: Request) -> PlainResponse:
        """Whether to send requests here."""
        faults = [f"{name}: {fault}" for name, fault in self._health.check().items() if fault]
        status = "503 Service Unavailable" if faults else "200 OK"
        body = "\n".join(faults) if faults else "ok"
        return respond(status, [("Content-Type", "text/plain; charset=utf-8")], f"{body}\n".encode())
