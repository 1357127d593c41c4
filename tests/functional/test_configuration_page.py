"""The configuration in force: every setting and where it was said, and none of the secrets, however they were written."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from pydantic import Field, SecretStr

from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.app import make_app
from pypicloud_lite.settings.declare import Settings, declared
from pypicloud_lite.settings.in_force import Configuration, settings_in_force, without_secrets
from pypicloud_lite.settings.load import load
from pypicloud_lite.testing.world import PASSWORDS
from pypicloud_lite.wiring import build, load_raw, load_settings
from pypicloud_lite.wiring.in_force import configuration
from pypicloud_lite.wiring.sample import GROUPS

HTML = {"Accept": "text/html,application/xhtml+xml"}
ALL_AUTH = "config sql ldap remote aws_secrets_manager"
CANARY = "CANARY"
REQUIRED = {
    "pypi.storage": "s3",
    "pypi.auth": ALL_AUTH,
    "storage.bucket": "packages",
    "auth.secret_id": "s",
    "auth.backend_server": "https://example.com/users",
    "auth.user": "ann",
    "auth.ldap.url": "ldap://ldap.example.com",
    "auth.ldap.service_dn": "cn=x",
    "auth.ldap.base_dn": "dc=x",
    "auth.ldap.user_search_filter": "(uid={username})",
    "auth.ldap.admin_field": "x",
    "auth.ldap.admin_value": "y",
    "db.url": "postgresql://ann:CANARY/db?x@db.example.com:5432/catalog?password=CANARYinquery",
    "auth.limit_url": "redis://:CANARYredis@redis.example.com:6379/0",
    "auth.db.url": "mysql://ann:CANARYmysql@old.example.com/pypicloud",
    "storage.proxies": "http=http://ann:CANARYproxy@proxy.example.com:3128 https=https://CANARYuser@other.example.com",
    "storage.endpoint_url": "https://s3.example.com",
    "user.ann": hash_password("CANARYpassword", "pbkdf2_sha256", 1000),
}


def shown(found: Configuration) -> dict[str, tuple[str, str]]:
    return {one.key: (one.value, one.source) for _, group in found.groups for one in group}


def in_force(raw: dict[str, str], folder: Path, environ: dict[str, str] | None = None) -> Configuration:
    services = build(load_raw(raw, folder, environ or {}))
    try:
        return configuration(services)
    finally:
        services.database.dispose()
        services.readmes.close()


def test_every_secret_is_hidden(tmp_path):
    secrets = [one for _, models in GROUPS for model in models for one in declared(model) if one.is_secret]
    assert len(secrets) > 10
    raw = {one.key: f"{CANARY}-{number:02}-" + "x" * 32 for number, one in enumerate(secrets)} | REQUIRED
    # Said again where it is no secret.
    raw["storage.user_agent_extra"] = raw["auth.signing_key"]
    found = in_force(raw, tmp_path, {"PPC_ADMIN_USER": "root", "PPC_ADMIN_PASSWORD": "CANARYadmin"})
    assert CANARY not in repr(found)
    assert raw["user.ann"] not in repr(found)
    values = shown(found)
    for one in secrets:
        assert "***" in values[one.key][0], one.key
    assert values["db.url"] == ("postgresql://ann:***@db.example.com:5432/catalog?***", "file")
    assert values["auth.limit_url"][0] == "redis://:***@redis.example.com:6379/0"
    assert (
        values["storage.proxies"][0] == "http=http://ann:***@proxy.example.com:3128 https=https://***@other.example.com"
    )
    assert values["storage.user_agent_extra"][0] == "***"
    assert values["PPC_ADMIN_USER"] == ("root", "PPC_ADMIN_USER")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("redis://CANARY@h/0", "redis://***@h/0"),
        ("redis://u:CA@NARY@h/0", "redis://u:***@h/0"),
        ("redis://u:CA/NARY@h/0", "redis://u:***@h/0"),
        ("redis://h:CANARY/0", "redis://***"),
        ("redis://h/0#CANARY", "redis://***"),
        ("redis://h/0?password=CANARY", "redis://h/0?***"),
        ("redis://u?CANARY:x@h/0", "redis://***@h/0"),
        ("unix:///run/redis.sock?password=CANARY", "unix:///run/redis.sock?***"),
        ("no url CANARY", "***"),
        ("redis://h/ CANARY", "***"),
    ],
)
def test_of_a_url_its_place_is_shown(text, said):
    class Some(Settings):
        url: SecretStr = Field(alias="some.url", description="Where")
        name: str = Field("", alias="some.name")

    loaded = load({"some.url": text}, {}, [Some])
    (found, _) = settings_in_force(loaded, [Some], {})
    assert found.value == said
    assert without_secrets(f"cannot reach {text} now", loaded).count("CANARY") == 0


def test_a_key_that_sounds_like_a_secret_is_hidden_though_it_is_declared_as_text():
    class Plain(Settings):
        password: str = Field("", alias="x.password")
        api_key: str | None = Field(None, alias="x.api-key")
        note: str = Field("", alias="x.note")
        key_id: str = Field("", alias="x.key_id")

    raw = {"x.password": "CANARY1", "x.api-key": "CANARY2", "x.note": "see CANARY1", "x.key_id": "7"}
    found = {one.key: one.value for one in settings_in_force(load(raw, {}, [Plain]), [Plain], {})}
    assert found == {"x.password": "***", "x.api-key": "***", "x.note": "see ***", "x.key_id": "7"}


def test_where_each_value_was_said(tmp_path):
    raw = {"db.pool_size": "7", "pypi.realm": "", "pypi.cache_update": "", "db.url": f"sqlite:///{tmp_path}/x.sqlite"}
    values = shown(in_force(raw, tmp_path, {"PPC_DB_MAX_OVERFLOW": "3", "PPC_PYPI_DEFAULT_READ": "everyone"}))
    assert values["db.pool_size"] == ("7", "file")
    assert values["db.max_overflow"] == ("3", "PPC_DB_MAX_OVERFLOW")
    assert values["pypi.default_read"] == ("everyone", "PPC_PYPI_DEFAULT_READ")
    assert values["db.pool_timeout"] == ("5.0", "default")
    assert values["pypi.realm"] == ("pypi", "default")
    assert values["auth.limit_window"] == ("5 min", "default")
    assert values["pypi.cache_update"] == ("", "file")
    assert values["storage.dir"][1] == "default"
    assert values["auth.limit_url"] == ("", "default")
    assert values["user.*, group.*, package.*"] == ("0 lines", "default")


def test_a_secret_of_a_file_is_from_the_environment(tmp_path):
    (tmp_path / "secret").write_text("CANARY" * 6)
    values = shown(in_force({}, tmp_path, {"PPC_AUTH_SIGNING_KEY_FILE": str(tmp_path / "secret")}))
    assert values["auth.signing_key"] == ("***", "PPC_AUTH_SIGNING_KEY_FILE")


def test_every_declared_setting_of_what_is_chosen_is_there(tmp_path):
    found = in_force({}, tmp_path)
    services = build(load_raw({}, tmp_path, {}))
    keys = {one.key for model in services.settings.settings for one in declared(model)}
    assert keys <= shown(found).keys()
    assert all(heading and group for heading, group in found.groups)
    services.readmes.close()


def test_default_rights_follow_the_file(tmp_path):
    file = tmp_path / "config.ini"
    text = "[app:main]\nuse = egg:pypicloud_lite\npypi.default_read = staff\ndb.pool_size = 7\n"
    file.write_text(text)
    services = build(load_settings(file, {}), follow=file)
    assert shown(configuration(services))["pypi.default_read"] == ("staff", "file")
    file.write_text(text.replace("staff", "crew people") + "pypi.default_write = crew\n")
    values = shown(configuration(services))
    assert values["pypi.default_read"] == ("crew people", "file")
    assert values["pypi.default_write"] == ("crew", "file")
    services.readmes.close()


def test_the_page_is_for_administrators_and_shows_the_warnings(make_world):
    world = make_world({"pypi.auth": "config sql", "db.url": None, "group.ghosts": "", "pypi.stream_files": "true"})
    assert world.app.get("/manage/config", headers=HTML, status=302).headers["Location"].startswith("/login")
    world.app.post("/login", {"username": "admin", "password": PASSWORDS["admin"]}, status=303)
    page = world.app.get("/manage/config", headers=HTML, status=200)
    assert page.headers["Cache-Control"] == "no-store"
    assert re.search(r"<code>db.pool_size</code>.*?default.*?<bdi>10</bdi>", page.text, re.DOTALL)
    assert "pbkdf2-sha256" not in page
    assert "looks like a mistake" in page
    services = replace(
        world.services,
        settings=replace(world.services.settings, warnings=("without effect: x = mysql://u:CANARY@h/d",)),
    )
    page = type(world.app)(make_app(services)).get("/manage/config", headers={**HTML, "Cookie": cookie(world)})
    assert "1 warning of the start" in page
    assert "mysql://u:***@h/d" in page
    assert "CANARY" not in page


def cookie(world):
    return f"ppc_session={world.app.cookies['ppc_session']}"


def test_sources_are_kept_unchanged():
    class One(Settings):
        size: int = Field(1, alias="one.size")

    loaded = load({"one.size": "2"}, {}, [One])
    assert isinstance(loaded.sources, MappingProxyType)
    assert loaded.sources == {"one.size": "file"}
