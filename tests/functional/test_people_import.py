"""An existing pypicloud's users are taken over, from its database and from its dump, with everything working."""

from __future__ import annotations

import gzip
import json

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from pypicloud_lite.cli.people_transfer import export_people, import_people
from pypicloud_lite.db.dialects import parse_url
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import AccessUnavailable, ConfigError
from pypicloud_lite.testing.access import HASHES, PASSWORDS
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import basic

PEOPLE = {
    "auth.admins": None,
    "pypi.auth": "sql",
    "pypi.default_read": "authenticated",
    "pypi.allow_delete_groups": "authenticated",
}
# The tables as pypicloud 1.3 makes them (pypicloud.md, 5.4).
SCHEMA = """
CREATE TABLE pypicloud_users (username VARCHAR(255) NOT NULL PRIMARY KEY, password TEXT NOT NULL, admin BOOLEAN NOT NULL, pending BOOLEAN NOT NULL);
CREATE TABLE pypicloud_groups (name VARCHAR(255) NOT NULL PRIMARY KEY);
CREATE TABLE pypicloud_user_groups (username VARCHAR(255), {q}group{q} VARCHAR(255));
CREATE TABLE pypicloud_user_permissions (package VARCHAR(255) NOT NULL, username VARCHAR(255) NOT NULL, {q}read{q} BOOLEAN, {q}write{q} BOOLEAN, PRIMARY KEY (package, username));
CREATE TABLE pypicloud_group_permissions (package VARCHAR(255) NOT NULL, groupname VARCHAR(255) NOT NULL, {q}read{q} BOOLEAN, {q}write{q} BOOLEAN, PRIMARY KEY (package, groupname));
CREATE TABLE pypicloud_keyvals ({q}key{q} VARCHAR(255) NOT NULL PRIMARY KEY, value TEXT NOT NULL);
"""
DUMP = {
    "version": "1.3.12",
    "allow_register": True,
    "groups": {"devs": ["alice", "bob.smith"], "empty": []},
    "users": [{"username": name, "admin": name == "root", "password": stored} for name, stored in HASHES.items()],
    "pending_users": [{"username": "waiting", "password": HASHES["alice"]}],
    "packages": {
        "users": {"secret_tool": {"alice": ["read", "write"]}, "secret-tool": {"carol": ["read"]}},
        "groups": {"team-lib": {"devs": ["read", "write"]}, "open-lib": {"everyone": ["read"]}},
    },
}


@pytest.fixture
def pypicloud(database_url):
    """pypicloud's database, on each kind of server."""
    engine = create_engine(parse_url(database_url))
    quote = "`" if engine.dialect.name in {"mysql", "mariadb"} else '"'
    with engine.begin() as connection:
        for statement in SCHEMA.format(q=quote).split(";"):
            if statement.strip():
                connection.execute(text(statement))
        yes, no = True, False

        def insert(table, *values):
            names = ", ".join(f":v{number}" for number in range(len(values)))
            connection.execute(
                text(f"INSERT INTO {table} VALUES ({names})"), {f"v{number}": one for number, one in enumerate(values)}
            )

        for name, stored in HASHES.items():
            insert("pypicloud_users", name, stored, name == "root", no)
        insert("pypicloud_users", "waiting", HASHES["alice"], no, yes)
        insert("pypicloud_groups", "devs")
        insert("pypicloud_groups", "empty")
        for name in ("alice", "bob.smith"):
            insert("pypicloud_user_groups", name, "devs")
        insert("pypicloud_user_permissions", "secret_tool", "alice", yes, yes)
        insert("pypicloud_user_permissions", "secret-tool", "carol", yes, no)
        # What pypicloud leaves of a deleted user.
        insert("pypicloud_user_permissions", "secret-tool", "deleted", yes, yes)
        insert("pypicloud_group_permissions", "team-lib", "devs", yes, yes)
        insert("pypicloud_group_permissions", "open-lib", "everyone", yes, no)
        insert("pypicloud_keyvals", "allow_register", "true")
    engine.dispose()
    return database_url


def get(world, path, user=None, status=200):
    headers = {} if user is None else {"Authorization": basic(user, PASSWORDS[user])}
    return world.app.get(path, headers=headers, status=status)


