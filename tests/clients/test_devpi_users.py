"""The real devpi client: which server, logins, users; what it prints and how it ends."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import pytest

from pypicloud_lite.testing.world import PASSWORDS

SETTINGS = {
    "pypi.auth": "sql config",
    "devpi.root_password": "",
    "pypi.default_read": "everyone",
    "auth.limit_user": "1000",
}


@pytest.fixture(scope="module")
def index(make_index):
    with make_index(SETTINGS) as made:
        yield made


@pytest.fixture
def admin(devpi, index):
    """Somebody who administers, logged in."""
    client = devpi("admin")
    client("use", index.url)
    client("login", "admin", f"--password={PASSWORDS['admin']}")
    return client


@pytest.fixture
def name(request):
    """A user name that no other test has."""
    return "u" + re.sub("[^a-z]", "", request.node.name)[-30:]


@pytest.fixture
def person(devpi, index, admin, name):
    """Somebody new, not yet logged in."""
    admin("user", "-c", name, "password=long-enough", f"email={name}@example.com")
    client = devpi(name)
    client("use", index.url)
    return client


def test_use_without_and_with_a_login(devpi, index):
    ann = devpi("ann")
    said = ann("use", index.url).output
    assert f"using server: {index.url}/ (not logged in)" in said
    assert "no current index" in said
    assert "X-DEVPI" not in said.upper()
    assert ann.remembered()["login"] == f"{index.url}/+login"
    assert ann.remembered()["features"]
    said = ann("login", "writer", f"--password={PASSWORDS['writer']}").output
    assert "logged in 'writer', credentials valid for 10.00 hours" in said
    assert "(logged in as writer)" in ann("use").output
    assert ann.token("writer").startswith("ppcl_")


def test_use_lists_indexes(devpi, index):
    """Logged in or not: the client needs to be told of each whether it is volatile."""
    ann = devpi("ann")
    ann("use", index.url)
    for _ in range(2):
        listed = ann("use", "-l").lines
        assert any(line.startswith("root/main") and "volatile=False" in line for line in listed), listed
        assert any(line.startswith("root/main") for line in ann("use", "-u", "root", "-l").lines)
        ann("login", "writer", f"--password={PASSWORDS['writer']}")
    # writer is a user that has none
    assert not [line for line in ann("use", "-l").lines if line.startswith("writer/")]


def test_a_wrong_login_and_no_server(devpi, index):
    ann = devpi("ann")
    ann("login", "writer", "--password=x", status=1)
    ann("use", index.url)
    said = ann("login", "writer", "--password=wrong", status=1).output
    assert "401" in said
    assert "Wrong user name or password" in said
    assert not (ann.state / "auth.json").exists()
    said = ann("login", "writer", typed="also wrong\n", status=1).output
    assert "Wrong user name or password" in said
    assert "logged in" in ann("login", "writer", typed=f"{PASSWORDS['writer']}\n").output


def test_logoff_forgets_the_token(devpi, index):
    ann = devpi("ann")
    ann("use", index.url)
    ann("login", "writer", f"--password={PASSWORDS['writer']}")
    token = ann.token("writer")
    assert "login information deleted" in ann("logoff").output
    assert "not logged in" in ann("use").output
    assert token not in (ann.state / "auth.json").read_text()
    ann("login", "writer", f"--password={PASSWORDS['writer']}")
    assert "login information deleted" in ann("logout").output


def test_a_token_that_was_revoked_is_forgotten(devpi, index, person, name, admin):
    person("login", name, "--password=long-enough")
    admin("user", "-m", name, "password=another-one")
    said = person("use").output
    assert "not logged in" in said or "removed expired authentication" in said
    assert "(not logged in)" in person("use", index.url).output


def test_a_user_is_made_changed_shown_listed_and_removed(devpi, index, admin, person, name):
    url = f"{index.url}/{name}"
    said = person("login", name, "--password=long-enough").output
    assert f"logged in '{name}'" in said
    shown = person("user", name).lines
    assert shown[0] == f"{url}:"
    assert f"email={name}@example.com" in shown
    assert any(line.startswith("created=20") for line in shown)
    said = person("user", "-m", name, "title=Some One", "description=of us").output
    assert f"/{name} changing title: Some One" in said
    assert f"user modified: {name}" in said
    assert {"title=Some One", "description=of us"} <= set(person("user").lines)
    person("user", name, "title=")
    assert not any(line.startswith("title=") for line in person("user").lines)
    listed = person("user", "-l").lines
    assert {"admin", "reader", "root", "writer", name} <= set(listed)
    said = person("user", "-y", "--delete", name).output
    assert f"About to remove: {url}" in said
    assert f"user deleted: {name}" in said
    assert name not in admin("user", "-l").lines
    said = admin("user", name, status=1).output
    assert "404" in said
    assert "There is no user" in said
    assert "401" in person("login", name, "--password=long-enough", status=1).output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("-c", "reader", "password=x"), 409, "There is a user reader already"),
        (("-c", "new", "pwhash=x"), 400, "A user has no 'pwhash'"),
        (("-c", "new", "password=x", "colour=red"), 400, "A user has no 'colour'"),
        (("-c", "a$b", "password=x"), 400, "cannot be a user name"),
        (("-m", "nobody", "title=x"), 404, "There is no user"),
        (("-y", "--delete", "nobody"), 404, "There is no user"),
        (("-y", "--delete", "root"), 403, "User root cannot be removed"),
        (("-m", "reader", "password=x"), 409, "is not in the database but in config"),
    ],
)
def test_what_is_refused_is_told_with_its_reason(admin, arguments, code, message):
    said = admin("user", *arguments, status=1).output
    assert str(code) in said
    assert message in said


def test_who_is_nobody_in_particular_changes_nothing(devpi, index, admin, person, name):
    stranger = devpi("stranger")
    stranger("use", index.url)
    said = stranger("user", "-c", "mallory", "password=x", status=1).output
    assert "401" in said
    assert "Log in to add users" in said
    # of users without indexes strangers are told nothing; of others they are
    assert "403" in stranger("user", "-m", "root", "title=x", status=1).output
    person("login", name, "--password=long-enough")
    said = person("user", "-m", "reader", "title=x", status=1).output
    assert "403" in said
    assert f"User {name} may not change user reader" in said
    assert "403" in person("user", "-y", "--delete", "reader", status=1).output
    assert "403" in person("user", "-c", "mallory", "password=x", status=1).output


def test_passwd_ends_other_logins_and_not_this_one(devpi, index, person, name):
    elsewhere = devpi("elsewhere")
    elsewhere("use", index.url)
    for client in (person, elsewhere):
        client("login", name, "--password=long-enough")
    said = person("passwd", typed="longer-than-before\nlonger-than-before\n").output
    assert f"/{name} changing password: ********" in said
    assert f"user modified: {name}" in said
    assert f"(logged in as {name})" in person("use").output
    person("user", "-m", name, "title=x")
    assert "not logged in" in elsewhere("use", index.url).output
    assert "401" in elsewhere("login", name, "--password=long-enough", status=1).output
    elsewhere("login", name, "--password=longer-than-before")


def test_the_first_steps_of_a_devpi_server(devpi, index, admin):
    """Root without a password, then with one, and on without another login."""
    root = devpi("root")
    root("use", index.url)
    root("login", "root", "--password=")
    root("user", "-m", "root", "password=a-safe-one")
    root("user", "-c", "first", "password=long-enough")
    assert "first" in root("user", "-l").lines
    stranger = devpi("stranger")
    stranger("use", index.url)
    assert "401" in stranger("login", "root", "--password=", status=1).output


def test_getjson_and_patchjson(index, person, name, tmp_path):
    person("login", name, "--password=long-enough")
    document = json.loads(person("getjson", f"/{name}").output)
    assert document["type"] == "userconfig"
    assert document["result"]["username"] == name
    assert not {"password", "pwhash", "pwsalt"} & document["result"].keys()
    assert json.loads(person("getjson", "/+api").output)["result"]["authstatus"] == ["ok", name, []]
    # patchjson takes its paths from the root of an index in use, whatever that index is
    (person.state / "current.json").write_text(json.dumps({**person.remembered(), "index": f"{index.url}/root/main"}))
    document["result"]["description"] = "patched"
    file = tmp_path / "patch.json"
    for content in (document, {"title": "only this"}):
        file.write_text(json.dumps(content))
        said = person("patchjson", f"/{name}", file).output
        assert f"PATCH REQUEST sent to {index.url}/{name}" in said
        assert "updated" in said
    result = json.loads(person("getjson", f"/{name}").output)["result"]
    assert (result["description"], result["title"]) == ("patched", "only this")
    assert "404" in person("getjson", "/nobody", status=1).output


def test_version_tells_the_servers_too(person):
    said = person("--version").output
    assert "devpi-client" in said
    assert f"pypicloud-lite {version('pypicloud_lite')}" in said


def test_two_clients_at_once(devpi, index, admin):
    """Each remembers its own login, and neither waits for the other's."""

    def go(number):
        client, name = devpi(f"pair{number}"), f"pair{number}"
        client("use", index.url)
        client("login", name, "--password=long-enough")
        for step in range(3):
            client("user", "-m", name, f"title={step}")
        return client("user").lines

    for number in range(2):
        admin("user", "-c", f"pair{number}", "password=long-enough")
    with ThreadPoolExecutor(2) as pool:
        for number, lines in enumerate(pool.map(go, range(2))):
            assert lines[0] == f"{index.url}/pair{number}:"
            assert "title=2" in lines


def test_anybody_makes_an_account_where_registration_is_open(make_index, devpi):
    with make_index({**SETTINGS, "devpi.open_registration": "true"}) as index:
        ann = devpi("ann")
        ann("use", index.url)
        assert "user created: ann" in ann("user", "-c", "ann", "password=long-enough").output
        ann("login", "ann", "--password=long-enough")
        assert "ann" in ann("user", "-l").lines
