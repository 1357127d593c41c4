"""Where the bars of the storage chart lie: numbers for an SVG that scales across and never up or down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pypicloud_lite.catalog.model import ProjectSpace

_MOST = 10
_ROW = 44
_LABEL = 32
"""Letters of a name that fit beside its size on a phone."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One project. ``width`` and ``cached_width`` are in per cent of the chart's width, ``top`` is in pixels."""

    label: str
    size: int
    top: int
    width: float
    cached_width: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars from the longest to the shortest; ``height`` is in pixels."""

    bars: Sequence[Bar]
    height: int

    @property
    def has_cached(self) -> bool:
        """Whether some part of a bar is drawn as cached."""
        return any(bar.cached_width for bar in self.bars)


def storage_chart(largest: Sequence[ProjectSpace]) -> Chart:
    """The first ten of them, against the largest: whatever is there is seen, be it only a line."""
    rows = [one for one in largest[:_MOST] if one.whole.size]
    longest = max((one.whole.size for one in rows), default=1)
    bars = [
        Bar(
            _cut(one.display_name),
            one.whole.size,
            number * _ROW,
            max(_percent(one.whole.size, longest), 0.3),
            _percent(one.cached.size, longest),
        )
        for number, one in enumerate(rows)
    ]
    return Chart(bars, len(bars) * _ROW)


def _percent(size: int, longest: int) -> float:
    return round(100 * size / longest, 2)


def _cut(name: str) -> str:
    return name if len(name) <= _LABEL else name[: _LABEL - 1] + "…"
