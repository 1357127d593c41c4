"""The child as its server sees it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

from pypicloud_lite.readme import frames

_PIECE = 256 * 1024


class ChildOverran(Exception):
    """No answer within the time."""


class ChildDied(Exception):
    """It ended, or never began."""


class Child:
    """A running ``pypicloud_lite.readme.child``. Not thread-safe: one thread owns it, to :meth:`end`."""

    def __init__(self) -> None:
        """Start it; OSError where that cannot be done. It is ready once :meth:`answer` gives READY."""
        command = [sys.executable, "-P", "-B", "-W", "ignore", "-m", "pypicloud_lite.readme.child"]
        self._process = subprocess.Popen(  # noqa: S603 - nothing of it comes from outside
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env=_environment(),
            # Ctrl-C on a terminal is the server's, and what the child may have started is ended with it.
            start_new_session=True,
        )
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        assert self._process.stdout is not None  # noqa: S101
        self._input, self._output = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._input, False)
        os.set_blocking(self._output, False)

    @property
    def pid(self) -> int:
        """Also the id of its process group."""
        return self._process.pid

    def send(self, body: bytes, deadline: float) -> None:
        """Ask; ChildDied, ChildOverran at the deadline (on the monotonic clock)."""
        rest = memoryview(frames.framed(body))
        while rest:
            self._await(self._input, select.POLLOUT, deadline)
            try:
                rest = rest[os.write(self._input, rest[:_PIECE]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise ChildDied from None

    def answer(self, deadline: float) -> bytes:
        """The next answer; ChildDied, ChildOverran. An answer that is too long, or none, is as good as death."""
        size = frames.length(self._received(frames.HEAD, deadline))
        if not 1 <= size <= frames.MAX_ANSWER + 1:
            raise ChildDied
        return self._received(size, deadline)

    def end(self) -> int:
        """Kill it and all that it may have started; its return code, negative for the signal that ended it."""
        # It is not reaped yet, so its number is not another's.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        self._close()
        return code

    def disown(self) -> None:
        """In a process that was forked from the child's parent: let go of it, so that its end is the parent's."""
        # Popen would complain, and wait for it, when it is collected.
        self._process.returncode = 0
        self._close()

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _received(self, size: int, deadline: float) -> bytes:
        received = bytearray()
        while len(received) < size:
            self._await(self._output, select.POLLIN, deadline)
            with contextlib.suppress(BlockingIOError):
                piece = os.read(self._output, min(size - len(received), _PIECE))
                if not piece:
                    raise ChildDied
                received += piece
        return bytes(received)

    @staticmethod
    def _await(pipe: int, event: int, deadline: float) -> None:
        poll = select.poll()
        poll.register(pipe, event)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise ChildOverran


def _environment() -> dict[str, str]:
    """The modules that this process has, and nothing else of its environment: there may be secrets in it."""
    return {
        "PYTHONPATH": os.pathsep.join(path or str(os.getcwd()) for path in sys.path),  # noqa: PTH109
        # so that no docutils.conf of the machine, the folder or the user changes anything
        "DOCUTILSCONFIG": os.devnull,
        "LC_ALL": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
    }
