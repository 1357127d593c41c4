"""Managing projects, the storage and a rebuild, by mouse and by keyboard alone."""

from __future__ import annotations

import threading
from dataclasses import replace
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

from pypicloud_lite.app import make_app
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import World


@pytest.fixture(scope="module", autouse=True)
def packages(publish):
    for artifact in (
        *(build_wheel("acme-billing", version, summary="Bills and sums") for version in ("1.0", "1.1", "2.0rc1")),
        build_sdist("acme-billing", "1.1"),
        build_wheel("acme-auth", "0.3"),
        build_wheel("a-project-with-a-name-that-is-longer-than-most-names-of-projects-are-anywhere", "1.0"),
        build_wheel("scrap", "1.0"),
    ):
        publish(artifact)


def test_a_release_is_yanked_with_a_reason_and_un_yanked(visit):
    visit.log_in("admin")
    page = visit.go("/project/acme-billing/1.0/")
    page.get_by_role("link", name="Manage this project").click()
    page.get_by_role("heading", name="Release 1.0").wait_for()
    page.get_by_role("link", name="Yank the release…").click()
    page.get_by_role("heading", name="Yank acme-billing 1.0?").wait_for()
    visit.shoot("manage-yank")
    page.get_by_label("Reason").fill("rounds wrongly")
    page.get_by_role("button", name="Yank it").click()
    page.get_by_text("rounds wrongly").first.wait_for()
    visit.shoot("manage-project")
    assert visit.go("/project/acme-billing/1.0/").get_by_text("This release was yanked. rounds wrongly").count() == 1
    page = visit.go("/manage/projects/acme-billing?version=1.0")
    page.get_by_role("button", name="Un-yank the release").click()
    page.get_by_role("link", name="Yank the release…").wait_for()
    assert page.get_by_text("rounds wrongly").count() == 0


def test_a_project_is_found_deleted_once_its_name_is_typed_and_freed_by_keyboard_alone(visit):
    visit.log_in("admin")
    page = visit.go("/manage/projects")
    visit.shoot("manage-projects")
    page.get_by_label("Name").focus()
    page.keyboard.type("scra")
    page.keyboard.press("Enter")
    page.wait_for_url("**/manage/projects?q=scra")
    page.get_by_role("link", name="scrap").focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Delete the project…").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Type scrap to go on").focus()
    page.keyboard.type("scrub")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("Nothing was changed").wait_for()
    visit.shoot("manage-delete")
    assert visit.statuses() == ["400"]
    page.get_by_label("Type scrap to go on").focus()
    page.keyboard.type("scrap")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("It has no file.").wait_for()
    page.get_by_role("link", name="Free the name…").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Type scrap to go on").focus()
    page.keyboard.type("scrap")
    page.keyboard.press("Enter")
    page.wait_for_url("**/manage/projects")
    assert page.get_by_role("link", name="scrap").count() == 0


def test_a_status_and_a_rule(visit):
    visit.log_in("admin")
    page = visit.go("/manage/projects/acme-auth")
    page.get_by_label("Status").select_option("deprecated")
    page.get_by_label("Reason").fill("use acme-login")
    page.get_by_role("button", name="Set the status").click()
    page.get_by_text("its status is deprecated: use acme-login").wait_for()
    page.get_by_label("For").select_option("the user")
    page.get_by_label("Name", exact=True).fill("writer")
    page.get_by_label("May").select_option("owner")
    page.get_by_role("button", name="Grant").click()
    page.get_by_role("cell", name="user writer", exact=True).wait_for()
    page.get_by_role("button", name="Log out").click()
    visit.log_in("writer")
    page = visit.go("/project/acme-auth/")
    page.get_by_role("link", name="Manage this project").click()
    page.get_by_role("heading", name="Manage acme-auth").wait_for()
    visit.shoot("manage-project-owner")
    assert page.get_by_role("link", name="Journal").count() == 0
    assert page.get_by_role("button", name="Grant").is_visible()


def test_the_room_that_files_take(visit):
    visit.log_in("admin")
    page = visit.go("/manage/users")
    page.get_by_role("link", name="Storage").click()
    page.get_by_role("img", name="Size of the largest projects").wait_for()
    assert page.get_by_text("are free on their disk").is_visible()
    visit.shoot("manage-storage")
    page.get_by_role("cell", name="acme-billing").get_by_role("link").click()
    page.get_by_role("heading", name="Manage acme-billing").wait_for()


class SteppedStorage:
    """Reads a manifest only when it is told to; everything else as the storage does."""

    def __init__(self, storage):
        self._storage = storage
        self.told = threading.Semaphore(0)

    def __getattr__(self, name):
        return getattr(self._storage, name)

    def read(self, key):
        if key.value.endswith(".manifest.json"):
            assert self.told.acquire(timeout=60)
        return self._storage.read(key)


class ThreadedServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_told):
        pass


@pytest.fixture
def stepped(tmp_path, visit):
    """The visit goes to a server of this process, whose storage takes each step of a rebuild when the test says so."""
    world = World(tmp_path)
    for number in range(4):
        world.upload(build_wheel(f"project-{number}", "1.0"))
    (tmp_path / "data/packages/notes.txt").write_text("no package")
    storage = SteppedStorage(world.services.storage)
    app = make_app(replace(world.services, storage=storage))
    with make_server("127.0.0.1", 0, app, ThreadedServer, Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        visit.url = f"http://127.0.0.1:{server.server_port}"
        yield storage
        storage.told.release(100)
        for thread in threading.enumerate():
            if thread.name.startswith("task "):
                thread.join(30)
        server.shutdown()
    world.close()


def test_a_rebuild_is_watched(visit, stepped):
    visit.log_in("admin")
    page = visit.go("/manage/resync")
    page.get_by_text("It has not been run yet.").wait_for()
    page.get_by_role("button", name="Start").click()
    page.get_by_role("heading", name="It runs").wait_for()
    for done in (1, 2, 3):
        stepped.told.release()
        page.get_by_text(f"{done} of 4 projects and files looked at").wait_for()
        assert page.get_by_role("progressbar").evaluate("bar => bar.value") == done
    visit.shoot("manage-resync-running")
    stepped.told.release()
    page.get_by_role("heading", name="The last run").wait_for()
    page.get_by_text("notes.txt").wait_for()
    visit.shoot("manage-resync")
