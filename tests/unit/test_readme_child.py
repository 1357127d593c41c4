"""T14: whatever a README costs, the page is answered, the process that renders ends, and the next README is fine."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pypicloud_lite.readme import confinement, frames
from pypicloud_lite.readme.model import Kind, Markup
from pypicloud_lite.readme.process import Child, ChildDied, ChildOverran
from pypicloud_lite.readme.readmes import Readmes
from pypicloud_lite.readme.worker import Limits, Outcome, Worker

MARKDOWN = "text/markdown"
PATIENT = Limits(start_seconds=60, render_seconds=60)
GOOD = '<h3 id="readme-good">Good</h3>\n'
QUOTES = ">" * 50_000
DIVS = "<div>" * 50_000
BULLETS = "\n\n".join("  " * depth + "* x" for depth in range(300))
# each line with a number of 4,000 digits
DIGITS = f".. code::\n   :number-lines: 1{'0' * 4000}\n\n" + "   x\n" * 3000
# each & becomes five characters
AMPERSANDS = ("[x](https://example.com '" + "&" * 200 + "')\n\n") * 2100


@pytest.fixture
def new_readmes():
    """``new_readmes(…)``: Readmes that are closed after the test; patient, as the machine may be busy."""
    made = []

    def make(**options):
        made.append(Readmes(**{"patience": 120, "waiting": 100, "limits": PATIENT, **options}))
        return made[-1]

    yield make
    for readmes in made:
        readmes.close()


@pytest.fixture
def worker():
    made = Worker(PATIENT)
    yield made
    made.end()


@pytest.fixture
def child():
    started = Child()
    assert started.answer(soon()) == frames.READY
    yield started
    started.end()


def soon():
    return time.monotonic() + 60


def is_good(result):
    return (result.html, result.kind, result.fell_back, result.pending) == (GOOD, Kind.MARKDOWN, False, False)


def exists(pid):
    """Whether the process is there, even if only to be reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        threading.Event().wait(0.01)


GFM, RST = Markup(Kind.MARKDOWN, "GFM"), Markup(Kind.RST)


@pytest.mark.parametrize(
    ("markup", "text", "why"),
    [
        (GFM, DIVS, "it takes more than 2 s of processor time"),
        (RST, DIGITS, "it takes too much memory"),
    ],
    ids=["divs", "digits"],
)
def test_t14_a_readme_that_takes_too_much_ends_the_child(worker, markup, text, why):
    worker.render(GFM, "# Good")
    pid = worker.pid
    assert worker.render(markup, text) == Outcome(None, why)
    assert not exists(pid)
    assert worker.pid is None
    assert worker.render(GFM, "# Good") == Outcome(GOOD)


def test_t14_what_is_too_deep_or_too_large_is_answered_by_the_same_child(worker):
    assert worker.render(GFM, "# Good") == Outcome(GOOD)
    pid = worker.pid
    assert "RecursionError" in worker.render(RST, BULLETS).why
    assert worker.render(GFM, AMPERSANDS) == Outcome(None, "its HTML is larger than 2048 KiB")
    assert worker.render(GFM, "# Good") == Outcome(GOOD)
    assert worker.pid == pid


def test_t14_a_readme_that_takes_too_long_is_shown_as_it_is(new_readmes):
    readmes = new_readmes()
    result = readmes.render(QUOTES, MARKDOWN)
    assert (result.kind, result.fell_back, result.pending) == (Kind.PLAIN, True, False)
    assert result.html.startswith("<pre>\n&gt;&gt;")
    assert readmes.child is None
    before = time.monotonic()
    assert readmes.render(QUOTES, MARKDOWN) == result
    assert time.monotonic() - before < 0.5
    assert readmes.child is None
    assert is_good(readmes.render("# Good ", MARKDOWN))


def test_t14_the_deadline_holds_where_the_processor_time_does_not(new_readmes):
    readmes = new_readmes(limits=Limits(start_seconds=60, render_seconds=0.05))
    result = readmes.render(QUOTES, MARKDOWN)
    assert (result.kind, result.fell_back, result.pending) == (Kind.PLAIN, True, False)
    assert readmes.child is None


def test_t14_nobody_waits_longer_than_the_patience_and_the_next_gets_what_came_of_it(new_readmes):
    readmes = new_readmes(patience=0.05)
    before = time.monotonic()
    first = readmes.render("# Good", MARKDOWN)
    assert time.monotonic() - before < 1
    # A child starts in 100 ms at the very least.
    assert (first.html, first.kind, first.fell_back, first.pending) == ("<pre>\n# Good</pre>\n", Kind.PLAIN, True, True)
    wait_until(lambda: is_good(readmes.render("# Good", MARKDOWN)))


