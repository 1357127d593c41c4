"""The process that renders belongs to one server process: not to those forked from it, and it ends with it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

BEGIN = """
import os, signal, sys, threading
from pypicloud_lite.readme.readmes import Readmes
from pypicloud_lite.readme.worker import Limits
readmes = Readmes(patience=120, limits=Limits(start_seconds=60, render_seconds=60))
def render(text):
    result = readmes.render(text, "text/markdown")
    assert result.html == f'<h3 id="readme-good">{text[2:].strip()}</h3>\\n', result
    return readmes.child
def say(*words):
    print(*words, flush=True)
"""
FORKED = """
ours = render("# Good")
if os.fork() == 0:
    assert readmes.child is None
    theirs = render("# Good")
    assert theirs != ours
    assert render("# Good ") == theirs
    say(os.getpid(), theirs)
    sys.stdin.read()
    sys.exit()
assert render("# Good ") == ours
say(os.getpid(), ours)
os.wait()
"""
# While another thread holds the lock and the child is busy; and the grandchild too.
FORKED_BUSY = """
ours = render("# Good")
os.kill(ours, signal.SIGSTOP)
thread = threading.Thread(target=render, args=["# Good "])
thread.start()
while not readmes._futures:
    pass
with readmes._lock:
    pid = os.fork()
if pid == 0:
    first = render("# Good ")
    if os.fork() == 0:
        assert render("# Good") not in (first, ours)
        os._exit(0)
    assert os.wait()[1] == 0
    readmes.close()
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
os.kill(ours, signal.SIGCONT)
thread.join()
assert readmes.child == ours
say("done")
"""
ENDS = {
    "end": "",
    "exit": "sys.exit(1)",
    "error": "raise RuntimeError",
    "at once": "os._exit(0)",
    "closed": "readmes.close()",
    "terminated": "os.kill(os.getpid(), signal.SIGTERM)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "killed while it renders": """
threading.Thread(target=lambda: readmes.render("*a* " * 30_000, "text/markdown"), daemon=True).start()
while not readmes._futures:
    pass
os.kill(os.getpid(), signal.SIGKILL)
""",
}


def started(script):
    return subprocess.Popen(
        # newer Pythons warn of every fork beside a thread
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", BEGIN + script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def runs(pid):
    """Whether the process is at work; one that only waits to be reaped by init is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        threading.Event().wait(0.01)


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_the_child_ends_with_the_server_however_that_ends(end):
    with started(f'say(render("# Good"))\n{end}') as server:
        child = int(server.stdout.readline())
        server.wait(60)
        wait_until(lambda: not runs(child))


def test_each_forked_process_has_a_child_of_its_own():
    with started(FORKED) as server:
        of = dict(map(int, server.stdout.readline().split()) for _ in range(2))
        forked, theirs = next((pid, child) for pid, child in of.items() if pid != server.pid)
        ours = of[server.pid]
        assert runs(ours)
        assert runs(theirs)
        server.send_signal(signal.SIGKILL)
        # The forked process has no end of the pipe that would keep it.
        wait_until(lambda: not runs(ours))
        assert runs(forked)
        assert runs(theirs)
        server.stdin.close()
        wait_until(lambda: not runs(theirs))


def test_a_fork_in_the_middle_of_everything_is_no_danger():
    with started(FORKED_BUSY) as server:
        output, errors = server.communicate(timeout=120)
    assert (output, errors, server.returncode) == ("done\n", "", 0)
