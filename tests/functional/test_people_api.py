"""pypicloud's /admin, /acct and /api/user, completed: shapes, statuses, and that they really do it."""

from __future__ import annotations

import pytest

from pypicloud_lite.access.model import Right
from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.access.sql_writer import writing
from pypicloud_lite.journal.model import Author
from pypicloud_lite.testing.world import basic

ADMIN = {"pypi.auth": "config sql"}


@pytest.fixture
def world(make_world):
    return make_world(ADMIN)


def as_user(name, password):
    return {"Authorization": basic(name, password)}


def ask(world, method, path, user="admin", status=200, json=None, **more):
    return world.send(method, path, user, status, json, **more)


def call(world, method, path, name, password, status=200):
    return world.app.request(path, method=method, headers=as_user(name, password), status=status)


def test_users_come_and_go(world):
    ask(world, "PUT", "/admin/user/dora", json={"password": "dora-pw"})
    assert ask(world, "GET", "/admin/user/dora").json == {
        "username": "dora",
        "admin": False,
        "groups": [],
        "roles": [],
        "backend": "sql",
    }
    assert {"username": "dora", "admin": False} in ask(world, "GET", "/admin/user").json
    assert call(world, "GET", "/api/user", "dora", "dora-pw").json["username"] == "dora"
    ask(world, "POST", "/admin/user/dora/password", json={"password": "other-pw"})
    call(world, "GET", "/api/user", "dora", "dora-pw", 401)
    call(world, "GET", "/api/user", "dora", "other-pw")
    ask(world, "DELETE", "/admin/user/dora")
    call(world, "GET", "/api/user", "dora", "other-pw", 401)
    ask(world, "GET", "/admin/user/dora", status=404)
    ask(world, "DELETE", "/admin/user/dora", status=404)


def test_the_documented_form_makes_an_admin(world):
    ask(world, "PUT", "/admin/user/dora", json={"password": "dora-pw"})
    headers = {"Authorization": basic("admin")}
    assert world.app.post("/admin/user/dora/admin", {"admin": "true"}, headers).json is True
    call(world, "GET", "/admin/user", "dora", "dora-pw")
    assert world.app.post("/admin/user/dora/admin", {"admin": "false"}, headers).json is False
    call(world, "GET", "/admin/user", "dora", "dora-pw", 403)


@pytest.mark.parametrize(
    ("method", "path", "json", "status", "said"),
    [
        ("PUT", "/admin/user/reader", {"password": "x"}, 409, "already"),
        ("PUT", "/admin/user/with%3Acolon", {"password": "x"}, 400, "':'"),
        ("PUT", "/admin/user/%2e%2e", {"password": "x"}, 400, "leave it out of a URL"),
        ("PUT", "/admin/group/.", None, 400, "leave it out of a URL"),
        ("PUT", "/admin/user/__token__", {"password": "x"}, 400, "__token__"),
        ("PUT", "/admin/user/dora", {"password": ""}, 400, "password"),
        ("PUT", "/admin/user/dora", {"pass": "x"}, 400, "takes these parameters: password"),
        ("DELETE", "/admin/user/reader", None, 409, "in config"),
        ("POST", "/admin/user/reader/password", {"password": "x"}, 409, "in config"),
        ("POST", "/admin/user/nobody/approve", None, 404, "waits"),
        ("POST", "/admin/user/nobody/admin", {"admin": True}, 404, "no user 'nobody'"),
        ("POST", "/admin/user/reader/admin", {"admin": "perhaps"}, 400, "admin"),
        ("POST", "/admin/user/reader/admin", {"admin": 1}, 400, "send true or false"),
        ("GET", "/admin/journal?actions=a;b", None, 400, "Parameter 'actions'"),
        ("PUT", "/admin/group/everyone", None, 400, "built in"),
        ("PUT", "/admin/user/reader/group/unknown", None, 404, "group unknown"),
        ("PUT", "/admin/user/reader/group/staff", None, 404, "group staff in the database"),
        ("DELETE", "/admin/group/unknown", None, 404, "group unknown"),
        ("GET", "/admin/group/unknown", None, 404, "no group"),
        ("PUT", "/admin/package/tool/user/nobody/read", None, 404, "no user 'nobody'"),
        ("PUT", "/admin/package/tool/group/nobody/read", None, 404, "no group 'nobody'"),
        ("PUT", "/admin/package/-/user/reader/read", None, 400, "project name"),
        ("PUT", "/admin/package/%E2%84%AA*/user/reader/read", None, 400, "project name or pattern"),
        ("GET", "/admin/package/*-", None, 400, "project name or pattern"),
        ("PUT", "/admin/package/tool/user/reader/own", None, 404, "nothing at this address"),
        ("POST", "/admin/register", {"allow": "maybe"}, 400, "allow"),
        ("GET", "/admin/token/dora", None, 409, "auth.signing_key"),
        ("GET", "/admin/rebuild", None, 405, "POST"),
        ("GET", "/acct/logout", None, 405, "POST"),
        ("GET", "/admin/journal?limit=0", None, 400, "limit"),
        ("GET", "/admin/journal?before=x", None, 400, "before"),
    ],
)
def test_what_is_wrong_is_said(world, method, path, json, status, said):
    answer = ask(world, method, path, status=status, json=json)
    assert said in answer.json["message"]


