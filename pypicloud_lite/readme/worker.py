"""Renders one README after the other in a child, and replaces the child when it has to."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass

import structlog

from pypicloud_lite.readme import frames
from pypicloud_lite.readme.confinement import CPU_SECONDS
from pypicloud_lite.readme.model import Markup
from pypicloud_lite.readme.process import Child, ChildDied, ChildOverran

_log = structlog.get_logger("pypicloud_lite.readme")

_RETRY_START = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one README and one child, in seconds but for ``renders``: a child is replaced after so many."""

    start_seconds: float = 15.0
    render_seconds: float = 5.0
    renders: int = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """HTML, or why there is none. ``lasting``: the same README would end the same way."""

    html: str | None
    why: str = ""
    lasting: bool = True


class Worker:
    """Starts its child when it is first needed. Not thread-safe, and for one process; see :meth:`disown`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._child: Child | None = None
        self._renders = 0
        self._retry_at = 0.0
        self._why = ""

    @property
    def pid(self) -> int | None:
        """Of the child that runs now."""
        return None if self._child is None else self._child.pid

    def render(self, markup: Markup, text: str) -> Outcome:
        """Within the limits, whatever the text does to the child; that is gone then.

        A child that dies for no reason of ours (killed by hand, or because the machine has no memory left) is
        replaced, and asked once more.
        """
        body = frames.request(markup, text)
        for _ in range(2):
            failure = self._ready()
            if failure is not None:
                return failure
            outcome = self._asked(body)
            if outcome is not None:
                return outcome
        return Outcome(None, "its rendering ended the process twice")

    def end(self) -> None:
        """End the child, if there is one; the next README starts another."""
        if self._child is not None:
            child, self._child = self._child, None
            child.end()

    def disown(self) -> None:
        """In a process that was forked from this one's: forget the child, which stays the other's."""
        if self._child is not None:
            child, self._child = self._child, None
            child.disown()

    def _ready(self) -> Outcome | None:
        """Have a child; a failure is remembered for a minute, so that a server without one does not keep trying."""
        if self._child is not None and self._renders < self._limits.renders:
            return None
        self.end()
        now = time.monotonic()
        if now >= self._retry_at or not self._why:
            self._why = self._started()
            if not self._why:
                return None
            self._retry_at = time.monotonic() + _RETRY_START
            _log.error("READMEs are shown as plain text: the process that renders them does not start", why=self._why)
        return Outcome(None, f"the process that renders did not start: {self._why}", lasting=False)

    def _started(self) -> str:
        """Why not; empty when it did."""
        self._renders = 0
        try:
            self._child = Child()
            answer = self._child.answer(time.monotonic() + self._limits.start_seconds)
        except ChildOverran:
            why = f"it was not ready within {self._limits.start_seconds:.0f} s"
        except ChildDied:
            why = "it ended at once; run python -m pypicloud_lite.readme.child to see why"
        except OSError as error:
            why = str(error)
        else:
            why = "" if answer[:1] == frames.READY else answer[1:].decode(errors="replace")
        if why:
            self.end()
        return why

    def _asked(self, body: bytes) -> Outcome | None:
        """None when the child died without a limit of ours."""
        assert self._child is not None  # noqa: S101 - it is ready
        self._renders += 1
        deadline = time.monotonic() + self._limits.render_seconds
        try:
            self._child.send(body, deadline)
            answer = self._child.answer(deadline)
        except ChildOverran:
            self.end()
            # It had less than its share of the processor: the machine is busy.
            return Outcome(None, f"it was not ready within {self._limits.render_seconds:.0f} s", lasting=False)
        except ChildDied:
            child, self._child = self._child, None
            if child.end() == -signal.SIGXCPU:
                return Outcome(None, f"it takes more than {CPU_SECONDS} s of processor time")
            return None
        kind, said = answer[:1], answer[1:].decode(errors="replace")
        if kind == frames.EXHAUSTED:
            self.end()
        return Outcome(said) if kind == frames.HTML else Outcome(None, said)
