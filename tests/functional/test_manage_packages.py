"""The REST API of pypicloud: its shapes, and what it lacked."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import basic

OLD = build_wheel("demo", "1.0", summary="the old one")
RC = build_sdist("demo", "2.0rc1")
NEW = build_wheel("demo", "2.0", summary="the new one", requires_python=">=3.11")


@pytest.fixture
def demo(world):
    for artifact in (NEW, OLD, RC):
        world.upload(artifact)
    return world


def listed(world, path="/api/package/demo/", user="reader"):
    return [one["filename"] for one in world.send("GET", path, user).json["packages"]]


def test_the_list_of_projects(demo):
    demo.upload(build_sdist("Alpha.Beta", "1.0", stem="Alpha.Beta-1.0"), name="Alpha.Beta")
    assert demo.send("GET", "/api/package/").json == {"packages": ["alpha-beta", "demo"]}
    assert demo.send("GET", "/api/package").json == demo.send("GET", "/api/package/?verbose=false").json
    verbose = demo.send("GET", "/api/package/?verbose=true").json["packages"]
    assert [set(one) for one in verbose] == [{"name", "summary", "last_modified"}] * 2
    assert [one["name"] for one in verbose] == ["alpha-beta", "demo"]
    assert all(isinstance(one["last_modified"], int) for one in verbose)
    assert demo.send("GET", "/api/package/", "outsider").json == {"packages": []}
    assert demo.send("GET", "/api/package/", None).json == {"packages": []}


@pytest.mark.parametrize("value", ["0", "false", "no", "off"])
def test_a_false_that_was_true_in_pypicloud(demo, value):
    assert demo.send("GET", f"/api/package/?verbose={value}").json == {"packages": ["demo"]}


def test_the_files_of_a_project_in_pypiclouds_form(demo):
    answer = demo.send("GET", "/api/package/DeMo/", "writer").json
    assert set(answer) == {"packages", "write"}
    assert answer["write"] is True
    assert [one["filename"] for one in answer["packages"]] == [NEW.filename, RC.filename, OLD.filename]
    newest = answer["packages"][0]
    moment = newest.pop("last_modified")
    assert abs(moment - system_clock().timestamp()) < 60
    assert newest == {
        "name": "demo",
        "filename": NEW.filename,
        "version": "2.0",
        "url": f"http://localhost/packages/root/main/demo/{NEW.sha256[:16]}/{NEW.filename}#sha256={NEW.sha256}",
        "summary": "the new one",
        "metadata": {
            "requires_python": ">=3.11",
            "summary": "the new one",
            "hash_sha256": NEW.sha256,
            "hash_md5": newest["metadata"]["hash_md5"],
            "uploader": "writer",
        },
        "size": len(NEW.data),
        "yanked": False,
        "yanked_reason": None,
    }
    assert demo.send("GET", "/api/package/demo", "reader").json["write"] is False


def test_unknown_and_hidden_projects_are_an_empty_list_alike(make_world):
    world = make_world({"package.secret.user.admin": "rw"})
    world.upload(build_wheel("secret", "1.0"), "admin")
    secret = world.send("GET", "/api/package/secret/", "reader")
    assert secret.json == {"packages": [], "write": False}
    assert world.send("GET", "/api/package/absent/", "reader").body == secret.body
    assert world.send("GET", "/api/package/absent/", "writer").json == {"packages": [], "write": True}
    for path in ("/api/package/secret/", "/api/package/absent/"):
        assert world.send("GET", path, None, 401).json["error"] == "authentication-required"


def test_the_same_queries_whatever_is_there(make_world, queries):
    world = make_world({"package.secret.user.admin": "rw"})
    counts = set()
    for artifact in (build_wheel("secret", "1.0"), *(build_wheel("demo", f"{n}.0") for n in range(30))):
        world.upload(artifact, "admin")
    for path in ("/api/package/demo/", "/api/package/secret/"):
        with queries(world) as seen:
            world.send("GET", path, "reader")
        counts.add(len(seen))
    with queries(world) as seen:
        world.send("GET", "/api/package/?verbose=1", "reader")
    assert len(counts) == 1
    assert len(seen) == 1


def test_one_release(demo):
    assert listed(demo, "/api/package/demo/version/2.0-RC.1") == [RC.filename]
    assert demo.send("GET", "/api/package/demo/version/3.0", status=404).json["error"] == "not-found"
    assert demo.send("GET", "/api/package/demo/version/nonsense", status=404).json["error"] == "not-found"


def test_upload_at_a_files_own_address(world):
    answer = post(world, f"/api/package/demo/{OLD.filename}", OLD)
    assert answer.status_int == 200
    assert answer.json["filename"] == OLD.filename
    assert world.get(f"/api/package/demo/{OLD.filename}").body == OLD.data


@pytest.mark.parametrize(
    "path", [f"/api/package/other/{OLD.filename}", f"/api/package/demo/{NEW.filename}", "/api/package/de%20mo/x"]
)
def test_an_upload_goes_where_its_address_says_or_nowhere(world, path):
    answer = post(world, path, OLD, "admin")
    assert answer.status_int == 400
    assert "error" in answer.json
    assert world.send("GET", "/api/package/").json == {"packages": []}


def post(world, path, artifact, user="writer"):
    """As ``curl -F content=@FILE`` sends it."""
    files = [("content", artifact.filename, artifact.data)]
    return world.app.post(path, {}, {"Authorization": basic(user)}, upload_files=files, status="*")


def test_overwriting(make_world):
    world = make_world({"pypi.allow_overwrite_groups": "developers"})
    world.upload(OLD)
    other = build_wheel("demo", "1.0", body=b"other")
    assert post(world, f"/api/package/demo/{OLD.filename}", other).json["metadata"]["hash_sha256"] == other.sha256
    assert world.get(f"/api/package/demo/{OLD.filename}").body == other.data


def test_delete_a_release(demo):
    demo.upload(build_sdist("demo", "1.0"))
    answer = demo.send("DELETE", "/api/package/demo/version/1.0")
    assert sorted(answer.json["deleted"]) == sorted([OLD.filename, "demo-1.0.tar.gz"])
    assert listed(demo) == [NEW.filename, RC.filename]
    assert demo.send("DELETE", "/api/package/demo/version/1.0", status=404).json["error"] == "not-found"
    demo.upload(build_wheel("demo", "1.0", body=b"other"), status=409)
    demo.upload(OLD, status=200)


def test_delete_a_project_and_keep_its_name(demo):
    assert len(demo.send("DELETE", "/api/package/demo/").json["deleted"]) == 3
    assert listed(demo) == []
    assert demo.send("GET", "/api/package/").json == {"packages": []}
    demo.get("/simple/demo/", status=404)
    assert [info.key.value for info in demo.services.storage.list()] == ["root/main/demo/project.json"]
    demo.send("DELETE", "/api/package/demo/", status=404)
    assert demo.send("GET", "/api/package/demo/status").json["files"] == 0


def test_who_may_delete_nothing_at_all(make_world):
    world = make_world({"pypi.allow_delete_groups": ""})
    world.upload(OLD)
    assert world.send("DELETE", "/api/package/demo/", status=403).json["error"] == "permission-denied"
    world.send("PUT", "/api/package/demo/version/1.0/yank", status=403)
    world.send("DELETE", "/api/package/demo/", "admin")


def test_free_a_name(demo):
    conflict = demo.send("POST", "/admin/package/demo/free", "admin", 409)
    assert "3 files" in conflict.json["message"]
    demo.send("DELETE", "/api/package/demo/")
    demo.send("POST", "/admin/package/demo/free", "writer", 403)
    assert demo.send("POST", "/admin/package/Demo/free", "admin").json == {"freed": "demo"}
    assert list(demo.services.storage.list()) == []
    demo.send("GET", "/api/package/demo/status", status=404)
    demo.send("POST", "/admin/package/demo/free", "admin", 404)
    demo.upload(build_wheel("demo", "1.0", body=b"anything"), status=200)


def test_yank_and_unyank_a_file(demo):
    path = f"/api/package/demo/{NEW.filename}/yank"
    (yanked,) = demo.send("PUT", path, json={"reason": " broken\non  Windows "}).json["packages"]
    assert (yanked["yanked"], yanked["yanked_reason"]) == (True, "broken on Windows")
    assert yank_marks(demo) == {NEW.filename: "broken on Windows", OLD.filename: False, RC.filename: False}
    demo.get(f"/api/package/demo/{NEW.filename}", status=200)
    # A form, and the query, say the same.
    demo.app.put(path, {"reason": "a form"}, {"Authorization": basic("writer")})
    assert yank_marks(demo)[NEW.filename] == "a form"
    demo.send("PUT", f"{path}?reason=a+query")
    assert yank_marks(demo)[NEW.filename] == "a query"
    demo.send("PUT", path)
    assert yank_marks(demo)[NEW.filename] is True
    (restored,) = demo.send("DELETE", path).json["packages"]
    assert (restored["yanked"], restored["yanked_reason"]) == (False, None)
    assert set(yank_marks(demo).values()) == {False}


def test_yank_a_release(demo):
    demo.upload(build_sdist("demo", "2.0"))
    path = "/api/package/demo/version/2/yank"
    demo.send("PUT", path, status=404)
    path = "/api/package/demo/version/2.0/yank"
    assert len(demo.send("PUT", path, json={"reason": "bad"}).json["packages"]) == 2
    assert yank_marks(demo) == {
        NEW.filename: "bad",
        "demo-2.0.tar.gz": "bad",
        OLD.filename: False,
        RC.filename: False,
    }
    demo.send("DELETE", path)
    assert set(yank_marks(demo).values()) == {False}


def yank_marks(world):
    return {file["filename"]: file["yanked"] for file in world.project("demo")["files"]}


@pytest.mark.parametrize("path", ["/api/package/demo/absent-1.0.tar.gz/yank", "/api/package/demo/version/9/yank"])
def test_nothing_to_yank(demo, path):
    assert demo.send("PUT", path, status=404).json["error"] == "not-found"
    demo.send("DELETE", path, status=404)


def test_status(demo):
    path = "/api/package/demo/status"
    assert demo.send("GET", path).json == {"name": "demo", "status": "active", "reason": None, "files": 3}
    said = demo.send("PUT", path, "admin", json={"status": "archived", "reason": "use tea"})
    assert said.json == {"name": "demo", "status": "archived", "reason": "use tea", "files": 3}
    refused = demo.upload(build_wheel("demo", "3.0"), status=403)
    assert "archived (use tea)" in refused.status
    demo.get(f"/api/package/demo/{NEW.filename}", status=200)
    demo.send("PUT", path, "admin", json={"status": "active"})
    demo.upload(build_wheel("demo", "3.0"), status=200)
    assert (
        demo.send("PUT", "/api/package/absent/status", "admin", 404, {"status": "active"}).json["error"] == "not-found"
    )


def test_a_quarantined_project_is_shown_to_admins_alone(demo):
    demo.send("PUT", "/api/package/demo/status", "admin", json={"status": "quarantined", "reason": "looked into"})
    assert listed(demo) == []
    assert len(listed(demo, user="admin")) == 3
    assert demo.send("GET", "/api/package/", "writer").json == {"packages": []}
    assert demo.send("GET", "/api/package/", "admin").json == {"packages": ["demo"]}
    demo.get(f"/api/package/demo/{NEW.filename}", "admin", status=404)


@pytest.mark.parametrize(
    ("method", "path", "body", "word"),
    [
        ("PUT", "/api/package/demo/status", {"status": "frozen"}, "status"),
        ("PUT", "/api/package/demo/status", {}, "status"),
        ("PUT", "/api/package/demo/status", {"status": ["archived"]}, "status"),
        ("PUT", "/api/package/demo/status", {"status": "archived", "why": "x"}, "why"),
        ("PUT", "/api/package/demo/status", {"status": "archived", "reason": 7}, "reason"),
        ("PUT", "/api/package/demo/status", {"status": "archived", "reason": "x" * 501}, "reason"),
        ("PUT", f"/api/package/demo/{NEW.filename}/yank", {"reason": {}}, "reason"),
        ("PUT", f"/api/package/demo/{NEW.filename}/yank", ["reason"], "object"),
        ("PUT", f"/api/package/demo/{NEW.filename}/yank", {"raeson": "x"}, "raeson"),
        ("POST", "/admin/package/demo/free", {"sure": True}, "sure"),
        ("GET", "/api/package/?verbose=maybe", None, "verbose"),
        ("GET", "/api/package/?verbos=true", None, "verbos"),
    ],
)
def test_parameters_are_checked(demo, method, path, body, word):
    answer = demo.send(method, path, "admin", 400, json=body)
    assert answer.json["error"] == "invalid-request"
    assert word in answer.json["message"]
    assert demo.send("GET", "/api/package/demo/status").json["status"] == "active"


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{", 400),
        ("application/json", b"\xff", 400),
        ("application/json", b"[" * 60_000, 400),
        ("application/json", b'{"reason": "%s"}' % (b"x" * 70_000), 413),
        ("application/x-www-form-urlencoded", b"reason=1&reason=2", 400),
        ("application/x-www-form-urlencoded", b"reason=" + b"x" * 70_000, 413),
        ("text/plain", b"reason", 400),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="content"; filename="x"\r\n\r\n1\r\n--b--\r\n',
            400,
        ),
    ],
)
def test_bodies_that_nobody_should_send(demo, kind, body, status):
    headers = {"Authorization": basic("writer"), "Content-Type": kind}
    path = f"/api/package/demo/{NEW.filename}/yank"
    answer = demo.app.request(path, method="PUT", headers=headers, body=body, status=status)
    assert answer.content_type == "application/json"
    assert set(yank_marks(demo).values()) == {False}


def test_errors_are_json_below_api_and_admin(demo):
    for method, path, status in (
        ("POST", "/api/package/", 405),
        ("PATCH", "/api/package/demo/", 405),
        ("GET", "/admin/package/demo/free", 405),
        ("GET", "/api/nothing", 404),
        ("DELETE", "/api/package/demo/absent-1.tar.gz", 404),
        ("GET", "/api/package/-bad-/", 400),
    ):
        answer = demo.send(method, path, status=status, Accept="text/html")
        assert answer.content_type == "application/json", path
        assert {"code", "error", "message", "title"} <= set(answer.json)


def test_no_answer_is_kept_by_a_cache(demo):
    for path in ("/api/package/", "/api/package/demo/", "/api/package/demo/status"):
        assert demo.send("GET", path).headers["Cache-Control"] == "no-store"


def test_the_journal_tells_who_did_what(demo):
    with demo.services.catalog.read() as catalog:
        before = catalog.state().serial
    demo.send("PUT", f"/api/package/demo/{NEW.filename}/yank", json={"reason": "bad"})
    demo.send("PUT", "/api/package/demo/status", "admin", json={"status": "archived"})
    demo.send("DELETE", "/api/package/demo/version/1.0")
    with demo.services.catalog.read() as catalog:
        told = [(one.author.name, one.author.address, one.action, one.subject) for one in catalog.journal(before)]
    assert told == [
        ("writer", "192.0.2.1", "yank file", NEW.filename),
        ("admin", "192.0.2.1", "set status", None),
        ("writer", "192.0.2.1", "begin removal", OLD.filename),
        ("writer", "192.0.2.1", "remove file", OLD.filename),
    ]


def test_everything_is_back_after_the_database_is_lost(demo, make_world, tmp_path):
    demo.send("PUT", f"/api/package/demo/{NEW.filename}/yank", json={"reason": "bäd"})
    demo.send("PUT", f"/api/package/demo/{OLD.filename}/yank")
    demo.send("DELETE", f"/api/package/demo/{OLD.filename}/yank")
    demo.send("DELETE", f"/api/package/demo/{RC.filename}")
    demo.send("PUT", "/api/package/demo/status", "admin", json={"status": "archived", "reason": "tea"})
    demo.upload(build_wheel("gone", "1.0"))
    demo.send("DELETE", "/api/package/gone/")
    before = state(demo)
    demo.close()
    for path in (tmp_path / "data").glob("catalog.sqlite*"):
        path.unlink()
    again = make_world()
    again.services.resync_or_first()
    assert state(again) == before
    again.upload(build_sdist("demo", "2.0rc1", body=b"other"), "writer", status=403)
    again.send("PUT", "/api/package/demo/status", "admin", json={"status": "active"})
    again.upload(build_sdist("demo", "2.0rc1", body=b"other"), "writer", status=409)
    assert again.send("GET", "/api/package/gone/status").json["files"] == 0


def state(world):
    answers = [
        world.get("/simple/demo/", status=200, Accept=kind).body
        for kind in ("text/html", "application/vnd.pypi.simple.v1+json")
    ]
    paths = ("/api/package/demo/", "/api/package/?verbose=1", "/api/package/demo/status", "/api/package/gone/status")
    return [*answers, *(world.send("GET", path).json for path in paths)]


def test_what_a_dead_process_left_is_told_later(demo, monkeypatch, tmp_path, make_world):
    """The row is there, the document is not: the sweeper writes it."""

    class Died(BaseException):
        pass

    def die(*_arguments):
        raise Died

    changes = demo.services.ingest.changes
    for path, body in (
        (f"/api/package/demo/{NEW.filename}/yank", {"reason": "bad"}),
        ("/api/package/demo/status", {"status": "deprecated", "reason": "old"}),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(demo.services.storage, "write", die)
            with pytest.raises(Died):
                demo.send("PUT", path, "admin", json=body)
    later = system_clock() + timedelta(minutes=1)
    assert changes.settle_pending(later) == 2
    assert changes.settle_pending(later) == 0
    before = state_of(demo)
    demo.close()
    for path in (tmp_path / "data").glob("catalog.sqlite*"):
        path.unlink()
    again = make_world()
    again.services.resync_or_first()
    assert state_of(again) == before
    assert before["project-status"] == {"status": ProjectStatus.DEPRECATED, "reason": "old"}
    assert [file["yanked"] for file in before["files"] if file["filename"] == NEW.filename] == ["bad"]


def state_of(world):
    page = world.project("demo")
    return json.loads(json.dumps(page))


@pytest.fixture
def written(world, monkeypatch):
    """The keys of all documents that are written."""
    keys, write = [], world.services.storage.write

    def noted(key, data):
        keys.append(key)
        write(key, data)

    monkeypatch.setattr(world.services.storage, "write", noted)
    return keys


def test_deleting_many_files_writes_two_documents(world, written, queries):
    """However many there are: each file's reservation is in both."""
    counts = []
    for total in (3, 12):
        for number in range(total):
            world.upload(build_sdist(f"many{total}", f"{number}.0"))
        written.clear()
        with queries(world) as seen:
            world.send("DELETE", f"/api/package/many{total}/")
        counts.append((len(written), len(seen) / total))
        with world.services.catalog.read() as catalog:
            kept = catalog.reservations(world.services.index, ProjectName(f"many{total}"))
        assert len(kept) == total
    assert [documents for documents, _queries in counts] == [2, 2]
    assert counts[1][1] < counts[0][1]