def test_groups_and_rights(world):
    ask(world, "PUT", "/admin/group/crew")
    ask(world, "PUT", "/admin/group/crew", status=409)
    ask(world, "PUT", "/admin/user/outsider/group/crew")
    ask(world, "PUT", "/admin/user/outsider/group/crew")
    for right in ("read", "write"):
        ask(world, "PUT", f"/admin/package/Some_Tool/group/crew/{right}")
    ask(world, "PUT", "/admin/package/some.tool/user/reader/read")
    assert ask(world, "GET", "/admin/package/some-tool").json == {
        "user": [{"username": "reader", "permissions": ["read"]}],
        "group": [{"group": "crew", "permissions": ["read", "write"]}],
    }
    assert ask(world, "GET", "/admin/group/crew").json == {
        "members": ["outsider"],
        "packages": [{"package": "some-tool", "permissions": ["read", "write"]}],
    }
    assert ask(world, "GET", "/admin/user/reader/permissions").json == [
        {"package": "some-tool", "permissions": ["read"]}
    ]
    assert "crew" in ask(world, "GET", "/admin/group").json
    ask(world, "DELETE", "/admin/package/some-tool/group/crew/write")
    ask(world, "DELETE", "/admin/group/crew")
    assert ask(world, "GET", "/admin/package/some-tool").json["group"] == []
    assert ask(world, "GET", "/admin/user/outsider").json["groups"] == []


@pytest.fixture
def on_any_database(make_world, database_url):
    return make_world({**ADMIN, "db.url": database_url})


def test_a_name_that_no_table_tells_apart_is_nobodys(on_any_database):
    world = on_any_database
    ask(world, "PUT", "/admin/user/dora", json={"password": "dora-pw"})
    ask(world, "PUT", "/admin/role/reader/user/dora")
    ask(world, "POST", "/admin/user/dora/token", status=201, json={"name": "x", "permissions": ["read"]})
    for sent in ("dora%20", "x" * 300):
        for method, path, json in (
            ("DELETE", f"/admin/user/{sent}", None),
            ("POST", f"/admin/user/{sent}/password", {"password": "x"}),
            ("POST", f"/admin/user/{sent}/approve", None),
            ("DELETE", f"/admin/user/{sent}/token/1", None),
            ("DELETE", f"/admin/role/reader/user/{sent}", None),
            ("DELETE", f"/admin/package/tool/group/{sent}/read", None),
            ("DELETE", f"/admin/group/{sent}", None),
        ):
            ask(world, method, path, status=404, json=json)
        assert ask(world, "GET", f"/admin/user/{sent}/token").json == {"tokens": []}
    assert ask(world, "GET", "/admin/user/dora").json["roles"] == ["reader"]
    assert len(ask(world, "GET", "/admin/user/dora/token").json["tokens"]) == 1


def test_an_owner_grants_on_its_own_project_and_no_other(world):
    ask(world, "PUT", "/admin/package/tool/user/writer/owner")
    ask(world, "PUT", "/admin/package/tool/user/reader/read", user="writer")
    ask(world, "PUT", "/admin/package/tool/user/reader/read", user="reader", status=403)
    ask(world, "PUT", "/admin/package/other/user/reader/read", user="writer", status=403)
    ask(world, "PUT", "/admin/package/to*/user/reader/read", user="writer", status=403)
    ask(world, "GET", "/admin/package/tool", user="writer")
    ask(world, "GET", "/admin/package", user="writer", status=403)
    ask(world, "PUT", "/admin/package/tool/user/reader/read", user=None, status=401)


