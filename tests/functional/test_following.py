"""Users, groups and grants of the INI file take effect at the next request, without a restart."""

from __future__ import annotations

from pathlib import Path

import pytest
from webtest import TestApp

from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.app import make_app
from pypicloud_lite.testing.live import write_config
from pypicloud_lite.testing.world import basic
from pypicloud_lite.wiring import build, load_settings, prepare


@pytest.fixture
def followed(tmp_path: Path):
    path = tmp_path / "config.ini"
    settings = {"user.ann": hash_password("one", "pbkdf2_sha256", 1000), "auth.admins": "ann"}
    write_config(path, settings)
    loaded = load_settings(path, {})
    prepare(loaded)
    services = build(loaded, follow=path)
    yield path, settings, TestApp(make_app(services))
    services.database.dispose()


def rewrite(path: Path, settings: dict[str, str]) -> None:
    """As editors do: a new file in the place of the old."""
    draft = path.with_suffix(".new")
    write_config(draft, settings)
    draft.replace(path)


def login(app: TestApp, user: str, password: str) -> int:
    return app.get("/simple/", headers={"Authorization": basic(user, password)}, status="*").status_int


def test_a_new_user_and_a_changed_password_hold_at_once(followed):
    path, settings, app = followed
    assert (login(app, "ann", "one"), login(app, "bob", "two")) == (200, 401)
    rewrite(path, {"user.bob": hash_password("two", "pbkdf2_sha256", 1000), "user.ann": settings["user.ann"]})
    assert login(app, "bob", "two") == 200
    rewrite(path, {"user.ann": hash_password("three", "pbkdf2_sha256", 1000)})
    assert (login(app, "ann", "one"), login(app, "ann", "three"), login(app, "bob", "two")) == (401, 200, 401)


def test_a_wrong_file_changes_nothing(followed):
    path, _settings, app = followed
    rewrite(path, {"user.ann": "not a hash"})
    assert login(app, "ann", "one") == 200
    path.unlink()
    assert login(app, "ann", "one") == 200


def test_defect_6_who_is_removed_is_out_at_once(followed):
    """Also one who was let in a moment ago, whose password is known to be right; and so is who is no admin any more."""
    path, settings, app = followed
    bob = {"user.bob": hash_password("two", "pbkdf2_sha256", 1000), "pypi.default_read": "admins-only"}
    rewrite(path, {**settings, **bob, "auth.admins": "ann bob"})
    assert login(app, "bob", "two") == 200
    assert app.get("/simple/x/", headers={"Authorization": basic("bob", "two")}, status=404)
    rewrite(path, {**settings, **bob})
    assert login(app, "bob", "two") == 200
    rewrite(path, settings)
    assert login(app, "bob", "two") == 401