def everything_works(world):
    for user in PASSWORDS:
        assert get(world, "/api/user", user).json["admin"] is (user == "root")
    assert get(world, "/api/user", "alice").json["groups"] == ["devs"]
    for name, users in (("secret-tool", {"alice", "carol", "root"}), ("team-lib", {"alice", "bob.smith", "root"})):
        artifact = build_wheel(name, "1.0")
        fields = {":action": "file_upload", "name": name, "version": "1.0"}
        files = [("content", artifact.filename, artifact.data)]
        for user in PASSWORDS:
            writes = user in {"root", "alice"} or (name, user) == ("team-lib", "bob.smith")
            headers = {"Authorization": basic(user, PASSWORDS[user])}
            world.app.post("/", fields, headers, upload_files=files, status=200 if writes else 403)
        for user in PASSWORDS:
            get(world, f"/simple/{name}/", user, 200 if user in users else 404)
    rules = get(world, "/admin/package/open-lib", "root").json
    assert rules["group"] == [{"group": "everyone", "permissions": ["read"]}]
    assert get(world, "/admin/pending_users", "root").json == ["waiting"]
    assert get(world, "/admin/register", "root").json == {"allow": True}
    assert "deleted" not in get(world, "/admin/package/secret-tool", "root").text


def clean(settings):
    from pypicloud_lite.testing.world import user_settings

    return {**dict.fromkeys(user_settings()), **settings}


def test_the_first_start_takes_over_pypiclouds_database_once(make_world, pypicloud):
    settings = clean({**PEOPLE, "auth.db.url": pypicloud})
    world = make_world(settings)
    everything_works(world)
    headers = {"Authorization": basic("root", PASSWORDS["root"])}
    world.app.delete("/admin/user/carol", headers=headers)
    again = make_world(settings)
    get(again, "/api/user", "carol", 401)
    get(again, "/api/user", "alice")


def test_without_pypiclouds_tables_the_key_is_named(make_world, database_url):
    with pytest.raises(ConfigError, match=r"auth\.db\.url: .*pypicloud_users"):
        make_world(clean({**PEOPLE, "auth.db.url": database_url}))


def test_a_database_that_is_down_is_an_outage_without_its_password(make_world):
    with pytest.raises(AccessUnavailable) as caught:
        make_world(clean({**PEOPLE, "auth.db.url": "postgresql://user:canary-pw@127.0.0.1:1/none"}))
    assert "canary-pw" not in str(caught.value)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.ini"
    path.write_text("[app:main]\nuse = egg:pypicloud_lite\npypi.auth = sql\n")
    return path


def run(command, *words, status=0, sent=None):
    result = CliRunner().invoke(command, list(words), input=sent)
    assert result.exit_code == status, result.output
    return result


@pytest.mark.parametrize("form", ["stdin", "plain", "gzip"])
def test_a_dump_is_imported_in_every_form(make_world, config, tmp_path, form):
    data = json.dumps(DUMP).encode()
    if form == "stdin":
        run(import_people, str(config), sent=data)
    else:
        path = tmp_path / "acl.json.gz"
        path.write_bytes(gzip.compress(data) if form == "gzip" else data)
        run(import_people, str(config), "-i", str(path))
    everything_works(make_world(clean(PEOPLE)))


def test_a_database_is_imported_by_hand(make_world, config, pypicloud):
    told = run(import_people, str(config), "--database", pypicloud)
    assert "Added 4 users, 1 waiting ones, 2 groups" in told.output
    assert "the rule for user 'deleted' on secret-tool was left out" in told.output
    everything_works(make_world(clean(PEOPLE)))
    assert (
        "Added 0 users, 0 waiting ones, 0 groups, 0 rights."
        in run(import_people, str(config), "--database", pypicloud).output
    )


def test_who_is_there_keeps_the_password(make_world, config):
    run(import_people, str(config), sent=json.dumps(DUMP).encode())
    changed = {**DUMP, "users": [{"username": "alice", "admin": False, "password": HASHES["carol"]}]}
    run(import_people, str(config), sent=json.dumps(changed).encode())
    get(make_world(clean(PEOPLE)), "/api/user", "alice")