def test_patterns_and_roles(world):
    ask(world, "PUT", "/admin/package/Team_*/user/outsider/read")
    assert ask(world, "GET", "/admin/package/team-a").json["user"] == [
        {"username": "outsider", "permissions": ["read"]}
    ]
    assert ask(world, "GET", "/admin/package/TEAM.*").json["user"] == [
        {"username": "outsider", "permissions": ["read"]}
    ]
    ask(world, "PUT", "/admin/role/writer/group/developers")
    assert ask(world, "GET", "/admin/role").json["writer"] == {"users": [], "groups": ["developers"]}
    assert ask(world, "GET", "/api/user", user="writer").json["roles"] == ["writer"]
    ask(world, "DELETE", "/admin/role/writer/group/developers")
    assert ask(world, "GET", "/api/user", user="writer").json["roles"] == []


def test_the_last_administrator_stays(make_world):
    world = make_world({"pypi.auth": "sql config", "auth.admins": "nobody"})
    with_hash = world.services.administration
    from pypicloud_lite.journal.model import Author

    with_hash.add_user("boss", "boss-pw", Author("test"), is_admin=True)
    for method, path, json in (
        ("DELETE", "/admin/user/boss", None),
        ("POST", "/admin/user/boss/admin", {"admin": False}),
        ("DELETE", "/admin/role/admin/user/boss", None),
    ):
        answer = world.app.request(
            path,
            method=method,
            headers={**as_user("boss", "boss-pw"), "Content-Type": "application/json"},
            body=b"" if json is None else b'{"admin": false}',
            status=409,
        )
        assert "administrator" in answer.json["message"]
    call(world, "GET", "/admin/user", "boss", "boss-pw")


def test_registration_waits_for_approval(world):
    world.app.put_json("/api/user/newbie", {"password": "newbie-pw"}, status=403)
    ask(world, "POST", "/admin/register", json={"allow": True})
    assert ask(world, "GET", "/admin/register").json == {"allow": True}
    world.app.put_json("/api/user/newbie", {"password": "newbie-pw"})
    world.app.put_json("/acct/login", {"username": "second", "password": "second-pw"})
    world.app.put_json("/api/user/newbie", {"password": "x"}, status=409)
    assert ask(world, "GET", "/admin/pending_users").json == ["newbie", "second"]
    call(world, "GET", "/api/user", "newbie", "newbie-pw", 401)
    ask(world, "POST", "/admin/user/newbie/approve")
    call(world, "GET", "/api/user", "newbie", "newbie-pw")
    ask(world, "DELETE", "/admin/user/second")
    assert ask(world, "GET", "/admin/pending_users").json == []
    headers = {"Authorization": basic("admin")}
    world.app.post("/admin/register", {"allow": "false"}, headers)
    world.app.put_json("/api/user/third", {"password": "x"}, status=403)


def test_T03_who_waits_under_anothers_name_gets_nothing_of_it_and_takes_nothing_along(make_world, world):
    ask(world, "POST", "/admin/register", json={"allow": True})
    world.app.put_json("/api/user/dora", {"password": "not-dora"})
    later = make_world({**ADMIN, "user.dora": hash_password("dora-pw", "pbkdf2_sha256", 1000)})
    ask(later, "PUT", "/admin/package/tool/user/dora/read")
    assert "in config" in ask(later, "POST", "/admin/user/dora/approve", status=409).json["message"]
    ask(later, "DELETE", "/admin/user/dora")
    assert ask(later, "GET", "/admin/pending_users").json == []
    assert ask(later, "GET", "/admin/user/dora/permissions").json == [{"package": "tool", "permissions": ["read"]}]
    call(later, "GET", "/api/user", "dora", "dora-pw")
    ask(later, "DELETE", "/admin/user/dora", status=409)


def test_a_name_that_has_rights_already_is_not_given_to_whoever_asks(make_world):
    kept = {"auth.readers": "auditor", "group.staff": "writer reader comer", "package.tool.user.guest": "r"}
    world = make_world({**ADMIN, **kept})
    ask(world, "POST", "/admin/register", json={"allow": True})
    for name in ("auditor", "comer", "guest"):
        said = world.app.put_json(f"/api/user/{name}", {"password": "x"}, status=409).json["message"]
        assert "is kept for somebody" in said
        ask(world, "PUT", f"/admin/user/{name}", json={"password": "x"})
    for name in ("everyone", "authenticated", "-"):
        assert (
            "stands for everybody"
            in ask(world, "PUT", f"/admin/user/{name}", status=400, json={"password": "x"}).json["message"]
        )


def test_registration_is_limited(world):
    ask(world, "POST", "/admin/register", json={"allow": True})
    statuses = [
        world.app.put_json(f"/api/user/many{number}", {"password": "x"}, status="*").status_int for number in range(12)
    ]
    assert statuses == [200] * 10 + [429] * 2


