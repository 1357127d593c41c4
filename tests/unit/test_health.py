"""Anyone may ask for ``/health``: what that costs storage, database and threads is bounded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from pypicloud_lite.kernel.errors import StorageUnavailable
from pypicloud_lite.web import health as health_module
from pypicloud_lite.web.health import Health


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """``clock.now``: the time in seconds."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(health_module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


class Probe:
    """Counts, fails with ``error``, and hangs while ``hanging``."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.may_end.set()

    def hang(self) -> None:
        self.begun.clear()
        self.may_end.clear()

    def __call__(self) -> None:
        self.calls += 1
        self.begun.set()
        assert self.may_end.wait(30)
        if self.error is not None:
            raise self.error


@pytest.fixture
def probe() -> Iterator[Probe]:
    probe = Probe()
    yield probe
    probe.may_end.set()


@pytest.fixture
def other() -> Probe:
    return Probe()


def test_only_one_caller_probes(probe: Probe) -> None:
    health = Health({"storage": probe}, timeout=30)
    probe.hang()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(health.check)
        assert probe.begun.wait(30)
        others = [pool.submit(health.check) for _ in range(7)]
        probe.may_end.set()
        assert [one.result(30) for one in [first, *others]] == [{"storage": ""}] * 8
    assert probe.calls == 1


def test_while_one_probes_others_get_the_answer_before_it(probe: Probe, clock: SimpleNamespace) -> None:
    health = Health({"storage": probe}, timeout=30)
    assert health.check() == {"storage": ""}
    clock.now += 15
    probe.error = StorageUnavailable("The bucket did not answer")
    probe.hang()
    with ThreadPoolExecutor(1) as pool:
        probing = pool.submit(health.check)
        assert probe.begun.wait(30)
        # At once: the probe hangs until this thread lets it go.
        assert [health.check() for _ in range(5)] == [{"storage": ""}] * 5
        probe.may_end.set()
        assert probing.result(30) == {"storage": "The bucket did not answer"}
    assert health.check() == {"storage": "The bucket did not answer"}
    assert probe.calls == 2


def test_a_hung_probe_is_a_fault_and_is_not_started_again(probe: Probe, other: Probe, clock: SimpleNamespace) -> None:
    health = Health({"storage": probe, "cache": other}, timeout=0.05)
    probe.hang()
    for _ in range(3):
        assert health.check() == {"storage": "no answer within 0.05 seconds", "cache": ""}
        clock.now += 2
    assert (probe.calls, other.calls) == (1, 3)
    probe.may_end.set()
    health._running["storage"].result(30)
    assert health.check() == {"storage": "", "cache": ""}
    assert probe.calls == 2


@pytest.mark.parametrize(
    ("error", "kept", "said"),
    [
        (None, 15, ""),
        (StorageUnavailable("The bucket did not answer"), 2, "The bucket did not answer"),
        (RuntimeError("CANARY"), 2, "failed unexpectedly: see the log"),
    ],
    ids=["well", "fault", "bug"],
)
def test_how_long_an_answer_is_kept(
    probe: Probe, clock: SimpleNamespace, error: Exception | None, kept: float, said: str
) -> None:
    health = Health({"storage": probe})
    probe.error = error
    assert health.check() == {"storage": said}
    clock.now += kept - 0.01
    assert health.check() == {"storage": said}
    assert probe.calls == 1
    clock.now += 0.01
    health.check()
    assert probe.calls == 2
