"""The list of projects in JSON (PEP 691), read one element at a time.

The standard library reads a value from wherever it is told to, so a page is never there as a whole. That is as
quick as ijson with its C library: a million projects take a second and a half with either. That one would be one more
dependency, keeps a string however long it is, and a path for every level however deep.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from pypicloud_lite.kernel.errors import UpstreamNonsense
from pypicloud_lite.upstream.window import LONGEST, Window

_BLANK = re.compile(r"[ \t\r\n]*+")
_scan = json.JSONDecoder().raw_decode


def json_projects(pieces: Iterator[str], check_meta: Callable[[Any], object]) -> Iterator[Any]:
    """What the member ``projects`` has, whatever it is; ``check_meta`` gets the member ``meta``.

    ``UpstreamNonsense`` where it ends early or is no such document, possibly after many of them.
    """
    reader, seen = _Reader(Window(pieces)), False
    reader.expect("{")
    is_over = reader.take("}")
    while not is_over:
        key = reader.value()
        reader.expect(":")
        if key == "projects":
            if seen:
                raise UpstreamNonsense("Its JSON has two lists of projects")
            seen = True
            yield from reader.elements()
        elif not isinstance(key, str):
            _is_none()
        else:
            value = reader.value()
            if key == "meta":
                check_meta(value)
        is_over = reader.take("}")
        if not is_over:
            reader.expect(",")
    if not reader.is_at_end():
        _is_none()
    if not seen:
        raise UpstreamNonsense("Its JSON has no list of projects")


class _Reader:
    def __init__(self, window: Window) -> None:
        self._window = window
        self._tried = ""

    def value(self) -> Any:
        """The next value."""
        window = self._window
        while True:
            try:
                value, end = _scan(window.text, window.at)
            except ValueError:
                # Wrong, or not here as a whole.
                pass
            except RecursionError:
                _is_none()
            else:
                # At the end of what is here, a number could go on.
                if end < len(window.text):
                    window.at = end
                    return value
            if window.left > LONGEST or not window.more():
                _is_none()

    def elements(self) -> Iterator[Any]:
        """Those of the array that comes next."""
        self.expect("[")
        if self.take("]"):
            return
        while True:
            yield from self._at_once()
            yield self.value()
            if self.take("]"):
                return
            self.expect(",")

    def _at_once(self) -> list[Any]:
        """Go past all elements that are at hand but the last: several times as quick as one by one.

        None where that cannot be seen, which is tried once for what is at hand.
        """
        window = self._window
        last = window.text.rfind("},", window.at)
        if last < 0 or self._tried is window.text:
            return []
        self._tried = window.text
        array = f"[{window.text[window.at : last + 1]}]"
        try:
            values, end = _scan(array, 0)
        except (ValueError, RecursionError):
            return []
        if end != len(array):
            return []
        window.at = last + 2
        self.is_at_end()
        return list(values)

    def take(self, mark: str) -> bool:
        """Go past a mark and the blanks around it; False where another thing comes."""
        if self.is_at_end() or not self._window.text.startswith(mark, self._window.at):
            return False
        self._window.at += 1
        self.is_at_end()
        return True

    def expect(self, mark: str) -> None:
        """Go past a mark that must be there."""
        if not self.take(mark):
            _is_none()

    def is_at_end(self) -> bool:
        """Go past blanks; whether that was all."""
        window = self._window
        while True:
            match = _BLANK.match(window.text, window.at)
            window.at = window.at if match is None else match.end()
            if window.left:
                return False
            if not window.more():
                return True


def _is_none() -> NoReturn:
    raise UpstreamNonsense("It is no JSON that lists projects, or not the whole of it")
