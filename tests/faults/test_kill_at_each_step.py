"""F01 to F04: the process dies after each single step of a change; what is left is the old state or the new one."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import urljoin

import pytest

from pypicloud_lite.catalog.model import ManifestState
from pypicloud_lite.indexes.manifest import decode_manifest
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.world import JSON, World

SCRIPT = Path(__file__).with_name("dying_process.py")
DEMO = ProjectName("demo")
LEAST_STEPS = {"upload": 6, "replace": 9, "remove": 8, "resync": 5}
ACTIVE, ARCHIVED = {"status": "active"}, {"status": "archived", "reason": "told so"}
# What is shown of two files before and after.
CURATION = {
    "yank": ([[False, False], ACTIVE, True], [["told so", "told so"], ACTIVE, True]),
    "status": ([[False, False], ACTIVE, True], [[False, False], ARCHIVED, True]),
    "remove all": ([[False, False], ACTIVE, True], [None, None, True]),
    "forget": ([None, None, True], [None, None, False]),
}


@pytest.fixture(scope="module")
def dying():
    """The names of the dying process."""
    spec = importlib.util.spec_from_file_location("dying_process", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def die(tmp_path):
    """``die(action)``: a folder for each step after which it died; the last one did not."""

    def run(action):
        command = [sys.executable, str(SCRIPT), str(tmp_path), action]
        subprocess.run(command, check=True, timeout=120)
        return sorted(tmp_path.iterdir(), key=lambda folder: int(folder.name))

    return run


@pytest.fixture(params=sorted(LEAST_STEPS))
def deaths(request, die):
    """The action, and a folder for each step after which it died."""
    folders = die(request.param)
    assert len(folders) > LEAST_STEPS[request.param]
    return request.param, folders


class Opened:
    """A world on what a dead process left."""

    def __init__(self, folder):
        settings = {"db.url": f"sqlite:///{folder}/data/catalog.sqlite", "storage.dir": f"{folder}/data/packages"}
        self.world = World(folder, settings)
        self.services = self.world.services

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.world.close()

    def page(self):
        return self.world.get("/simple/demo/", "reader", "*", Accept=JSON)

    def listed(self):
        """Digest by filename, each file and its sidecars having been read whole."""
        found = {}
        for file in self.page().json.get("files", []):
            url = urljoin("/simple/demo/", file["url"])
            sha256 = hashlib.sha256(self.world.get(url, status=200).body).hexdigest()
            assert sha256 == file["hashes"]["sha256"]
            if "core-metadata" in file:
                metadata = self.world.get(url + ".metadata", status=200).body
                assert hashlib.sha256(metadata).hexdigest() == file["core-metadata"]["sha256"]
            if file["gpg-sig"]:
                self.world.get(url + ".asc", status=200)
            found[file["filename"]] = sha256
        return found

    def settle(self):
        """What the sweeper does; every row has its manifest after it."""
        self.services.ingest.changes.settle_pending(system_clock() + timedelta(hours=1))
        with self.services.catalog.read() as catalog:
            rows = catalog.files(self.services.index, DEMO)
        for row in rows:
            told = decode_manifest(row.home, self.services.storage.read(row.manifest_key)).record
            assert row.manifest is ManifestState.DONE
            assert (told.key, told.serial, told.digests) == (row.key, row.serial, row.digests)

    def reserved(self):
        with self.services.catalog.read() as catalog:
            return [(each.filename, each.sha256) for each in catalog.reservations(self.services.index, DEMO)]


def allowed(action, dying, *, finished):
    """The states of the file that the action is about."""
    before = {"upload": None, "replace": dying.OLD.sha256, "remove": dying.OLD.sha256, "resync": None}[action]
    after = {"remove": None, "resync": dying.OLD.sha256}.get(action, dying.NEW.sha256)
    return [after] if finished else [before, after]


def test_f01_f04_old_state_or_new(deaths, dying, note):
    action, folders = deaths
    for folder in folders:
        steps = (folder / "steps").read_text().splitlines()
        finished = folder is folders[-1]
        note(f"{action}: died after step {len(steps)}, {steps[-1]}")
        with Opened(folder) as opened:
            if action != "resync":
                assert opened.listed()[dying.KEPT.filename] == dying.KEPT.sha256
            assert opened.listed().get(dying.OLD.filename) in allowed(action, dying, finished=finished)
            opened.settle()
            assert opened.listed().get(dying.OLD.filename) in allowed(action, dying, finished=finished)
            if action == "resync":
                opened.services.resync()
                assert opened.listed() == {a.filename: a.sha256 for a in (dying.KEPT, dying.OLD, dying.FOREIGN)}
            before, reserved = opened.page().json, opened.reserved()
        if action == "remove" and not finished:
            # Dead between row and project.json: a deletion that nobody was told of loses its serial, nothing else.
            before.pop("meta", None)
        assert_rebuilt(folder, before, reserved)
        again(folder, action, dying)


def assert_rebuilt(folder, before, reserved):
    """The database is lost, and no package with it."""
    for path in (folder / "data").glob("catalog.sqlite*"):
        path.unlink()
    with Opened(folder) as opened:
        opened.services.resync()
        after = opened.page().json
        assert opened.reserved() == reserved
        assert opened.listed() == {file["filename"]: file["hashes"]["sha256"] for file in before["files"]}
    assert json.dumps({name: after[name] for name in before}) == json.dumps(before)


def again(folder, action, dying):
    """Whoever got no answer asks once more."""
    with Opened(folder) as opened:
        if action == "remove":
            opened.world.delete(f"/api/package/demo/{dying.OLD.filename}", status="*")
            assert dying.OLD.filename not in opened.listed()
        elif action != "resync":
            opened.world.upload(dying.NEW, "admin", status=200, signature=dying.SIGNATURE)
            assert opened.listed()[dying.NEW.filename] == dying.NEW.sha256
        opened.settle()


@pytest.mark.parametrize("action", CURATION)
def test_f01_f04_curation_is_whole_or_not_at_all(die, note, action):
    """What anybody sees is all of the change or nothing of it; a rebuild after the sweeper finds the same."""
    seen = []
    for folder in die(action):
        steps = (folder / "steps").read_text().splitlines()
        note(f"{action}: died after step {len(steps)}, {steps[-1]}")
        with Opened(folder) as opened:
            seen.append(shown(opened))
            opened.settle()
            settled, page, reserved = shown(opened), opened.page().body, opened.reserved()
            seen.append(settled)
        for path in (folder / "data").glob("catalog.sqlite*"):
            path.unlink()
        with Opened(folder) as opened:
            opened.services.resync()
            rebuilt = shown(opened)
            if rebuilt != settled:
                # Who died before project.json went keeps the name private for longer.
                assert (action, rebuilt, settled) == ("forget", *CURATION["forget"])
            else:
                assert (opened.page().body, opened.reserved()) == (page, reserved)
    # It dies after the first commit at the earliest, which is the change.
    assert {json.dumps(one) for one in seen} == {json.dumps(CURATION[action][1])}


def shown(opened):
    """What anybody sees of DEMO: the marks of its files, its status, and whether its name is known."""
    page = opened.page()
    marks, status = None, None
    if page.status_int == 200:
        marks, status = [file["yanked"] for file in page.json["files"]], page.json["project-status"]
    with opened.services.catalog.read() as catalog:
        return [marks, status, catalog.project(opened.services.index, DEMO) is not None]