def test_t14_a_child_may_use_little(child):
    def limit(kind):
        return resource.prlimit(child.pid, kind)

    assert limit(resource.RLIMIT_AS) == (confinement.MEMORY, confinement.MEMORY)
    assert limit(resource.RLIMIT_FSIZE) == (0, 0)
    assert limit(resource.RLIMIT_CORE) == (0, 0)
    assert limit(resource.RLIMIT_NPROC) == (0, 0)
    assert limit(resource.RLIMIT_NOFILE)[1] <= 32
    for _ in range(3):
        child.send(frames.request(Markup(Kind.RST), "x"), soon())
        assert child.answer(soon()) == b"h<p>x</p>\n"
        assert limit(resource.RLIMIT_CPU)[0] <= confinement.CPU_SECONDS + 3
    assert os.getsid(child.pid) == child.pid
    assert Path(f"/proc/{child.pid}/cwd").readlink() == Path("/")
    # what a secret of the server's would be in
    assert b"PATH=" not in Path(f"/proc/{child.pid}/environ").read_bytes().replace(b"PYTHONPATH=", b"")
    assert len(list(Path(f"/proc/{child.pid}/fd").iterdir())) == 3


CONFINED = """
import os, socket, subprocess, sys
from pypicloud_lite.readme import confinement
from pypicloud_lite.readme.markup import LIBRARIES
import pygments.lexers
confinement.refuse_the_outside(LIBRARIES)
inside = os.path.join(LIBRARIES[0], "__init__.py")
open(inside).close()
pygments.lexers.get_lexer_by_name("ruby")
attempts = {
    "read": lambda: open(sys.argv[1]),
    "read a neighbour": lambda: open(LIBRARIES[0] + "/../../../" + sys.argv[1]),
    "read by descriptor": lambda: open(0),
    "read low": lambda: os.open(sys.argv[1], os.O_RDONLY),
    "write": lambda: open(inside, "r+"),
    "append": lambda: open(inside, "a"),
    "write low": lambda: os.open(inside, os.O_WRONLY),
    "connect": lambda: socket.create_connection(("127.0.0.1", 9)),
    "socket": lambda: socket.socket(),
    "resolve": lambda: socket.getaddrinfo("example.com", 80),
    "run": lambda: subprocess.run(["true"]),
    "system": lambda: os.system("true"),
    "fork": lambda: os.fork(),
    "execute": lambda: os.execv("/bin/true", ["true"]),
    "remove": lambda: os.remove(sys.argv[1]),
    "kill": lambda: os.kill(os.getppid(), 0),
}
for name, attempt in attempts.items():
    try:
        attempt()
    except PermissionError as error:
        assert "a README" in str(error), (name, error)
    else:
        sys.exit(f"{name} was not refused")
print("all refused")
"""


