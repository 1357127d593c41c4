"""What the operating system says that processes have used."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, its threads and the children that it has waited for included."""
    return parse_stat(Path(f"/proc/{pid}/stat").read_text("ascii"))


def parse_stat(text: str) -> float:
    """Fields 14 to 17 of ``/proc/PID/stat``; the name of the program may hold spaces and brackets."""
    fields = text.rpartition(")")[2].split()
    return sum(int(one) for one in fields[11:15]) / TICK


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def pss_mib(pid: int) -> float:
    """The memory of a process, in MiB, what it shares with others counted in part."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"no Pss of {pid}")


def busy_seconds(text: str | None = None) -> float:
    """What all cores of the machine have worked so far: ``/proc/stat`` without idle and waiting."""
    first = (text or Path("/proc/stat").read_text("ascii")).splitlines()[0].split()
    user, nice, system, _idle, _wait, irq, softirq, steal = (int(one) for one in first[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


@dataclass(frozen=True)
class Spent:
    """Of a stretch of time: seconds on the clock, of these processes' CPU, and how many cores others used."""

    wall: float
    cpu: float
    foreign: float


class Meter:
    """``with Meter(pids) as meter: …``, then ``meter.spent``; the load's own process is no foreigner."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = [*pids]
        self.spent = Spent(0, 0, 0)

    def __enter__(self) -> Self:
        self._before = self._now()
        return self

    def __exit__(self, *_error: object) -> None:
        after = self._now()
        wall, cpu, own, busy = (new - old for new, old in zip(after, self._before, strict=True))
        self.spent = Spent(wall, cpu, max(0.0, busy - cpu - own) / wall)

    def _now(self) -> tuple[float, float, float, float]:
        own = os.times()
        return time.monotonic(), sum(map(cpu_seconds, self._pids)), own.user + own.system, busy_seconds()
