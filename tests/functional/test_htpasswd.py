"""pypiserver's way of saying who may do what, a pair of Apache's password files, through the whole application."""

from __future__ import annotations

import http.client

import pytest
from webtest import TestApp

from pypicloud_lite.access.model import Permission
from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.app import make_app
from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.live import LiveServer, write_config
from pypicloud_lite.testing.world import PASSWORDS, basic, user_settings
from pypicloud_lite.wiring import build, load_settings, prepare

DEMO = build_wheel("demo", "1.0")
NOTHING = dict.fromkeys([*user_settings(), "pypi.default_write"])


def line(name, password=None):
    return f"{name}:{hash_password(password or PASSWORDS[name], 'sha256_crypt', 1000)}\n"


@pytest.fixture
def files(tmp_path):
    readers, uploaders = tmp_path / ".htpasswd", tmp_path / ".htpasswd-upload"
    readers.write_text(line("reader") + line("writer"))
    uploaders.write_text(line("writer"))
    return readers, uploaders


@pytest.fixture
def make_classic(files, make_world):
    """A world that knows its users from the two files, and nothing else about them."""

    def make(settings=None):
        readers, uploaders = files
        named = {"auth.htpasswd.file": str(readers), "auth.htpasswd.upload_file": str(uploaders)}
        return make_world({**NOTHING, "pypi.auth": "htpasswd", **named, **(settings or {})})

    return make


@pytest.fixture
def classic(make_classic):
    return make_classic()


def test_who_is_in_the_upload_file_uploads_and_who_is_in_the_other_reads(classic):
    classic.upload(DEMO, "reader", 403)
    classic.upload(DEMO, None, 401)
    classic.upload(DEMO, "outsider", 401)
    classic.upload(DEMO, "writer")
    for user, status in (("reader", 200), ("writer", 200), ("outsider", 401), (None, 401)):
        classic.get("/simple/demo/", user, status)
    filename = DEMO.filename
    assert (
        "uploaders"
        in classic.services.gate.explain(
            classic.services.authenticator.identify("writer", PASSWORDS["writer"]),
            Permission.WRITE,
            ProjectName("demo"),
        ).reason
    )
    classic.delete(f"/api/package/demo/{filename}", "reader", 403)
    classic.delete(f"/api/package/demo/{filename}", "writer", 200)


def test_one_file_alone_is_for_both(make_classic):
    world = make_classic({"auth.htpasswd.upload_file": ""})
    world.upload(DEMO, "reader")
    world.get("/simple/demo/", "writer", 200)


def test_downloads_for_everyone_as_pypiserver_has_them(make_classic):
    world = make_classic({"pypi.default_read": "everyone"})
    world.upload(DEMO, "writer")
    world.get("/simple/demo/", None, 200)
    world.upload(build_sdist("demo", "1.0"), None, 401)


def test_a_default_that_is_set_is_not_changed(make_classic):
    world = make_classic({"pypi.default_write": ""})
    world.upload(DEMO, "writer", 403)


def test_defect_6_who_is_removed_is_out_at_the_next_request(classic, files):
    readers, uploaders = files
    classic.upload(DEMO, "writer")
    classic.get("/simple/demo/", "reader", 200)
    readers.write_text(line("writer"))
    classic.get("/simple/demo/", "reader", 401)
    uploaders.write_text("")
    classic.upload(build_sdist("demo", "1.0"), "writer", 403)
    classic.get("/simple/demo/", "writer", 200)


def test_a_new_user_and_a_changed_password_hold_at_the_next_request(classic, files):
    readers, _ = files
    classic.upload(DEMO, "writer")
    classic.get("/simple/demo/", "outsider", 401)
    readers.write_text(line("reader", "another") + line("outsider"))
    classic.get("/simple/demo/", "outsider", 200)
    classic.get("/simple/demo/", "reader", 401)
    classic.app.get("/simple/demo/", headers={"Authorization": basic("reader", "another")}, status=200)


