"""Users in devpi's way: every status, and what an answer shows to whom."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from pypicloud_lite.access.model import Identity, Role
from pypicloud_lite.access.tokens import WantedToken
from pypicloud_lite.devpi.settings import DevpiSettings
from pypicloud_lite.indexes.options import Kind
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import JSON, PASSWORDS, user_settings
from pypicloud_lite.wiring import load_raw

ADMIN = Identity("admin", roles=frozenset({Role.ADMIN}))
OPEN = {"pypi.auth": "sql config", "devpi.open_registration": "true"}


@pytest.fixture
def world(make_world):
    return make_world({"pypi.auth": "sql config"})


def auth(user, secret=None):
    return base64.b64encode(f"{user}:{PASSWORDS.get(user) if secret is None else secret}".encode()).decode()


def call(world, method, path, user=None, secret=None, status=200, document=None, **headers):
    """As the client sends it; every answer must be one that it can show."""
    sent = {"Accept": "application/json", "Content-Type": "application/json", **headers}
    if user is not None:
        sent["X-Devpi-Auth"] = auth(user, secret)
    body = b"" if document is None else json.dumps(document).encode()
    answer = world.app.request(path, method=method, headers=sent, body=body, status=status)
    assert answer.headers["X-DEVPI-API-VERSION"] == "2"
    assert answer.headers["Content-Type"] == "application/json"
    assert "Location" not in answer.headers
    if status >= 400:
        assert answer.json["message"]
    return answer.json


def add(world, name, password="pw-of-it", **more):
    return call(world, "PUT", f"/{name}", "admin", status=201, document={"password": password, **more})["result"]


def log_in(world, name, password="pw-of-it", status=200):
    answer = call(world, "POST", "/+login", status=status, document={"user": name, "password": password})
    return answer["result"]["password"] if status == 200 else answer


def make_index(world, name, **options):
    world.services.indexes.create(IndexName.parse(name), Kind.STAGE, options, ADMIN, Author("admin"))


# Making one


def test_an_administrator_makes_a_user_who_can_log_in(world):
    made = call(
        world,
        "PUT",
        "/alice",
        "admin",
        status=201,
        document={"password": "pw", "email": "alice@example.com", "title": "Alice", "custom_data": {"team": ["a", 1]}},
    )
    assert made["type"] == "userconfig"
    created = made["result"].pop("created")
    assert len(created) == len("2026-11-20T16:42:58Z")
    assert created.endswith("Z")
    expected = {
        "username": "alice",
        "indexes": {},
        "email": "alice@example.com",
        "title": "Alice",
        "custom_data": {"team": ["a", 1]},
    }
    assert made["result"] == expected
    token = log_in(world, "alice", "pw")
    assert call(world, "GET", "/alice", "alice", token)["result"] == {**expected, "created": created}


@pytest.mark.parametrize("name", ["a.b", "a_b", "a-b", "7of9", "Alice", "a@example.com", "_x_", "admin2", "häns"])
def test_names_that_devpi_knows_are_names_here(world, name):
    path = f"/{quote(name)}"
    assert call(world, "PUT", path, "admin", status=201, document={"password": "pw"})["result"]["username"] == name
    assert call(world, "GET", path, "admin")["result"]["username"] == name


@pytest.mark.parametrize("name", ["a%20b", "a:b", "+x", "a%22b", "a%3Fb", "a*b", "__token__", "everyone", "a" * 101])
def test_names_that_no_client_could_send_are_not(world, name):
    call(world, "PUT", f"/{name}", "admin", status=400, document={"password": "pw"})


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"email": "a@example.com"},
        {"pwhash": "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$aGFzaA"},
        {"password": "pw", "pwhash": "x"},
        {"password": "pw", "colour": "red"},
        {"password": None},
        {"password": 7},
        {"password": "pw", "email": 7},
        {"password": "pw", "email": "a\nb"},
        {"password": "pw", "email": "a" * 400},
        {"password": "pw", "title": "nul\0"},
        {"password": "pw", "custom_data": "x" * 10_001},
        ["password"],
        "password",
        7,
    ],
)
def test_what_cannot_be_understood_makes_no_user(world, document):
    call(world, "PUT", "/alice", "admin", status=400, document=document)
    call(world, "GET", "/alice", "admin", status=404)


def test_a_body_that_is_no_json_or_too_long_is_refused(world):
    headers = {"X-Devpi-Auth": auth("admin"), "Accept": "application/json"}
    for body, status in ((b"", 400), (b"{", 400), (b"[" * 100_000, 400), (b"\xff", 400), (b"x" * 300_000, 413)):
        answer = world.app.request("/alice", method="PUT", headers=headers, body=body, status=status)
        assert answer.json["message"]
        assert answer.headers["Content-Type"] == "application/json"


def test_a_user_that_is_there_is_a_conflict_whichever_backend_knows_it(world):
    add(world, "alice")
    for name in ("alice", "writer"):
        call(world, "PUT", f"/{name}", "admin", status=409, document={"password": "pw"})


def test_only_administrators_make_users(world):
    call(world, "PUT", "/alice", status=401, document={"password": "pw"})
    call(world, "PUT", "/alice", "writer", status=403, document={"password": "pw"})
    call(world, "GET", "/alice", "admin", status=404)


def test_where_users_cannot_be_changed_it_is_a_conflict(make_world):
    world = make_world()
    message = call(world, "PUT", "/alice", "admin", status=409, document={"password": "pw"})["message"]
    assert "pypi.auth" in message
    call(world, "PATCH", "/writer", "writer", status=409, document={"password": "pw"})
    call(world, "DELETE", "/writer", "admin", status=409)
    # What people say of themselves is kept here, whoever knows them.
    call(world, "PATCH", "/writer", "writer", document={"title": "Scribe"})
    assert call(world, "GET", "/writer", "writer")["result"]["title"] == "Scribe"


class TestOpenRegistration:
    def test_anybody_makes_an_account_and_logs_in(self, make_world):
        world = make_world(OPEN)
        document = {"password": "pw", "email": "a@example.com"}
        made = call(world, "PUT", "/alice", status=201, document=document)["result"]
        assert (made["username"], made["email"], made["indexes"]) == ("alice", "a@example.com", {})
        assert call(world, "GET", "/+api", "alice", log_in(world, "alice", "pw"))["result"]["authstatus"][0] == "ok"

    def test_so_does_somebody_who_is_logged_in(self, make_world):
        world = make_world(OPEN)
        call(world, "PUT", "/alice", "writer", status=201, document={"password": "pw"})

    def test_it_is_counted_like_registration(self, make_world):
        world = make_world({**OPEN, "auth.limit_user": "2"})
        for name, status in (("a1", 201), ("a2", 201), ("a3", 429)):
            call(world, "PUT", f"/{name}", status=status, document={"password": "pw"})

    def test_names_that_are_kept_are_not_given_to_strangers(self, make_world):
        world = make_world({**OPEN, "package.tool.user.bob": "rw", "index.acme/stable.title": "Ours"})
        for name in ("root", "bob", "acme"):
            call(world, "PUT", f"/{name}", status=409, document={"password": "pw"})
            call(world, "PUT", f"/{name}", "admin", status=201, document={"password": "pw"})

    def test_no_stranger_gets_an_empty_password(self, make_world):
        call(make_world(OPEN), "PUT", "/alice", status=400, document={"password": ""})


# Who sees whom


def test_everybody_who_is_logged_in_sees_the_users_but_not_their_addresses(world):
    add(world, "alice", email="alice@example.com", title="Alice")
    make_index(world, "alice/dev", title="Mine")
    listing = call(world, "GET", "/", "reader")
    assert listing["type"] == "list:userconfig"
    result = listing["result"]
    assert set(result) == {"admin", "alice", "outsider", "reader", "root", "writer"}
    assert "email" not in result["alice"]
    assert result["alice"]["title"] == "Alice"
    assert result["alice"]["indexes"]["dev"]["volatile"] is True
    assert result["writer"] == {"username": "writer", "indexes": {}}
    assert "main" in result["root"]["indexes"]
    assert all("volatile" in index for user in result.values() for index in user["indexes"].values())
    for user, secret in (("alice", "pw-of-it"), ("admin", None)):
        assert call(world, "GET", "/", user, secret)["result"]["alice"]["email"] == "alice@example.com"
        assert call(world, "GET", "/alice", user, secret)["result"]["email"] == "alice@example.com"
    assert "email" not in call(world, "GET", "/alice", "reader")["result"]


def test_the_list_takes_the_clients_empty_body(world):
    assert call(world, "GET", "/", "reader", document={})["type"] == "list:userconfig"


def test_an_anonymous_caller_sees_owners_of_indexes_that_it_may_see(make_world):
    world = make_world({"pypi.auth": "sql config", "pypi.default_read": "everyone"})
    add(world, "alice", email="alice@example.com", title="Alice", custom_data="secret plans")
    add(world, "bob")
    make_index(world, "alice/dev")
    make_index(world, "bob/private", acl_read=["bob"])
    result = call(world, "GET", "/")["result"]
    assert set(result) == {"alice", "root"}
    assert set(result["alice"]) == {"username", "indexes", "title"}
    assert set(call(world, "GET", "/alice")["result"]) == {"username", "indexes", "title"}
    for name in ("bob", "nobody"):
        call(world, "GET", f"/{name}", status=404)


def test_an_anonymous_caller_sees_nothing_where_nothing_is_public(world):
    add(world, "alice")
    make_index(world, "alice/dev")
    assert call(world, "GET", "/")["result"] == {}
    answers = {call(world, "GET", f"/{name}", status=401)["message"].replace(name, "X") for name in ("alice", "nobody")}
    assert len(answers) == 1


def test_indexes_that_somebody_may_not_see_are_not_listed(world):
    add(world, "alice")
    make_index(world, "alice/open")
    make_index(world, "alice/closed", acl_read=["alice"])
    for path in ("/", "/alice"):
        document = call(world, "GET", path, "reader")["result"]
        assert set(document.get("alice", document)["indexes"]) == {"open"}
    assert set(call(world, "GET", "/alice", "alice", "pw-of-it")["result"]["indexes"]) == {"open", "closed"}


def test_a_token_with_limits_sees_no_other_users(world):
    secret, _ = world.services.tokens.create(WantedToken("reader", "ci"), Author("reader"))
    add(world, "alice", email="alice@example.com")
    assert set(call(world, "GET", "/", "reader", secret)["result"]) == {"root"}
    call(world, "GET", "/alice", "reader", secret, status=404)
    assert call(world, "GET", "/reader", "reader", secret)["result"]["username"] == "reader"
    call(world, "PATCH", "/reader", "reader", secret, status=403, document={"title": "x"})
    call(world, "DELETE", "/reader", "reader", secret, status=403)


def test_credentials_of_a_mirror_are_not_shown(world):
    world.services.indexes.create(
        IndexName.parse("root/far"),
        Kind.MIRROR,
        {"mirror_url": "https://me:hidden@i.example.com/simple/"},
        ADMIN,
        Author("a"),
    )
    text = json.dumps(call(world, "GET", "/", "admin"))
    assert "hidden" not in text
    assert "https://***@i.example.com/simple/" in text


def test_the_list_costs_as_many_queries_with_many_users_and_indexes(world, queries):
    counts = []
    for number in range(3):
        add(world, f"user{number}", email="x@example.com")
        make_index(world, f"user{number}/dev")
        call(world, "GET", "/", "reader")
        with queries(world) as seen:
            call(world, "GET", "/", "reader")
        counts.append(len(seen))
    assert counts[0] == counts[2] <= 5


def test_the_name_of_a_reserved_word_is_a_user_where_json_is_asked_for(world):
    assert call(world, "GET", "/admin", "reader")["result"]["username"] == "admin"
    call(world, "GET", "/packages-not", "reader", status=404)


@pytest.mark.parametrize("accept", [JSON, "text/html", "*/*", f"{JSON}, application/json;q=0.5"])
def test_others_get_what_they_got(world, accept):
    """A project and a user of one name: only JSON alone means the user."""
    world.upload(build_wheel("alice", "1.0"))
    add(world, "alice")
    assert "alice-1.0" in world.get("/alice/", Accept=accept).text
    assert world.get("/", Accept=accept).headers["Content-Type"].startswith("text/html")
    assert call(world, "GET", "/alice", "reader")["type"] == "userconfig"
    assert call(world, "GET", "/alice/", "reader")["type"] == "userconfig"


# Changing one


def test_the_client_sends_back_what_it_was_told(world):
    add(world, "alice", email="alice@example.com", title="Alice")
    config = call(world, "GET", "/alice", "alice", "pw-of-it")["result"]
    assert "modified" not in config
    sent = {name: value for name, value in config.items() if name not in {"indexes", "username"}}
    assert set(call(world, "PATCH", "/alice", "alice", "pw-of-it", document=sent)) == {"message"}
    assert call(world, "GET", "/alice", "alice", "pw-of-it")["result"] == config
    call(
        world, "PATCH", "/alice", "alice", "pw-of-it", document={**config, "title": "Chief", "email": "", "pwhash": "x"}
    )
    after = call(world, "GET", "/alice", "alice", "pw-of-it")["result"]
    assert after.pop("modified")
    assert after == {"username": "alice", "indexes": {}, "created": config["created"], "title": "Chief"}
    call(world, "PATCH", "/alice", "admin", document={"type": "userconfig", "result": {"description": "by\nadmin"}})
    assert call(world, "GET", "/alice", "reader")["result"]["description"] == "by\nadmin"


def test_who_may_not_change_a_user(world):
    add(world, "alice")
    call(world, "PATCH", "/alice", status=403, document={"title": "x"})
    call(world, "PATCH", "/nobody", status=403, document={"title": "x"})
    call(world, "PATCH", "/alice", "reader", status=403, document={"title": "x"})
    call(world, "PATCH", "/alice", "alice", "wrong", status=401, document={"title": "x"})
    call(world, "PATCH", "/nobody", "admin", status=404, document={"title": "x"})
    assert "title" not in call(world, "GET", "/alice", "admin")["result"]


@pytest.mark.parametrize("document", [{"password": 7}, {"password": ""}, {"email": 7}, {"title": "a\nb"}, []])
def test_a_change_that_cannot_be_understood_changes_nothing(world, document):
    add(world, "alice")
    before = call(world, "GET", "/alice", "admin")
    call(world, "PATCH", "/alice", "alice", "pw-of-it", status=400, document=document)
    assert call(world, "GET", "/alice", "admin") == before
    log_in(world, "alice")


def test_a_password_change_ends_all_but_the_token_that_made_it(world):
    add(world, "alice")
    maker, other = log_in(world, "alice"), log_in(world, "alice")
    ci, _ = world.services.tokens.create(WantedToken("alice", "ci"), Author("alice"))
    writers, _ = world.services.tokens.create(WantedToken("writer", "ci"), Author("writer"))
    login = {"username": "alice", "password": "pw-of-it"}
    session = world.app.post_json("/acct/login", login).headers["Set-Cookie"].split(";")[0]
    world.app.reset()
    config = call(world, "GET", "/alice", "alice", maker)["result"]
    assert world.app.get("/account/", headers={"Cookie": session}).status_int == 200
    answer = call(world, "PATCH", "/alice", "alice", maker, document={**config, "password": "newer"})
    assert answer["type"] == "userpassword"
    assert answer["result"]["expiration"] == 36000
    assert answer["message"]
    fresh = answer["result"]["password"]
    for secret in (maker, fresh, "newer"):
        assert call(world, "GET", "/+api", "alice", secret)["result"]["authstatus"][:2] == ["ok", "alice"]
    for secret in (other, ci, "pw-of-it"):
        assert call(world, "GET", "/+api", "alice", secret)["result"]["authstatus"] == ["noauth", "", []]
        call(world, "GET", "/alice", "alice", secret, status=401)
    assert call(world, "GET", "/+api", "writer", writers)["result"]["authstatus"][0] == "ok"
    assert world.app.get("/account/", headers={"Cookie": session}).status_int == 303
    assert call(world, "GET", "/alice", "alice", maker)["result"]["modified"]


@pytest.mark.parametrize(
    ("method", "path", "document"),
    [
        ("POST", "/admin/user/alice/password", {"password": "newer"}),
        ("PATCH", "/alice", {"password": "newer"}),
    ],
)
def test_an_administrators_change_ends_all_tokens_of_the_user(world, method, path, document):
    add(world, "alice")
    token = log_in(world, "alice")
    world.send(method, path, "admin", json=document)
    call(world, "GET", "/alice", "alice", token, status=401)
    log_in(world, "alice", "newer")


# Removing one


def test_users_remove_themselves_and_administrators_others(world):
    add(world, "alice")
    add(world, "bob")
    call(world, "DELETE", "/alice", status=401)
    call(world, "DELETE", "/alice", "bob", "pw-of-it", status=403)
    assert set(call(world, "DELETE", "/alice", "alice", "pw-of-it")) == {"message"}
    call(world, "DELETE", "/bob", "admin")
    for name in ("alice", "bob"):
        call(world, "DELETE", f"/{name}", "admin", status=404)
        call(world, "GET", f"/{name}", "admin", status=404)


def test_nobody_removes_root(world):
    call(world, "DELETE", "/root", "admin", status=403)
    add(world, "root")
    call(world, "DELETE", "/root", "admin", status=403)
    call(world, "DELETE", "/root", "root", "pw-of-it", status=403)


def test_the_owner_of_an_index_that_is_not_volatile_stays(world):
    add(world, "alice")
    make_index(world, "alice/dev")
    make_index(world, "alice/prod", volatile=False)
    for remove in (
        lambda: call(world, "DELETE", "/alice", "alice", "pw-of-it", status=403),
        lambda: world.delete("/admin/user/alice", "admin", status=403),
    ):
        remove()
        assert set(call(world, "GET", "/alice", "alice", "pw-of-it")["result"]["indexes"]) == {"dev", "prod"}


@pytest.mark.parametrize("path", ["/alice", "/admin/user/alice"])
def test_who_gets_the_name_again_inherits_nothing(world, path):
    add(world, "alice", email="old@example.com", custom_data=[1])
    make_index(world, "alice/dev")
    world.send("PUT", "/admin/package/tool/user/alice/read", "admin")
    world.send("PUT", "/admin/group/team", "admin")
    world.send("PUT", "/admin/user/alice/group/team", "admin")
    token = log_in(world, "alice")
    world.delete(path, "admin")
    log_in(world, "alice", status=401)
    call(world, "GET", "/alice", "alice", token, status=401)
    assert "alice" not in call(world, "GET", "/", "admin")["result"]
    made = add(world, "alice", "another")
    assert set(made) == {"username", "indexes", "created"}
    assert made["indexes"] == {}
    call(world, "GET", "/alice", "alice", token, status=401)
    shown = world.get("/admin/user/alice", "admin").json
    assert shown["groups"] == []
    assert world.get("/admin/user/alice/permissions", "admin").json == []
    status = call(world, "GET", "/+api", "alice", log_in(world, "alice", "another"))["result"]["authstatus"]
    assert status == ["ok", "alice", []]


def test_what_somebody_left_who_was_in_a_file_is_nobodys(make_world):
    """Who left the file took nothing along: the tokens, the profile and the indexes are still there."""
    before = make_world({"pypi.auth": "sql config", "user.zoe": user_settings()["user.writer"]})
    call(before, "PATCH", "/zoe", "zoe", PASSWORDS["writer"], document={"title": "First"})
    token = log_in(before, "zoe", PASSWORDS["writer"])
    make_index(before, "zoe/dev")
    after = make_world({"pypi.auth": "sql config"})
    message = call(after, "PUT", "/zoe", "admin", status=409, document={"password": "pw"})["message"]
    assert "zoe/dev" in message
    after.services.indexes.remove(IndexName.parse("zoe/dev"), ADMIN, Author("admin"))
    assert "title" not in add(after, "zoe")
    call(after, "GET", "/zoe", "zoe", token, status=401)


def test_the_last_administrator_stays(make_world):
    world = make_world({"pypi.auth": "sql", "auth.admins": "", "devpi.root_password": "root-pw"})
    call(world, "PUT", "/alice", "root", "root-pw", status=201, document={"password": "pw"})
    world.services.administration.set_role(Role.ADMIN, "user", "alice", Author("root"), held=True)
    world.services.administration.set_role(Role.ADMIN, "user", "root", Author("alice"), held=False)
    call(world, "DELETE", "/alice", "alice", "pw", status=409)


# Root


class TestRoot:
    def test_it_is_made_at_the_first_start_and_administers(self, make_world):
        world = make_world({"pypi.auth": "sql config", "devpi.root_password": "root-pw"})
        token = log_in(world, "root", "root-pw")
        call(world, "PUT", "/alice", "root", token, status=201, document={"password": "pw"})
        log_in(world, "root", "", status=401)

    def test_a_later_start_leaves_it_alone(self, make_world):
        settings = {"pypi.auth": "sql config", "devpi.root_password": "root-pw"}
        world = make_world(settings)
        call(world, "PATCH", "/root", "root", "root-pw", document={"password": "newer"})
        again = make_world({**settings, "devpi.root_password": ""})
        log_in(again, "root", "newer")
        log_in(again, "root", "", status=401)

    def test_an_empty_password_is_one_where_it_is_written(self, make_world):
        """devpi's first steps: no password, then another one, and on with the token of before."""
        world = make_world({"pypi.auth": "sql config", "devpi.root_password": ""})
        log_in(world, "root", "x", status=401)
        token = log_in(world, "root", "")
        call(world, "PATCH", "/root", "root", token, document={"password": "safe"})
        log_in(world, "root", "", status=401)
        call(world, "PUT", "/alice", "root", token, status=201, document={"password": "pw"})

    def test_without_the_key_there_is_none(self, world):
        for password in ("", "root"):
            log_in(world, "root", password, status=401)

    def test_nobody_else_has_an_empty_password(self, world):
        add(world, "alice")
        world.services.administration.add_user("robot", None, Author("admin"))
        for name in ("alice", "robot", "writer", "nobody"):
            log_in(world, name, "", status=401)

    def test_an_administrator_may_give_one(self, world):
        add(world, "guest", "")
        assert call(world, "GET", "/+api", "guest", log_in(world, "guest", ""))["result"]["authstatus"][0] == "ok"
        call(world, "PATCH", "/guest", "guest", "", document={"password": "better"})
        log_in(world, "guest", "", status=401)

    def test_an_empty_variable_is_one_that_nobody_has_set(self, tmp_path):
        raw = {"pypi.auth": "sql", "devpi.root_password": "of the file"}
        for environ, expected in (
            ({}, "of the file"),
            ({"PPC_DEVPI_ROOT_PASSWORD": ""}, None),
            ({"PPC_DEVPI_ROOT_PASSWORD": "other"}, "other"),
        ):
            password = load_raw(raw, tmp_path, environ).get(DevpiSettings).root_password
            assert (password and password.get_secret_value()) == expected
        file = tmp_path / "secret"
        file.write_text("from a file\n")
        loaded = load_raw({"pypi.auth": "sql"}, tmp_path, {"PPC_DEVPI_ROOT_PASSWORD_FILE": str(file)})
        assert loaded.get(DevpiSettings).root_password.get_secret_value() == "from a file"

    def test_it_cannot_be_made_where_users_are_kept_elsewhere(self, make_world):
        with pytest.raises(ConfigError, match=r"devpi\.root_password"):
            make_world({"devpi.root_password": "x"})
        make_world({"devpi.root_password": "x", "user.root": user_settings()["user.reader"]})