def test_an_export_is_an_import(make_world, config, tmp_path):
    run(import_people, str(config), sent=json.dumps(DUMP).encode())
    path = tmp_path / "dump.json.gz"
    path.touch()
    path.chmod(0o644)
    run(export_people, str(config), "-o", str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    first = run(export_people, str(config)).stdout
    assert json.loads(gzip.decompress(path.read_bytes())) == json.loads(first)
    other = tmp_path / "other"
    other.mkdir()
    there = other / "config.ini"
    there.write_text(config.read_text())
    run(import_people, str(there), sent=first.encode())
    assert run(export_people, str(there)).stdout == first


def test_the_api_exports_the_same(make_world, config):
    run(import_people, str(config), sent=json.dumps(DUMP).encode())
    world = make_world(clean(PEOPLE))
    answer = get(world, "/admin/acl.json.gz", "root")
    assert json.loads(gzip.decompress(answer.body)) == json.loads(run(export_people, str(config)).stdout)
    get(world, "/admin/acl.json.gz", "alice", 403)


def test_for_users_in_the_file_the_lines_are_printed(config, make_world, tmp_path):
    config.write_text("[app:main]\nuse = egg:pypicloud_lite\n")
    lines = run(import_people, str(config), sent=json.dumps(DUMP).encode()).stdout
    settings = dict(line.split(" = ", 1) for line in lines.splitlines())
    assert settings["auth.admins"] == "root"
    world = make_world(clean({**PEOPLE, "pypi.auth": "config", **settings}))
    get(world, "/api/user", "alice")
    assert get(world, "/admin/package/team-lib", "root").json["group"] == [
        {"group": "devs", "permissions": ["read", "write"]}
    ]


def test_T36_no_name_of_a_document_begins_a_line_of_its_own(config):
    config.write_text("[app:main]\nuse = egg:pypicloud_lite\n")
    users = [
        {"username": "x\nauth.admins = x", "admin": False, "password": HASHES["alice"]},
        {"username": "a=b", "admin": True, "password": HASHES["alice"]},
        {"username": "odd", "admin": False, "password": "x\nauth.admins = odd"},
    ]
    odd = {**DUMP, "users": [*DUMP["users"], *users], "groups": {"devs": ["alice", "y\nauth.admins"], "a b": []}}
    lines = run(import_people, str(config), sent=json.dumps(odd).encode()).stdout.splitlines()
    assert [line for line in lines if line.startswith("auth.admins")] == ["auth.admins = root"]
    assert "group.devs = alice" in lines
    assert sum(line.startswith("# left out: ") for line in lines) == 4


def test_names_that_no_table_holds_are_left_out(make_world, config, database_url):
    config.write_text(f"{config.read_text()}db.url = {database_url}\n")
    names = ["alice ", "x" * 300, "a\0b", "\ud800", "two\nlines"]
    odd = {
        **DUMP,
        "users": [*DUMP["users"], *({"username": name, "admin": True, "password": HASHES["alice"]} for name in names)],
        "pending_users": [{"username": "late ", "password": HASHES["alice"]}],
        "groups": {"devs": ["alice", *names], **{name: ["alice"] for name in names}},
    }
    told = run(import_people, str(config), sent=json.dumps(odd).encode()).stderr
    assert told.count("it can be no name here") == 6
    world = make_world(clean({**PEOPLE, "db.url": database_url}))
    assert [user["username"] for user in get(world, "/admin/user", "root").json] == sorted(HASHES)
    assert get(world, "/admin/group", "root").json == ["devs"]


def test_T03_who_only_waits_under_the_name_of_an_imported_user_gives_way(make_world, config):
    world = make_world(clean({**PEOPLE, "pypi.auth": "sql"}))
    world.services.administration.set_register(Author("test"), allowed=True)
    world.app.put_json("/api/user/alice", {"password": "not-alice"})
    assert "took its place" in run(import_people, str(config), sent=json.dumps(DUMP).encode()).stderr
    assert get(world, "/api/user", "alice").json["groups"] == ["devs"]
    world.app.get("/api/user", headers={"Authorization": basic("alice", "not-alice")}, status=401)
    assert get(world, "/admin/pending_users", "root").json == ["waiting"]


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"x", "not JSON"), (b"\x1f\x8bx", "gzip"), (b"\xff\xfe", "UTF-8"), (b'{"users": 3}', "users")],
)
def test_a_damaged_document_is_refused_whole(config, data, said):
    assert said in run(import_people, str(config), status=1, sent=data).output


def test_a_hash_that_cannot_be_checked_leaves_a_user_without_password(config, make_world):
    odd = {**DUMP, "users": [*DUMP["users"], {"username": "odd", "admin": False, "password": "md5$x"}]}
    told = run(import_people, str(config), sent=json.dumps(odd).encode())
    assert "user 'odd' has no password that can be checked here" in told.output
    world = make_world(clean(PEOPLE))
    world.app.get("/api/user", headers={"Authorization": basic("odd", "x")}, status=401)


def test_no_document_makes_everybody_an_owner(make_world, config):
    groups = {"team-lib": {"devs": ["owner"]}, "open-lib": {"everyone": ["read", "owner"]}}
    document = {**DUMP, "packages": {"users": {}, "groups": groups}}
    told = run(import_people, str(config), sent=json.dumps(document).encode())
    assert "the rule for group everyone on open-lib was left out: that group cannot be an owner" in told.output
    world = make_world(clean(PEOPLE))
    assert get(world, "/admin/package/open-lib", "root").json["group"] == [
        {"group": "everyone", "permissions": ["read"]}
    ]
    assert get(world, "/admin/package/team-lib", "root").json["group"] == [{"group": "devs", "permissions": ["owner"]}]
    run(export_people, str(config))
    page = get(world, "/admin/journal?action=export", "root").json
    assert [entry["author"].partition(" ")[0] for entry in page["entries"]] == ["ppc-export"]
