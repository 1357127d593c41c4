"""The part of a long text that is read just now."""

from __future__ import annotations

from collections.abc import Iterator

LONGEST = 64 * 1024
"""Characters of one value, or of a tag with the text behind it: what is longer is none that an index writes."""
_STEP = 64 * 1024


class Window:
    """``text`` is what is at hand, read up to ``at``; what was read is dropped when more is brought."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self.text = ""
        self.at = 0
        self._pieces = pieces

    @property
    def left(self) -> int:
        """Characters at hand that are not read yet."""
        return len(self.text) - self.at

    def more(self) -> bool:
        """Bring 64 KiB more at least, but at the end; False where there is no more."""
        parts, size = [self.text[self.at :]], 0
        while size < _STEP and (piece := next(self._pieces, None)) is not None:
            parts.append(piece)
            size += len(piece)
        self.text, self.at = "".join(parts), 0
        return size > 0
