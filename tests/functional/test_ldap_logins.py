"""A directory behind the real application: who may do what, and what its outage does to whom."""

from __future__ import annotations

import socket
from time import monotonic

import pytest

from pypicloud_lite.testing.access import PASSWORDS
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.ldap_server import GROUPS_BASE, LdapMissing, slapd
from pypicloud_lite.testing.world import basic

RULES = {
    "pypi.default_read": "authenticated",
    "pypi.default_write": "",
    "package.tool.group.devs": "rw",
    "package.other.user.carol": "rw",
}


@pytest.fixture
def server(tmp_path, missing):
    try:
        with slapd(tmp_path / "slapd") as running:
            yield running
    except LdapMissing as error:
        missing("ldap", str(error))


def status(world, username: str, password: str | None = None) -> int:
    secret = PASSWORDS[username] if password is None else password
    headers = {"Authorization": basic(username, secret)}
    return world.app.get("/simple/", headers=headers, status="*").status_int


def upload(world, name: str, username: str) -> int:
    wheel = build_wheel(name, "1.0")
    return world.app.post(
        "/",
        params={
            ":action": "file_upload",
            "protocol_version": "1",
            "metadata_version": "2.1",
            "name": name,
            "version": "1.0",
        },
        upload_files=[("content", wheel.filename, wheel.data)],
        headers={"Authorization": basic(username, PASSWORDS[username])},
        status="*",
    ).status_int


def test_users_of_the_directory_have_the_rules_of_the_file(server, make_world):
    world = make_world({"pypi.auth": "ldap config", **server.settings(), **RULES})
    assert [status(world, name) for name in PASSWORDS] == [200] * len(PASSWORDS)
    assert status(world, "alice", "wrong") == 401
    assert status(world, "Alice", PASSWORDS["alice"]) == 401
    assert status(world, "admin", "admin-pw") == 200
    assert [upload(world, "tool", name) for name in ("carol", "alice")] == [403, 200]
    assert upload(world, "other", "carol") == 200
    assert upload(world, "anything", "root") == 200


def test_pypiclouds_fallback_key_brings_the_rules_of_the_file(server, make_world):
    settings = {**server.settings(fallback="config", group_base_dn=""), **RULES, "group.devs": "bob.smith"}
    world = make_world({"pypi.auth": "ldap", **settings})
    assert any("pypi.auth = ldap config" in line for line in world.services.warnings)
    assert [upload(world, "tool", name) for name in ("alice", "bob.smith")] == [403, 200]


def test_an_administrator_by_group(server, make_world):
    more = {"admin_field": "", "admin_value": "", "admin_group_dn": f"cn=ops,{GROUPS_BASE}"}
    world = make_world({"pypi.auth": "ldap config", **server.settings(**more), **RULES})
    assert [upload(world, "anything", name) for name in ("carol", "root", "alice")] == [403, 403, 200]


def test_f30_with_the_directory_down_its_users_wait_and_others_do_not(server, make_world):
    world = make_world({"pypi.auth": "ldap config", **server.settings(), **RULES})
    assert status(world, "carol") == 200
    server.stop()
    began = monotonic()
    answer = world.app.get("/simple/", headers={"Authorization": basic("alice", PASSWORDS["alice"])}, status=503)
    assert monotonic() - began < 3
    assert int(answer.headers["Retry-After"]) > 0
    assert PASSWORDS["alice"] not in answer.text
    assert (status(world, "admin", "admin-pw"), status(world, "admin", "wrong")) == (200, 401)
    assert status(world, "carol") == 200, "what was known a moment ago still is"
    assert status(world, "alice", "") == 503
    assert world.app.get("/health", status="*").status_int == 503


def test_f30_a_silent_directory_costs_one_wait(server, make_world):
    """Local users are looked for in the directory first: they must not wait for it at each request."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ldap://127.0.0.1:{silent.getsockname()[1]}"
        world = make_world({"pypi.auth": "ldap config", **server.settings(url=url, timeout="0.5"), **RULES})
        began = monotonic()
        assert [status(world, "admin", "admin-pw") for _ in range(20)] == [200] * 20
        assert status(world, "alice") == 503
        assert monotonic() - began < 2.5


def test_a_token_outlives_the_minute_for_which_its_user_is_known(server, make_world):
    more = {
        "base_dn": "",
        "user_search_filter": "",
        "user_dn_format": "uid={username},ou=people,dc=example,dc=com",
        "group_base_dn": "",
        "service_dn": "",
        "service_password": "",
    }
    settings = {"pypi.auth": "ldap config", **server.settings(**more), **RULES}
    headers = {"Authorization": basic("alice", PASSWORDS["alice"])}
    wanted = {"name": "ci", "permissions": ["read"]}
    made = make_world(settings).app.post_json("/api/token", wanted, headers=headers).json
    # Another worker has not seen the password: it cannot say who that is, nor that there is nobody.
    world = make_world(settings)
    assert status(world, "__token__", made["token"]) == 401
    assert status(world, "alice") == 200
    assert status(world, "__token__", made["token"]) == 200


def test_t09_anonymous_readers_need_no_directory(server, make_world):
    world = make_world({"pypi.auth": "ldap config", **server.settings(), "pypi.default_read": "everyone"})
    server.stop()
    assert world.app.get("/simple/").status_int == 200
