"""Figures to a table: ratios first, as single times of a machine mean nothing."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

NOISY = 0.4


@dataclass(frozen=True)
class Round:
    """One server, one line, one turn: CPU milliseconds and wall milliseconds of one request, and the neighbours."""

    cpu_ms: float
    wall_ms: float
    foreign: float
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    bytes: float = 0.0


@dataclass
class Line:
    """One line of the table: each server's rounds in the order of their turns."""

    name: str
    unit: str = "request"
    rounds: dict[str, list[Round]] = field(default_factory=dict)

    def add(self, server: str, found: Round) -> None:
        self.rounds.setdefault(server, []).append(found)

    def cpu(self, server: str) -> float:
        """The median of a server's CPU milliseconds."""
        return statistics.median(one.cpu_ms for one in self._quiet(server))

    def wall(self, server: str) -> float:
        return statistics.median(one.wall_ms for one in self._quiet(server))

    def ratios(self, mine: str, theirs: str) -> list[float]:
        """Of the rounds in which both took their turns, the quiet ones where there are any."""
        pairs = list(zip(self.rounds[mine], self.rounds[theirs], strict=True))
        quiet = [(a, b) for a, b in pairs if max(a.foreign, b.foreign) < NOISY] or pairs
        # Too little to be counted in clock ticks is no divisor.
        return [a.cpu_ms / b.cpu_ms for a, b in quiet if b.cpu_ms > 0]

    def _quiet(self, server: str) -> Sequence[Round]:
        rounds = self.rounds[server]
        return [one for one in rounds if one.foreign < NOISY] or rounds

    @property
    def noisy(self) -> int:
        """How many rounds others disturbed."""
        return sum(one.foreign >= NOISY for rounds in self.rounds.values() for one in rounds)


def ratio(line: Line, mine: str, theirs: str) -> str:
    """``1.80 (1.72-1.91)``; a dash where there is nothing to compare with."""
    if mine not in line.rounds or theirs not in line.rounds:
        return "-"
    found = line.ratios(mine, theirs)
    if not found:
        return "-"
    return f"{statistics.median(found):.2f} ({min(found):.2f}-{max(found):.2f})"


def table(lines: Sequence[Line], ours: str, bare: str, nginx: str) -> str:
    """The requests."""
    head = f"{'line':26} {'/ bare view':>20} {'/ nginx':>24} {'CPU ms':>8} {'bare':>7} {'nginx':>7} {'/s':>7}  noisy"
    rows = [head, "-" * len(head)]
    for line in lines:
        cells = [f"{line.cpu(name):.3f}" if name in line.rounds else "-" for name in (ours, bare, nginx)]
        rate = 1000 / line.wall(ours) if line.wall(ours) else 0.0
        rows.append(
            f"{line.name:26} {ratio(line, ours, bare):>20} {ratio(line, ours, nginx):>24} "
            f"{cells[0]:>8} {cells[1]:>7} {cells[2]:>7} {rate:7.0f}  {line.noisy or ''}".rstrip()
        )
    return "\n".join(rows)


def pairs(title: str, rows: Mapping[str, tuple[float, float | None]], unit: str) -> str:
    """Single figures of this server and of the bare view."""
    out = [title]
    for name, (mine, theirs) in rows.items():
        compared = f"{mine / theirs:.2f} x the bare view's {theirs:.2f} {unit}" if theirs else ""
        out.append(f"  {name:40} {mine:8.2f} {unit}  {compared}".rstrip())
    return "\n".join(out)


def beside(line: Line, other: Line, server: str) -> str:
    """What a line costs beside another one of the same server."""
    cpu, wall = line.cpu(server) / other.cpu(server), line.wall(server) / other.wall(server)
    return f"{line.name} beside {other.name}: {cpu:.2f} x its CPU, {wall:.2f} x its time"


def most_expensive(lines: Sequence[Line], ours: str, bare: str) -> str:
    """The line whose ratio to the bare view is the highest."""
    return max(lines, key=lambda line: statistics.median(line.ratios(ours, bare) or [0.0])).name


def slowness(line: Line, ours: str, bare: str) -> str:
    """How long one request took, for half of them and for 95 of 100."""
    said = []
    for name in (ours, bare):
        half, most = (
            statistics.median(getattr(one, field) for one in line.rounds[name]) for field in ("p50_ms", "p95_ms")
        )
        said.append(f"{name} {half:.1f} and {most:.1f} ms")
    return f"{line.name}, half and 95 of 100 within: {', '.join(said)}"


def throughput(line: Line, servers: Sequence[str]) -> str:
    """Megabytes a second, and CPU seconds for a gigabyte."""
    said = []
    for name in servers:
        if name in line.rounds:
            size = statistics.median(one.bytes for one in line.rounds[name])
            said.append(
                f"{name} {size / line.wall(name) / 1000:.0f} MB/s, {line.cpu(name) / size * 1e6:.2f} s of CPU a GB"
            )
    return f"{line.name}: {'; '.join(said)}"


def as_document(lines: Sequence[Line], **more: object) -> dict[str, object]:
    """For ``--json``."""
    return {"lines": [asdict(line) for line in lines], **more}