def test_a_file_that_breaks_changes_nothing(classic, files):
    readers, uploaders = files
    classic.upload(DEMO, "writer")
    readers.unlink()
    uploaders.unlink()
    classic.get("/simple/demo/", "reader", 200)
    classic.upload(build_sdist("demo", "1.0"), "writer")
    classic.get("/health/ready", None, 200)
    readers.write_text("reader:plain\n" + line("outsider"))
    classic.get("/simple/demo/", "reader", 401)
    classic.get("/simple/demo/", "outsider", 200)


def test_groups_roles_and_rules_of_the_configuration_add_up(make_classic, files):
    readers, _ = files
    readers.write_text(line("reader") + line("admin"))
    world = make_classic(
        {
            "pypi.auth": "htpasswd config",
            "auth.admins": "admin",
            "group.staff": "reader",
            "package.demo.group.staff": "rw",
            "user.outsider": hash_password(PASSWORDS["outsider"], "sha256_crypt", 1000),
        }
    )
    world.upload(DEMO, "outsider", 403)
    world.upload(DEMO, "writer", 403)
    world.upload(DEMO, "reader")
    world.upload(build_wheel("other", "1.0"), "reader", 403)
    world.upload(build_wheel("other", "1.0"), "writer")
    world.send("PUT", "/api/package/demo/status", "admin", json={"status": "archived", "reason": None})
    assert world.services.warnings == ()


def test_a_configuration_that_is_followed_reads_the_files_too(tmp_path, files):
    readers, uploaders = files
    path = tmp_path / "config.ini"
    settings = {"pypi.auth": "htpasswd", "auth.htpasswd.file": str(readers)}
    write_config(path, settings)
    loaded = load_settings(path, {})
    prepare(loaded)
    services = build(loaded, follow=path)
    app = TestApp(make_app(services))
    try:
        headers = {"Authorization": basic("reader")}
        app.get("/simple/", headers=headers, status=200)
        assert services.access.groups() == {"uploaders": {"reader", "writer"}}
        draft = tmp_path / "new.ini"
        write_config(draft, {**settings, "auth.htpasswd.upload_file": str(uploaders)})
        draft.replace(path)
        app.get("/simple/", headers=headers, status=200)
        assert services.access.groups() == {"uploaders": {"writer"}}
    finally:
        services.database.dispose()


def test_doubtful_lines_are_among_the_warnings_of_the_start(make_classic, files):
    readers, _ = files
    readers.write_text(line("reader") + "ben:plain-secret\nann:{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=\n")
    warnings = "\n".join(make_classic().services.warnings)
    assert f"{readers}, line 2: the line of 'ben' is refused" in warnings
    assert f"{readers}, line 3: the line of 'ann' is a weak hash" in warnings
    assert "plain-secret" not in warnings


def test_a_missing_file_is_said_at_the_start_with_the_command_that_makes_one(make_classic, files):
    readers, _ = files
    readers.unlink()
    with pytest.raises(
        ConfigError, match=rf"auth\.htpasswd\.file: .*no such file: make it with htpasswd -B -c {readers} NAME"
    ):
        make_classic()


def test_the_live_server_follows_the_files_in_every_worker(tmp_path, files):
    readers, uploaders = files
    settings = {
        "pypi.auth": "htpasswd",
        "auth.htpasswd.file": str(readers),
        "auth.htpasswd.upload_file": str(uploaders),
        "db.url": f"sqlite:///{tmp_path}/live/catalog.sqlite",
        "storage.dir": f"{tmp_path}/live/packages",
    }
    with LiveServer(tmp_path / "live", settings) as server:
        assert _statuses(server, "reader") == {200}
        readers.write_text(line("writer"))
        assert _statuses(server, "reader") == {401}


def _statuses(server, user):
    """Of requests on connections of their own, which reach either worker."""
    statuses = set()
    for _ in range(8):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("GET", "/simple/", headers={"Authorization": basic(user)})
        statuses.add(connection.getresponse().status)
        connection.close()
    return statuses
