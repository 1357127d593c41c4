"""API tokens: made, used as clients send them, limited, ended."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from webtest import TestRequest

from pypicloud_lite.access.token_form import PREFIX, digest_of, is_token, new_secret
from pypicloud_lite.access.tokens import WantedToken
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel import moment
from pypicloud_lite.kernel.errors import AccessUnavailable, NotFound
from pypicloud_lite.kernel.moment import one_moment
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import basic
from pypicloud_lite.wiring import build

WHEEL = build_wheel("demo", "1.0")
TEAM = build_wheel("team-tool", "1.0")


class Time:
    def __init__(self):
        self.now = datetime(2026, 6, 1, 12, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def world(make_world, time):
    return make_world({"pypi.auth": "config sql"}, clock=time)


def make(world, user="writer", status=201, **wanted):
    body = {"name": "build", "permissions": ["read"], **wanted}
    return world.send("POST", "/api/token", user, status, body).json


def use(world, secret, path="/simple/", status=200, username="__token__", **more):
    return world.app.get(path, headers={"Authorization": basic(username, secret)}, status=status, **more)


def test_T05_a_token_has_a_form_that_scanners_know(world):
    secret = make(world)["token"]
    assert secret.startswith("ppcl_")
    assert not secret.startswith(("pypi-", "devpi-"))
    assert len(secret) == 54
    assert is_token(secret)
    for place in range(len(PREFIX), len(secret)):
        other = "b" if secret[place] == "a" else "a"
        assert not is_token(secret[:place] + other + secret[place + 1 :])
    assert len({new_secret() for _ in range(100)}) == 100


def test_T05_it_is_shown_once_and_kept_as_its_hash(world):
    made = make(world)
    secret = made["token"]
    listed = world.send("GET", "/api/token", "writer").json["tokens"]
    assert listed == [{name: value for name, value in made.items() if name != "token"}]
    with world.services.database.connect() as connection:
        for table in ("tokens", "journal", "sessions", "users"):
            rows = str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())
            assert secret not in rows
            assert (digest_of(secret) in rows) is (table == "tokens")


@pytest.mark.parametrize("username", ["__token__", "writer", ""])
def test_it_is_a_password(world, username):
    use(world, make(world)["token"], username=username)


def test_it_is_a_bearer_and_works_in_latin_1(world):
    secret = make(world)["token"]
    world.app.get("/simple/", headers={"Authorization": f"Bearer {secret}"}, status=200)
    header = "Basic " + b64encode(b"\xfc:" + secret.encode()).decode()
    world.app.get("/simple/", headers={"Authorization": header}, status=401)


@pytest.mark.parametrize(
    ("username", "change", "said"),
    [
        ("reader", lambda secret: secret, "another user's"),
        ("Writer", lambda secret: secret, "another user's"),
        ("__token__", lambda secret: secret[:-1], "not a whole token"),
        ("__token__", lambda secret: secret + "x", "not a whole token"),
        ("__token__", lambda _secret: new_secret(), "unknown or revoked"),
        ("__token__", lambda _secret: "writer-pw", "not a token of this server"),
        ("__token__", lambda _secret: "", "not a token of this server"),
    ],
)
def test_a_wrong_one_says_what_is_wrong(world, username, change, said):
    answer = use(world, change(make(world)["token"]), status=401, username=username)
    assert said in answer.text


def test_it_costs_no_hash_and_two_queries(world, queries, monkeypatch):
    secret = make(world)["token"]
    use(world, secret)
    monkeypatch.setattr("pypicloud_lite.access.passwords.verify_password", None)
    with queries(world) as seen:
        use(world, secret)
    assert len([statement for statement in seen if "tokens" in statement]) == 1
    assert len([statement for statement in seen if "access_state" in statement]) == 1


def test_F29_it_expires_with_thirty_seconds_of_leeway(world, time):
    secret = make(world, expires_in_days=1)["token"]
    time.now += timedelta(days=1, seconds=29)
    use(world, secret)
    time.now += timedelta(seconds=2)
    assert "has expired" in use(world, secret, status=401).text
    time.now -= timedelta(days=3)
    use(world, secret)


def test_the_usual_time_and_never(world, time):
    assert make(world)["expires"] == (time.now + timedelta(days=365)).isoformat()
    assert make(world, expires_in_days="never")["expires"] is None


def test_its_last_use_is_noted_once_a_minute(world, time):
    def used():
        (token,) = world.send("GET", "/api/token", "writer").json["tokens"]
        return token["last_used"], token["last_address"]

    secret = make(world)["token"]
    assert used() == (None, None)
    use(world, secret)
    first = used()
    assert first == (time.now.isoformat(), "192.0.2.1")
    time.now += timedelta(seconds=30)
    use(world, secret, extra_environ={"REMOTE_ADDR": "192.0.2.9"})
    assert used() == first
    time.now += timedelta(seconds=31)
    use(world, secret, extra_environ={"REMOTE_ADDR": "192.0.2.9"})
    assert used() == (time.now.isoformat(), "192.0.2.9")


def test_T04_networks(world):
    secret = make(world, networks=["192.0.2.0/28", "2001:db8::/32"])["token"]
    for address, status in (
        ("192.0.2.15", 200),
        ("192.0.2.16", 401),
        ("2001:db8:1::1", 200),
        ("2001:db9::1", 401),
        ("::ffff:192.0.2.3", 200),
        ("", 401),
    ):
        use(world, secret, status=status, extra_environ={"REMOTE_ADDR": address})


def test_T29_a_forwarded_address_opens_no_network(world):
    secret = make(world, networks=["192.0.2.77"])["token"]
    for header in ("X-Forwarded-For", "X_Forwarded_For", "Forwarded", "X-Real-IP"):
        value = "for=192.0.2.77" if header == "Forwarded" else "192.0.2.77"
        headers = {"Authorization": basic("__token__", secret), header: value}
        world.app.get("/simple/", headers=headers, status=401)


def test_T04_projects_hold_on_pages_files_uploads_and_listings(world):
    world.upload(WHEEL)
    secret = make(world, permissions=["read", "upload"], projects=["Team_*"])["token"]
    authorization = {"Authorization": basic("__token__", secret)}
    use(world, secret, "/simple/demo/", 404)
    use(world, secret, f"/packages/root/main/demo/{WHEEL.filename}", 404)
    for artifact, status in ((WHEEL, 403), (TEAM, 200)):
        name = artifact.filename.split("-")[0]
        fields = {":action": "file_upload", "name": name, "version": "1.0"}
        files = [("content", artifact.filename, artifact.data)]
        world.app.post("/", fields, authorization, upload_files=files, status=status)
    assert use(world, secret, "/api/package/").json == {"packages": ["team-tool"]}
    assert "demo" not in use(world, secret, "/simple/").text


def test_T04_a_token_is_never_more_than_its_user(world):
    secret = make(world, user="reader", permissions=["read", "upload", "delete"])["token"]
    fields = {":action": "file_upload", "name": "demo", "version": "1.0"}
    files = [("content", WHEEL.filename, WHEEL.data)]
    world.app.post("/", fields, {"Authorization": basic("__token__", secret)}, upload_files=files, status=403)


@pytest.mark.parametrize(
    ("wanted", "status", "said"),
    [
        ({"permissions": []}, 400, "permissions"),
        ({"permissions": ["write"]}, 400, "permissions"),
        ({"name": ""}, 400, "name"),
        ({"projects": ["a/b"]}, 400, "projects"),
        ({"networks": ["here"]}, 400, "networks"),
        ({"index": "main"}, 400, "index"),
        ({"expires_in_days": 0}, 400, "expires_in_days"),
        ({"expires_in_days": "soon"}, 400, "expires_in_days"),
        ({"expires_in_days": True}, 400, "expires_in_days"),
        ({"permissions": ["admin"]}, 403, "administrators"),
        ({"permissions": ["admin"], "projects": ["x"]}, 400, "no limits"),
    ],
)
def test_what_cannot_be_made(world, wanted, status, said):
    assert said in make(world, status=status, **wanted)["message"]
    assert world.send("GET", "/api/token", "writer").json == {"tokens": []}


def test_T03_a_revoked_one_is_out_at_once_and_nobody_elses_can_be_revoked(world):
    made = make(world)
    world.send("DELETE", f"/api/token/{made['id']}", "reader", 404)
    use(world, made["token"])
    world.send("DELETE", f"/api/token/{made['id']}", "writer")
    use(world, made["token"], status=401)
    world.send("DELETE", f"/api/token/{made['id']}", "writer", 404)


def test_T03_it_goes_with_its_user_and_does_not_come_back(world):
    world.send("PUT", "/admin/user/dora", "admin", json={"password": "dora-pw"})
    made = world.send("POST", "/admin/user/dora/token", "admin", 201, {"name": "x", "permissions": ["read"]}).json
    use(world, made["token"], username="dora")
    world.send("DELETE", "/admin/user/dora", "admin")
    use(world, made["token"], status=401)
    world.send("PUT", "/admin/user/dora", "admin", json={"password": "dora-pw"})
    use(world, made["token"], status=401)


def test_T03_one_that_is_revoked_while_its_upload_comes_in_stores_nothing(world, monkeypatch):
    made = make(world, permissions=["upload"])
    fields = [(":action", "file_upload"), ("name", "demo"), ("version", "1.0")]
    content_type, body = world.app.encode_multipart(fields, [("content", WHEEL.filename, WHEEL.data)])
    monkeypatch.setattr(moment, "_LONGEST", -1.0)

    class Slow(BytesIO):
        def read(self, size=-1):
            world.services.tokens.revoke_all("writer", Author("admin"))
            return super().read(size)

    request = TestRequest.blank("/", method="POST", headers={"Authorization": f"Bearer {made['token']}"})
    request.environ.update(CONTENT_TYPE=content_type, CONTENT_LENGTH=str(len(body)), REMOTE_ADDR="192.0.2.1")
    request.environ["wsgi.input"] = Slow(body)
    assert request.get_response(world.app.app).status_int == 401
    world.get("/simple/demo/", "admin", 404)


def test_T03_a_token_made_while_its_user_is_removed_is_none(world):
    world.send("PUT", "/admin/user/dora", "admin", json={"password": "dora-pw"})
    with one_moment():
        # The request has asked who dora is; another process removes her before it has its turn.
        assert world.services.access.lookup("dora") is not None
        other = build(world.loaded)
        other.administration.remove_user("dora", Author("admin"))
        other.database.dispose()
        with pytest.raises(NotFound, match="no user dora"):
            world.services.tokens.create(WantedToken("dora", "late"), Author("dora"))
    assert world.services.tokens.of("dora") == []


def test_T03_it_goes_with_a_user_of_the_file_too(make_world, time):
    world = make_world({"pypi.auth": "config sql"}, clock=time)
    secret = make(world)["token"]
    without = make_world({"pypi.auth": "config sql", "user.writer": None}, clock=time)
    use(without, secret, status=401)
    again = make_world({"pypi.auth": "config sql"}, clock=time)
    use(again, secret, status=401)


def test_a_robot_without_a_password_has_tokens(world):
    world.send("PUT", "/admin/user/robot", "admin")
    world.app.get("/simple/", headers={"Authorization": basic("robot", "!")}, status=401)
    made = world.send("POST", "/admin/user/robot/token", "admin", 201, {"name": "x", "permissions": ["read"]}).json
    assert made["username"] == "robot"
    use(world, made["token"], "/api/user")
    assert len(world.send("GET", "/admin/user/robot/token", "admin").json["tokens"]) == 1
    world.send("DELETE", f"/admin/user/robot/token/{made['id']}", "admin")
    use(world, made["token"], status=401)


def test_F30_while_its_users_backend_is_down_what_was_known_holds(world, monkeypatch):
    secret, unseen = make(world)["token"], make(world, user="reader")["token"]
    use(world, secret)
    config = world.services.access.backends()["config"]

    def down(_username):
        raise AccessUnavailable("down")

    monkeypatch.setattr(config, "lookup", down)
    use(world, secret)
    use(world, unseen, status=503)
    world.app.get("/simple/", headers={"Authorization": basic("writer")}, status=503)


def test_one_user_may_have_so_many(world, monkeypatch):
    monkeypatch.setattr("pypicloud_lite.access.tokens._MOST", 2)
    make(world)
    make(world)
    assert "limit" in make(world, status=409)["message"]