def test_t13_the_child_opens_and_starts_nothing(tmp_path):
    planted = tmp_path / "planted"
    planted.write_text("secret")
    done = subprocess.run([sys.executable, "-c", CONFINED, str(planted)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("all refused\n", "", 0)
    assert planted.read_text() == "secret"


def test_a_killed_child_is_replaced(new_readmes):
    readmes = new_readmes()
    assert is_good(readmes.render("# Good", MARKDOWN))
    for spaces in (1, 2, 3):
        pid = readmes.child
        os.kill(pid, signal.SIGKILL)
        assert is_good(readmes.render("# Good" + " " * spaces, MARKDOWN))
        assert readmes.child != pid
        assert not exists(pid)


def test_a_child_killed_while_it_renders_is_replaced_and_asked_once_more(new_readmes):
    readmes = new_readmes()
    readmes.render("# Good", MARKDOWN)
    first = readmes.child
    with ThreadPoolExecutor(1) as pool:
        # stopped, so that it is certainly not done when it is killed
        os.kill(first, signal.SIGSTOP)
        waiting = pool.submit(readmes.render, "# Good\n", MARKDOWN)
        wait_until(lambda: bool(readmes._futures))
        os.kill(first, signal.SIGKILL)
        assert is_good(waiting.result(60))
    assert readmes.child != first
    assert not exists(first)


def test_a_stopped_child_costs_the_deadline_and_its_readme_is_tried_again_after_a_minute(new_readmes):
    now = [0.0]
    readmes = new_readmes(limits=Limits(start_seconds=60, render_seconds=1), monotonic=lambda: now[0])
    readmes.render("# Other", MARKDOWN)
    first = readmes.child
    os.kill(first, signal.SIGSTOP)
    assert readmes.render("# Good", MARKDOWN).fell_back
    assert not exists(first)
    now[0] = 59
    assert readmes.render("# Good", MARKDOWN).fell_back
    now[0] = 60
    assert is_good(readmes.render("# Good", MARKDOWN))


def test_a_child_is_replaced_after_so_many_readmes():
    worker = Worker(Limits(start_seconds=60, render_seconds=60, renders=3))
    pids = []
    for number in range(7):
        assert worker.render(Markup(Kind.RST), f"x{number}").html == f"<p>x{number}</p>\n"
        pids.append(worker.pid)
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]
    worker.end()
    assert not any(exists(pid) for pid in pids)


def test_an_idle_child_ends(new_readmes):
    readmes = new_readmes(idle_seconds=0.05)
    assert is_good(readmes.render("# Good", MARKDOWN))
    wait_until(lambda: readmes.child is None)
    assert is_good(readmes.render("# Good\n", MARKDOWN))


def test_closing_ends_the_child_and_may_be_followed_by_more(new_readmes):
    readmes = new_readmes()
    for text in ("# Good", "# Good\n"):
        assert is_good(readmes.render(text, MARKDOWN))
        pid = readmes.child
        readmes.close()
        assert not exists(pid)


def test_closing_leaves_nobody_waiting(new_readmes):
    readmes = new_readmes()
    readmes.render("# Other", MARKDOWN)
    line, pid = readmes._line, readmes.child
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(readmes.render, f"# {number}", MARKDOWN) for number in range(3)]
        wait_until(lambda: len(readmes._futures) == 3)
        closing = threading.Thread(target=readmes.close)
        closing.start()
        wait_until(lambda: line._closing)
        os.kill(pid, signal.SIGCONT)
        closing.join(60)
        results = [one.result(60) for one in waiting]
    assert sorted(result.pending for result in results) == [False, True, True]
    assert not exists(pid)


def test_a_readme_is_rendered_once_however_many_ask(new_readmes):
    readmes = new_readmes()
    readmes.render("# Other", MARKDOWN)
    os.kill(readmes.child, signal.SIGSTOP)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(readmes.render, "# Good", MARKDOWN) for _ in range(8)]
        wait_until(lambda: readmes._turns._value == 92)
        assert len(readmes._futures) == 1
        os.kill(readmes.child, signal.SIGCONT)
        assert all(is_good(one.result(60)) for one in waiting)
    assert readmes._line._worker._renders == 2


def test_no_more_than_so_many_wait_and_are_in_line(new_readmes):
    readmes = new_readmes(waiting=1, places=2)
    readmes.render("# Other", MARKDOWN)
    os.kill(readmes.child, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(readmes.render, "# Good", MARKDOWN)
        wait_until(lambda: readmes._turns._value == 0)
        for number in range(5):
            assert readmes.render(f"# {number}", MARKDOWN).pending
        assert len(readmes._futures) == 2
        os.kill(readmes.child, signal.SIGCONT)
        assert is_good(waiting.result(60))
    wait_until(lambda: not readmes._futures)
    assert is_good(readmes.render("# Good", MARKDOWN))
    assert not readmes.render("# 0", MARKDOWN).pending


def test_a_server_whose_child_does_not_start_shows_text(new_readmes, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    readmes = new_readmes()
    result = readmes.render("# Good", MARKDOWN)
    assert (result.kind, result.fell_back, result.pending) == (Kind.PLAIN, True, False)
    monkeypatch.undo()
    # remembered, so that not every page tries
    assert readmes.render("# Good\n", MARKDOWN).fell_back


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("import sys", ChildDied),
        ("import time; time.sleep(60)", ChildOverran),
        ("print('x' * 99, flush=True)", ChildDied),
    ],
)
def test_a_child_that_is_none_is_noticed(monkeypatch, tmp_path, program, error):
    fake = tmp_path / "python"
    fake.write_text(f"#!{sys.executable}\n{program}\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    started = Child()
    with pytest.raises(error):
        started.answer(time.monotonic() + (0.2 if error is ChildOverran else 60))
    started.end()
    assert not exists(started.pid)
