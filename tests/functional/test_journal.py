"""T36: who did what is in the journal, in the change's own transaction; refusals are counted; lines cannot be forged."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from pypicloud_lite.cli.audit import main as ppc_audit
from pypicloud_lite.journal.model import Outcome
from pypicloud_lite.journal.sql import AuditQuestion
from pypicloud_lite.manage.audit import Audit
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import basic

WHEEL = build_wheel("demo", "1.0")


@pytest.fixture
def world(make_world):
    return make_world({"pypi.auth": "config sql", "auth.signing_key": "s" * 32})


def entries(world, **wanted):
    return list(reversed(Audit(world.services.database).entries(AuditQuestion(limit=1000, **wanted))))


def added(world, do):
    before = {entry.id for entry in entries(world)}
    do()
    return [entry for entry in entries(world) if entry.id not in before]


CHANGES = [
    ("PUT", "/admin/user/dora", {"password": "dora-pw"}, "add user", "dora"),
    ("POST", "/admin/user/dora/password", {"password": "other"}, "set password", "dora"),
    ("POST", "/admin/user/dora/admin", {"admin": True}, "give role", "dora"),
    ("POST", "/admin/user/dora/admin", {"admin": False}, "take role", "dora"),
    ("PUT", "/admin/group/crew", None, "add group", "crew"),
    ("PUT", "/admin/user/dora/group/crew", None, "add member", "crew"),
    ("PUT", "/admin/role/reader/group/crew", None, "give role", "crew"),
    ("PUT", "/admin/package/demo/user/dora/write", None, "grant", "demo"),
    ("DELETE", "/admin/package/demo/user/dora/write", None, "revoke", "demo"),
    ("POST", "/admin/user/dora/token", {"name": "x", "permissions": ["read"]}, "create token", "token 1"),
    ("DELETE", "/admin/user/dora/token/1", None, "revoke token", "token 1"),
    ("DELETE", "/admin/user/dora/group/crew", None, "remove member", "crew"),
    ("DELETE", "/admin/group/crew", None, "remove group", "crew"),
    ("POST", "/admin/register", {"allow": True}, "set registration", "on"),
    ("DELETE", "/admin/user/dora", None, "remove user", "dora"),
    ("PUT", "/api/package/demo/status", {"status": "archived"}, "set status", None),
    ("PUT", "/api/package/demo/status", {"status": "active"}, "set status", None),
    ("PUT", f"/api/package/demo/{WHEEL.filename}/yank", {}, "yank file", WHEEL.filename),
    ("DELETE", f"/api/package/demo/{WHEEL.filename}/yank", None, "un-yank file", WHEEL.filename),
]


def test_T36_every_change_is_one_entry_and_a_repeated_one_is_none(world):
    world.upload(WHEEL, "admin")
    for method, path, body, action, subject in CHANGES:
        headers = {"Authorization": basic("admin"), "Content-Type": "application/json"}
        sent = b"" if body is None else json.dumps(body).encode()

        def do(method=method, path=path, headers=headers, sent=sent, status=None):
            world.app.request(path, method=method, headers=headers, body=sent, status=status)

        (entry,) = added(world, do)
        assert (entry.action, entry.subject, entry.outcome) == (action, subject, Outcome.DONE), path
        author = entry.author
        assert (author.name, author.address, author.credential) == ("admin", "192.0.2.1", "password")
        if method in {"PUT", "DELETE"} and "/user/dora" not in path.removesuffix("/group/crew"):
            assert added(world, lambda do=do: do(status="*")) == [], path


def test_T36_uploads_deletions_and_logins(world):
    (upload,) = added(world, lambda: world.upload(WHEEL, "writer"))
    assert (upload.action, upload.project, upload.subject) == ("add file", "demo", WHEEL.filename)
    assert added(world, lambda: world.upload(WHEEL, "writer")) == []
    removed = added(world, lambda: world.delete(f"/api/package/demo/{WHEEL.filename}"))
    assert [entry.action for entry in removed] == ["begin removal", "remove file"]
    login = {"username": "reader", "password": "reader-pw"}
    (entry,) = added(world, lambda: world.app.post_json("/acct/login", login))
    assert (entry.action, entry.author.name, entry.subject) == ("log in", "reader", "reader")
    assert added(world, lambda: world.get("/simple/", "reader")) == []


def test_T36_a_login_over_anothers_says_whose_session_it_ended(world):
    first = world.app.post_json("/acct/login", {"username": "reader", "password": "reader-pw"}).json
    login = {"username": "writer", "password": "writer-pw"}
    headers = {"X-CSRF-Token": first["csrf_token"]}
    ended, begun = added(world, lambda: world.app.post_json("/acct/login", login, headers=headers))
    assert (ended.action, ended.author.name, ended.subject) == ("log out", "writer", "reader")
    assert (begun.action, begun.author.name, begun.subject) == ("log in", "writer", "writer")


def test_T36_a_rebuild_says_who_asked_for_it(world):
    (entry,) = added(world, lambda: world.send("POST", "/admin/rebuild", "admin"))
    assert (entry.action, entry.author.name, entry.author.address) == ("rebuild", "admin", "192.0.2.1")


def test_T36_an_export_and_a_registration_token_say_who_asked(world):
    (export,) = added(world, lambda: world.get("/admin/acl.json.gz", "admin", 200))
    assert (export.action, export.author.name, export.author.address) == ("export people", "admin", "192.0.2.1")
    token = world.get("/admin/token/dora", "admin", 200).json["token"]
    (issued,) = entries(world, action="issue registration token")
    assert (issued.subject, issued.author.name, issued.outcome) == ("dora", "admin", Outcome.DONE)
    assert token not in str(entries(world))
    for path in ("/admin/acl.json.gz", "/admin/token/dora"):
        assert added(world, lambda path=path: world.get(path, "writer", 403)) == []


def test_T36_by_a_token_the_entry_names_it(world):
    made = world.send("POST", "/api/token", "writer", 201, {"name": "ci", "permissions": ["upload"]}).json
    headers = {"Authorization": basic("__token__", made["token"])}
    fields = {":action": "file_upload", "name": "demo", "version": "1.0"}
    files = [("content", WHEEL.filename, WHEEL.data)]
    (entry,) = added(world, lambda: world.app.post("/", fields, headers, upload_files=files))
    assert entry.author.credential == f"token {made['id']}"
    assert made["token"] not in str(entries(world))


def test_T36_refusals_are_counted_by_who_what_and_where(world):
    world.upload(WHEEL, "admin")
    for _ in range(3):
        world.get("/simple/", "reader", 200)
        world.app.get("/simple/", headers={"Authorization": basic("reader", "wrong-password")}, status=401)
    world.delete(f"/api/package/demo/{WHEEL.filename}", "reader", 403)
    world.app.get("/simple/demo/", status=401)
    assert entries(world, outcome=Outcome.REFUSED) == []
    assert world.services.refusals.write() == 2
    login, deletion = entries(world, outcome=Outcome.REFUSED)
    assert (login.action, login.author.name, login.detail["count"]) == ("refuse login", "reader", 3)
    assert (deletion.action, deletion.project, deletion.author.credential) == ("refuse", "demo", "password")
    assert "wrong-password" not in str([login, deletion])
    assert world.services.refusals.write() == 0


def test_T36_a_refused_login_of_a_browser_names_who_it_was_for(world):
    world.app.post_json("/acct/login", {"username": "reader", "password": "wrong-password"}, status=403)
    world.services.refusals.write()
    (refused,) = entries(world, outcome=Outcome.REFUSED)
    assert (refused.author.name, refused.subject) == ("reader", "POST /acct/login")


def test_T36_a_flood_of_different_refusals_stays_bounded(world, monkeypatch):
    monkeypatch.setattr(world.services.refusals, "_max_kinds", 5)
    for number in range(20):
        environ = {"REMOTE_ADDR": f"192.0.2.{number}"}
        headers = {"Authorization": basic(f"user{number}", "x")}
        world.app.get("/simple/", headers=headers, extra_environ=environ, status=401)
    assert world.services.refusals.write() <= 6
    assert sum(entry.detail["count"] for entry in entries(world, outcome=Outcome.REFUSED)) == 20


def test_T36_what_cannot_be_written_is_kept(world, monkeypatch):
    world.app.get("/simple/", headers={"Authorization": basic("reader", "x")}, status=401)

    def down():
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(world.services.refusals._database, "write", down)
        with pytest.raises(ConnectionError):
            world.services.refusals.write()
    assert world.services.refusals.write() == 1


def test_T36_housekeeping_writes_them_down(world):
    world.app.get("/simple/", headers={"Authorization": basic("reader", "x")}, status=401)
    world.services.housekeeping().do_chores()
    assert len(entries(world, outcome=Outcome.REFUSED)) == 1


def test_T36_a_name_cannot_forge_a_line(world, tmp_path):
    evil = "x\n2026-01-01 admin remove user \x1b[2Jboss"
    world.app.get("/simple/", headers={"Authorization": basic(evil, "x")}, status=401)
    world.services.refusals.write()
    config = tmp_path / "config.ini"
    config.write_text("[app:main]\nuse = egg:pypicloud_lite\n")
    shown = CliRunner().invoke(ppc_audit, ["-c", str(config), "--refused"])
    assert shown.exit_code == 0, shown.output
    assert len(shown.output.splitlines()) == 1
    assert "\x1b" not in shown.output
    as_json = CliRunner().invoke(ppc_audit, ["-c", str(config), "--refused", "--json"])
    assert json.loads(as_json.output)["author"] == evil


def test_ppc_audit_pages_through_all(world, tmp_path):
    for number in range(7):
        world.send("PUT", f"/admin/group/g{number}", "admin")
    config = tmp_path / "config.ini"
    config.write_text("[app:main]\nuse = egg:pypicloud_lite\n")
    shown = CliRunner().invoke(ppc_audit, ["-c", str(config), "-n", "3", "--action", "add group"])
    assert [line.rpartition(" ")[2] for line in shown.output.splitlines()] == ["g6", "g5", "g4"]
    assert "admin by password from 192.0.2.1: add group g6" in shown.output
