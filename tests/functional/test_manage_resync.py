"""Rebuilding the catalog from a page: in the background, one of all, watched."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from webtest import TestApp

from pypicloud_lite.app import make_app
from pypicloud_lite.journal.model import Author
from pypicloud_lite.ops.tasks import TaskState
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import PASSWORDS, basic

HTML = {"Accept": "text/html,application/xhtml+xml"}
PAGE = "/manage/resync"


class SteppedStorage:
    """Reads a manifest only when it is told to; everything else as the storage does."""

    def __init__(self, storage):
        self._storage = storage
        self.asked, self.told = threading.Semaphore(0), threading.Semaphore(0)

    def __getattr__(self, name):
        return getattr(self._storage, name)

    def read(self, key):
        if key.value.endswith(".manifest.json"):
            self.asked.release()
            assert self.told.acquire(timeout=30)
        return self._storage.read(key)


@pytest.fixture
def stepped(world):
    """The world with two projects, over a storage whose every step is the test's."""
    for name in ("one", "two"):
        world.upload(build_wheel(name, "1.0"))
    storage = SteppedStorage(world.services.storage)
    world.services = replace(world.services, storage=storage)
    world.app = TestApp(make_app(world.services), extra_environ={"REMOTE_ADDR": "192.0.2.1"})
    yield world
    storage.told.release(100)
    end()


def end():
    for thread in threading.enumerate():
        if thread.name.startswith("task "):
            thread.join(30)


def log_in(world, user="admin"):
    world.app.reset()
    world.app.post("/login", {"username": user, "password": PASSWORDS[user]}, headers=HTML, status=303)


def see(world, path=PAGE, status=200):
    return world.app.get(path, headers=HTML, status=status)


def send(world, answered=303):
    form = next(one for one in see(world, "/account/").forms.values() if one.action.endswith("/logout"))
    return world.app.post(PAGE, {"csrf_token": form["csrf_token"].value}, headers=HTML, status=answered)


def test_it_is_for_administrators_and_needs_the_sessions_token(world):
    see(world, status=302)
    see(world, f"{PAGE}/progress", 401)
    log_in(world, "writer")
    see(world, status=403)
    see(world, f"{PAGE}/progress", 403)
    send(world, 403)
    log_in(world)
    assert "It has not been run yet." in see(world)
    assert see(world, f"{PAGE}/progress").json == {"state": "none", "done": 0, "total": 0}
    world.app.post(PAGE, {"csrf_token": "x"}, headers=HTML, status=403)
    assert world.services.rebuilds(9) == []


def test_it_runs_in_the_background_and_a_second_one_is_told_so(stepped):
    log_in(stepped)
    send(stepped)
    assert stepped.services.storage.asked.acquire(timeout=30)
    page = see(stepped)
    assert "by <bdi>admin</bdi>" in page
    assert "<progress" in page
    assert "Look again" in page
    assert see(stepped, f"{PAGE}/progress").json["state"] == "running"
    refused = send(stepped, 409)
    assert "runs already: admin started it" in refused
    assert "<progress" in refused
    called = stepped.app.post("/admin/rebuild", headers={"Authorization": basic("admin")}, status=409)
    assert "admin started it" in called.json["message"]
    stepped.services.storage.told.release(10)
    end()
    page = see(stepped)
    assert "0 restored" in page
    assert "There is nothing to remark on." in page
    assert see(stepped, f"{PAGE}/progress").json == {"state": "done", "done": 2, "total": 2}


def test_a_process_that_ends_leaves_it_interrupted(stepped):
    log_in(stepped)
    send(stepped)
    assert stepped.services.storage.asked.acquire(timeout=30)
    stepped.services.housekeeping().stop()
    assert "The last run was interrupted" in " ".join(see(stepped).text.split()).replace("<strong>", "")
    stepped.services.storage.told.release(10)
    end()
    (run,) = stepped.services.rebuilds(9)
    assert (run.state, run.started_by) == (TaskState.INTERRUPTED, "admin")


def test_remarks_are_text_and_earlier_runs_are_listed(world, tmp_path):
    (tmp_path / "data/packages/<b>odd").mkdir(parents=True)
    (tmp_path / "data/packages/<b>odd/x.txt").write_text("x")
    for name in ("admin", "<i>other"):
        world.services.rebuild(Author(name))
    log_in(world)
    page = see(world)
    assert "not a distribution file" in page
    assert "&lt;i&gt;other" in page
    assert "<b>odd" not in page.text
    assert "Earlier" in page