def test_a_registration_token_makes_one_account_once(make_world):
    world = make_world({**ADMIN, "auth.signing_key": "s" * 32})
    issued = ask(world, "GET", "/admin/token/dora").json
    assert issued["token_url"].endswith(f"/register?token={issued['token']}")
    answer = world.app.put_json("/acct/tokenRegister", {"token": issued["token"], "password": "dora-pw"})
    assert answer.json["next"] == "/"
    assert world.app.get("/api/user").json["username"] == "dora"
    world.app.reset()
    world.app.put_json("/acct/tokenRegister", {"token": issued["token"], "password": "x"}, status=409)
    ask(world, "DELETE", "/admin/user/dora")
    again = world.app.put_json("/acct/tokenRegister", {"token": issued["token"], "password": "x"}, status=409)
    assert "used already" in again.json["message"]
    # "****" is nothing to a decoder of base 64: the signature is right.
    for other in (issued["token"] + "x", issued["token"] + "****"):
        world.app.put_json("/acct/tokenRegister", {"token": other, "password": "x"}, status=400)


def test_odd_questions_to_the_journal_find_nothing(on_any_database):
    for asked in ("project=%00", "project=%C3%BC", "action=%00", "action=%C3%BC", "author=%00"):
        assert ask(on_any_database, "GET", f"/admin/journal?{asked}").json == {"entries": [], "next": None}


def test_everything_is_in_the_journal(world):
    ask(world, "PUT", "/admin/user/dora", json={"password": "dora-pw"})
    ask(world, "PUT", "/admin/package/tool/user/dora/read")
    page = ask(world, "GET", "/admin/journal?limit=1").json
    (newest,) = page["entries"]
    assert newest["action"] == "grant"
    assert newest["project"] == "tool"
    assert (newest["author"], newest["address"], newest["credential"]) == ("admin", "192.0.2.1", "password")
    assert newest["detail"] == {"kind": "user", "who": "dora", "right": "read"}
    assert ask(world, "GET", "/admin/journal?action=grant;add").json["entries"] == []
    older = ask(world, "GET", f"/admin/journal?before={page['next']}&author=admin").json
    assert [entry["action"] for entry in older["entries"]] == ["add user"]
    assert older["next"] is None
    assert "dora-pw" not in str(older)


def test_without_a_database_of_users_nothing_can_be_changed(make_world):
    world = make_world()
    for method, path, json in (
        ("PUT", "/admin/user/dora", {"password": "x"}),
        ("PUT", "/admin/group/crew", None),
        ("PUT", "/admin/package/tool/user/reader/read", None),
        ("POST", "/admin/register", {"allow": True}),
    ):
        assert "add sql to pypi.auth" in ask(world, method, path, status=409, json=json).json["message"]
    assert ask(world, "GET", "/admin/pending_users").json == []
    assert [user["username"] for user in ask(world, "GET", "/admin/user").json] == [
        "admin",
        "outsider",
        "reader",
        "writer",
    ]


def test_a_rebuild_is_asked_for_by_post(world):
    report = ask(world, "POST", "/admin/rebuild").json["report"]
    assert report["files"] == 0
    assert report["remarks"] == []
    ask(world, "POST", "/admin/rebuild", user="writer", status=403)


def test_t36_a_forged_request_of_a_session_is_in_the_journal(world):
    world.app.post_json("/acct/login", {"username": "reader", "password": "reader-pw"})
    world.app.put("/admin/group/crew", status=403)
    world.services.refusals.write()
    (line,) = ask(world, "GET", "/admin/journal?outcome=refused").json["entries"]
    assert (line["author"], line["action"], line["subject"]) == ("reader", "refuse", "PUT /admin/group/{group:[^/]+}")


@pytest.mark.parametrize("group", ["everyone", "authenticated"])
def test_nobody_owns_a_project_by_being_anybody(world, group):
    refused = ask(world, "PUT", f"/admin/package/tool/group/{group}/owner", status=409).json["message"]
    assert refused == f"The group {group} cannot be the owner of tool: name a user or a group of your own"
    ask(world, "PUT", f"/admin/package/too*/group/{group}/owner", status=409)
    ask(world, "PUT", f"/admin/package/tool/group/{group}/read")
    # A rule of before goes on to stand there, gives nothing, and can be taken away.
    with writing(world.services.database, world.services.clock, Author("test")) as writer:
        writer.set_right("tool", "group", group, Right.OWNER, given=True)
    ask(world, "PUT", "/admin/package/tool/user/reader/read", "writer", 403)
    ask(world, "DELETE", f"/admin/package/tool/group/{group}/owner")
