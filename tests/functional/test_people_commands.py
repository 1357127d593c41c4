"""ppc-user, ppc-token, ppc-access: what they do is what the server then does."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from pypicloud_lite.cli.access import main as ppc_access
from pypicloud_lite.cli.token import main as ppc_token
from pypicloud_lite.cli.user import main as ppc_user
from pypicloud_lite.testing.world import basic, user_settings


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.ini"
    lines = {**user_settings(), "pypi.auth": "config sql", "package.team-*.group.developers": "rw"}
    path.write_text("[app:main]\nuse = egg:pypicloud_lite\n" + "".join(f"{k} = {v}\n" for k, v in lines.items()))
    return path


@pytest.fixture
def run(config):
    def invoke(command, *words, status=0, sent=None):
        result = CliRunner().invoke(command, [*words, "-c", str(config)], input=sent)
        assert result.exit_code == status, result.output
        return result

    return invoke


@pytest.fixture
def world(make_world, config):
    return make_world({"pypi.auth": "config sql", "package.team-*.group.developers": "rw"})


def get(world, username, password, status, path="/api/user"):
    return world.app.get(path, headers={"Authorization": basic(username, password)}, status=status)


def test_a_user_from_the_command_logs_in_and_a_removed_one_does_not(run, world):
    run(ppc_user, "add", "dora", "--stdin", "--admin", sent="dora-pw\n")
    assert get(world, "dora", "dora-pw", 200).json["admin"] is True
    run(ppc_user, "passwd", "dora", sent="other-pw\nother-pw\n")
    get(world, "dora", "dora-pw", 401)
    get(world, "dora", "other-pw", 200)
    run(ppc_user, "remove", "dora")
    get(world, "dora", "other-pw", 401)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("add", "reader", "--no-password"), 1, "already"),
        (("add", "a:b", "--no-password"), 2, "':'"),
        (("remove", "nobody"), 1, "no user nobody"),
        (("passwd", "reader", "--no-password"), 1, "in config"),
        (("approve", "nobody"), 1, "waits"),
        (("group", "remove", "nothing", "reader"), 1, "no group nothing"),
        (("group", "delete", "nothing", "reader"), 2, "no users"),
        (("role", "give", "writer", "user", "nobody"), 1, "no user 'nobody'"),
        (("remove", "\udcff"), 1, "no user '\\udcff'"),
        (("approve", "\udcff"), 1, "no user '\\udcff'"),
        (("role", "take", "writer", "user", "\udcff"), 1, "no user '\\udcff'"),
        (("group", "remove", "\udcff", "reader"), 1, "no group '\\udcff'"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(run, words, status, said):
    assert said in run(ppc_user, *words, status=status).output


def test_an_empty_password_is_refused(run):
    assert "password" in run(ppc_user, "add", "dora", "--stdin", status=1, sent="").output.lower()


def test_groups_roles_and_the_list(run, world):
    run(ppc_user, "add", "robot", "--no-password")
    run(ppc_user, "group", "add", "crew", "robot", "reader")
    run(ppc_user, "role", "give", "writer", "group", "crew")
    listed = json.loads(run(ppc_user, "list", "--json").output)
    robot = next(user for user in listed["users"] if user["username"] == "robot")
    assert robot == {"username": "robot", "backend": "sql", "groups": ["crew"], "roles": ["writer"]}
    assert "crew" in get(world, "reader", "reader-pw", 200).json["groups"]
    run(ppc_user, "group", "remove", "crew", "reader")
    assert "crew" not in get(world, "reader", "reader-pw", 200).json["groups"]
    run(ppc_user, "group", "delete", "crew")
    assert "robot  (sql; groups: none; roles: none)" in run(ppc_user, "list").output


def test_a_token_from_the_command_is_a_password(run, world):
    run(ppc_user, "add", "robot", "--no-password")
    made = run(ppc_token, "create", "robot", "--name", "ci", "-p", "read", "-p", "upload", "--project", "Team_*")
    secret = made.stdout.strip()
    assert get(world, "__token__", secret, 200).json["scope"]["projects"] == ["team-*"]
    (listed,) = json.loads(run(ppc_token, "list", "robot", "--json").output)
    assert (listed["name"], listed["permissions"]) == ("ci", ["read", "upload"])
    assert secret not in run(ppc_token, "list", "robot").output
    run(ppc_token, "revoke", "robot", str(listed["id"]))
    get(world, "__token__", secret, 401)
    for number in (listed["id"], 10**20):
        run(ppc_token, "revoke", "robot", str(number), status=1)


@pytest.mark.parametrize(
    "words",
    [
        ("create", "reader", "--name", "x"),
        ("create", "reader", "--name", "x", "-p", "write"),
        ("create", "reader", "--name", "", "-p", "read"),
        ("create", "reader", "--name", "x" * 101, "-p", "read"),
        ("create", "reader", "--name", "x", "-p", "read", "--index", "Main"),
        ("create", "reader", "--name", "x", "-p", "admin", "--project", "x"),
        ("create", "reader", "--name", "x", "-p", "read", "--project", "a/b"),
        ("create", "reader", "--name", "x", "-p", "read", "--network", "here"),
        ("create", "reader", "--name", "x", "-p", "read", "--days", "3", "--never-expires"),
        ("revoke", "reader"),
        ("revoke", "reader", "1", "--all"),
    ],
)
def test_a_wrong_token_command_is_a_usage_error(run, words):
    assert "Traceback" not in run(ppc_token, *words, status=2).output


def explained(run, user, project):
    told = json.loads(run(ppc_access, "explain", user, project, "--json").output)
    return {name: one["allowed"] for name, one in told["permissions"].items()}, told


def test_explain_says_what_and_which_line(run):
    allowed, told = explained(run, "writer", "Team_A")
    assert allowed["read"]
    assert allowed["write"]
    assert not allowed["overwrite"]
    assert told["rules"] == ["config: package.team-*.group.developers = read write"]
    assert told["permissions"]["write"]["reason"] == "a rule for group developers"
    allowed, told = explained(run, "reader", "other")
    assert told["permissions"]["read"]["reason"] == "group staff in pypi.default_read"
    assert told["rules"] == []
    allowed, _ = explained(run, "-", "other")
    assert not any(allowed.values())
    allowed, told = explained(run, "admin", "other")
    assert all(allowed.values())
    assert told["permissions"]["administer"]["reason"] == "role admin"
    assert "no user nobody" in run(ppc_access, "explain", "nobody", "other", status=1).output


def test_explain_agrees_with_the_server(run, world):
    from pypicloud_lite.testing.artifacts import build_wheel

    for project in ("team-a", "other"):
        wheel = build_wheel(project, "1.0")
        world.upload(wheel, "admin")
        for user in ("reader", "writer", "outsider"):
            allowed, _ = explained(run, user, project)
            assert (world.get(f"/simple/{project}/", user, "*").status_int == 200) is allowed["read"]
            assert (world.upload(wheel, user, "*").status_int == 200) is allowed["write"]


def test_rules_are_granted_listed_and_revoked(run, world):
    run(ppc_access, "grant", "tool", "user", "reader", "owner")
    assert "tool: user reader: owner (database: user reader on tool)" in run(ppc_access, "list").output
    world.send("PUT", "/admin/package/tool/user/outsider/read", "reader")
    run(ppc_access, "revoke", "tool", "user", "reader", "owner")
    world.send("PUT", "/admin/package/tool/user/outsider/read", "reader", 403)
    assert "no user" in run(ppc_access, "grant", "tool", "user", "nobody", "read", status=1).output
    for group in ("everyone", "authenticated"):
        refused = run(ppc_access, "grant", "tool", "group", group, "owner", status=1).output
        assert f"The group {group} cannot be the owner of tool" in refused
