"""Numbers as bars: the geometry of a small chart, drawn by ``charts.jinja2`` without a script or a style of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_STEP = 8
_GAP = 2
HEIGHT = 48


@dataclass(frozen=True, slots=True)
class Bar:
    """Of one value, in the units of the chart's own box, whose origin is at the top left."""

    label: str
    value: int
    x: int
    y: int
    height: int
    width: int = _STEP - _GAP


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars side by side in a box of ``width`` by ``height``."""

    bars: Sequence[Bar]
    width: int
    height: int = HEIGHT

    @property
    def highest(self) -> Bar:
        """The first of the longest."""
        return max(self.bars, key=lambda bar: bar.value)


def upright(values: Sequence[tuple[str, int]]) -> Chart:
    """A bar for each, the first at the left; the largest fills the height, and what is not nothing can be seen."""
    most = max((value for _, value in values), default=0)
    bars = []
    for number, (label, value) in enumerate(values):
        height = max(2, round(value / most * HEIGHT)) if value else 0
        bars.append(Bar(label, value, number * _STEP, HEIGHT - height, height))
    return Chart(bars, max(len(values) * _STEP - _GAP, 1))
