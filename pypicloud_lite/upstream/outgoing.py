"""What is uploaded to another index, and what that says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A file on its way: the text fields of the form, and its bytes, which are read once."""

    fields: Sequence[tuple[str, str]]
    filename: str
    size: int
    chunks: Iterable[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What the other server said."""

    status: int
    text: str
