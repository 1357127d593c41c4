"""A server of users and rules behind the real application."""

from __future__ import annotations

from time import monotonic

import pytest

from pypicloud_lite.testing.access import PASSWORDS
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.remote_server import Bad, remote_server
from pypicloud_lite.testing.world import basic

NO_DEFAULTS = {"pypi.default_read": "authenticated", "pypi.default_write": "", "pypi.auth": "remote config"}


@pytest.fixture
def remote():
    with remote_server() as world:
        yield world


def upload(world, name: str, username: str, password: str | None = None) -> int:
    wheel = build_wheel(name, "1.0")
    form = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": name,
        "version": "1.0",
    }
    return world.app.post(
        "/",
        params=form,
        upload_files=[("content", wheel.filename, wheel.data)],
        headers={"Authorization": basic(username, PASSWORDS[username] if password is None else password)},
        status="*",
    ).status_int


def read(world, name: str, username: str | None) -> int:
    headers = {} if username is None else {"Authorization": basic(username, PASSWORDS[username])}
    return world.app.get(f"/simple/{name}/", headers=headers, status="*").status_int


@pytest.mark.parametrize("has_grants", [True, False])
def test_the_servers_rules_hold(remote, make_world, has_grants):
    """Also those of one who may write this project alone, and where rules are asked for one project at a time."""
    remote.has_grants = has_grants
    remote.users_hold["ops-tool", "root"] = ["read"]
    remote.groups_hold["ops-tool", "ops"] = ["read", "write"]
    world = make_world({**NO_DEFAULTS, **remote.settings()})
    assert upload(world, "drop-box", "bob.smith") == 200
    assert [upload(world, "ops-tool", name) for name in ("bob.smith", "alice")] == [403, 200]
    assert upload(world, "secret-tool", "carol") == 403
    assert upload(world, "secret-tool", "alice") == 200
    assert [read(world, "secret-tool", name) for name in ("alice", "carol", "bob.smith", None)] == [200, 200, 404, 401]
    assert upload(world, "anything", "root") == 200


def test_who_may_write_nothing_is_refused_before_the_file_is_read(remote, make_world):
    remote.has_grants = False
    del remote.groups_hold["open-tool", "authenticated"], remote.users_hold["team-*", "carol"]
    world = make_world({**NO_DEFAULTS, **remote.settings()})
    assert upload(world, "anything", "carol") == 403
    asked = {one.path for one in remote.asked}
    assert "/user_package_permissions" in asked
    assert "/user_permissions" not in asked, "the project was looked at"


def test_f30_with_the_server_down_its_users_wait_and_administrators_of_the_file_do_not(remote, make_world):
    world = make_world({**NO_DEFAULTS, **remote.settings()})
    remote.bad = lambda _path: Bad(500)
    assert read(world, "secret-tool", "alice") == 503
    assert read(world, "secret-tool", None) == 503, "nobody knows whether it is private"
    assert upload(world, "secret-tool", "alice") == 503
    headers = {"Authorization": basic("admin")}
    assert world.app.get("/simple/", headers=headers).status_int == 200
    remote.bad = lambda _path: None
    assert read(world, "secret-tool", "carol") == 404


def test_a_password_counts_for_a_minute_where_the_server_tells_of_no_version(remote, make_world):
    remote.terse = True
    world = make_world({**NO_DEFAULTS, **remote.settings()})
    assert read(world, "open-tool", "carol") == 404
    remote.passwords["carol"] = "another"
    assert read(world, "open-tool", "carol") == 404
    world.services.authenticator._proofs._monotonic = lambda: monotonic() + 60
    assert read(world, "open-tool", "carol") == 401
