"""Whether this server can do its work: pypicloud's ``/health`` and the two that orchestrators ask for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait

import structlog
from pyramid.config import Configurator
from pyramid.request import Request

from pypicloud_lite.kernel.errors import PpcError
from pypicloud_lite.web.responses import PlainResponse, respond, respond_json
from pypicloud_lite.web.routing import add_resource

_log = structlog.get_logger("pypicloud_lite.health")

Probe = Callable[[], None]


class Health:
    """Runs every probe at once, each within ``timeout`` seconds; an answer is kept for ``keep`` seconds.

    Keeping it bounds what an anonymous caller can make storage and database do. A probe that hangs is not
    started again before it has ended.
    """

    def __init__(self, probes: Mapping[str, Probe], timeout: float = 5.0, keep: float = 2.0) -> None:
        self._probes = probes
        self._timeout = timeout
        self._keep = keep
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._running: dict[str, Future[str]] = {}
        self._checked_at = float("-inf")
        self._result: dict[str, str] = {}

    def check(self) -> Mapping[str, str]:
        """The fault of each part, an empty text where there is none."""
        with self._lock:
            if time.monotonic() - self._checked_at >= self._keep:
                self._result = self._run()
                self._checked_at = time.monotonic()
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

    def mount(self, config: Configurator) -> None:
        """Add the routes."""
        add_resource(config, "health", "/health", "/health/", GET=self.whole)
        add_resource(config, "health.live", "/health/live", GET=self.live)
        add_resource(config, "health.ready", "/health/ready", GET=self.ready)

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
