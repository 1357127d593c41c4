"""What stands in ``config/`` and ``docker/`` works as it is, and names nothing that does not exist."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.settings.environment import variable
from pypicloud_lite.storage.backends.s3_settings import S3Settings
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.databases import DatabaseMissing, new_database
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.raw_client import RawClient
from pypicloud_lite.testing.world import PASSWORDS
from pypicloud_lite.wiring import load_settings
from pypicloud_lite.wiring.sample import config_sample

ROOT = Path(__file__).parents[2]
ADMIN = {"PPC_ADMIN_USER": "admin", "PPC_ADMIN_PASSWORD": PASSWORDS["admin"]}
WHEEL = build_wheel("demo", "1.0")
# As a line of the file itself, or switched off.
ENTRY = re.compile(r"^(?:# )?([A-Z][A-Z0-9_]+)=(.*)$", re.MULTILINE)


class Shipped(LiveServer):
    """The real server on a file of ours, moved beside its data."""

    def __init__(self, folder, name, environ):
        super().__init__(folder / "config", {}, environ=environ, workers=1)
        shutil.copy(ROOT / "config" / name, self.config)

    def round_trip(self):
        with self, RawClient(self.port, "admin") as client:
            assert client.upload(WHEEL).status == 200
            answer = client.download(f"/packages/root/main/demo/{WHEEL.filename}")
            return answer, client.listed("demo")


def test_development(tmp_path):
    answer, listed = Shipped(tmp_path, "development.ini", ADMIN).round_trip()
    assert (answer.status, answer.body) == (200, WHEEL.data)
    assert listed.keys() == {WHEEL.filename}
    assert (tmp_path / "data" / "development" / "catalog.sqlite").is_file()


def test_production(tmp_path, s3_endpoint, s3_options, missing):
    """On the real PostgreSQL, and a bucket that exists; everything secret comes from files."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    given = {"PPC_ADMIN_PASSWORD": PASSWORDS["admin"], "PPC_STORAGE_AWS_SECRET_ACCESS_KEY": "testing"}
    try:
        with new_database("postgres", tmp_path) as url:
            given["PPC_DB_URL"] = url
            environ = {"PPC_ADMIN_USER": "admin", "PPC_DB_MIGRATE": "auto"}
            for name, text in given.items():
                path = secrets / name.lower()
                path.write_text(f"{text}\n")
                path.chmod(0o600)
                environ[f"{name}_FILE"] = str(path)
            bucket = {variable(key): text for key, text in s3_options.items() if "secret" not in key}
            server = Shipped(tmp_path, "production.ini", {**environ, **bucket})
            answer, listed = server.round_trip()
    except DatabaseMissing as error:
        missing("postgres", str(error))
    assert answer.status == 302
    assert answer.headers["location"].startswith(s3_endpoint)
    assert listed.keys() == {WHEEL.filename}
    assert not list(tmp_path.rglob("*.sqlite"))


def test_production_forgets_no_database():
    """Without PPC_DB_URL it is not SQLite that it falls back to."""
    loaded = load_settings(ROOT / "config" / "production.ini", ADMIN)
    assert (
        "postgresql://"
        in loaded.get(next(one for one in loaded.settings if one.__name__ == "DatabaseSettings")).url.get_secret_value()
    )
    assert "secret" not in re.sub(r"SECRET|# .*", "", (ROOT / "config" / "production.ini").read_text()).lower()


def test_the_environment_names_settings_that_exist(tmp_path):
    text = (ROOT / "docker" / ".env.example").read_text()
    sample = config_sample()
    keys = set(re.findall(r"^(?:# )?([a-z]+\.[a-z0-9_.]+) =", sample, re.MULTILINE))
    known = {variable(key) for key in keys} | {"PPC_ADMIN_USER", "PPC_ADMIN_PASSWORD", "WEB_CONCURRENCY"}
    named = [name for name, _value in ENTRY.findall(text)]
    assert len(named) > 10
    assert {name.removesuffix("_FILE") for name in named} <= known
    # All of it at once, each secret once, is taken.
    given = dict(ENTRY.findall(text))
    given = {name: value for name, value in given.items() if not name.endswith("_FILE")}
    given |= {"PPC_ADMIN_PASSWORD": "x", "PPC_STORAGE_AWS_ACCESS_KEY_ID": "x", "PPC_STORAGE_AWS_SECRET_ACCESS_KEY": "x"}
    loaded = load_settings(None, given)
    assert loaded.get(S3Settings).bucket == "my-packages"


def test_an_environment_copied_unchanged_says_what_is_missing():
    text = (ROOT / "docker" / ".env.example").read_text()
    given = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    with pytest.raises(ConfigError, match="PPC_ADMIN_PASSWORD"):
        load_settings(None, given)


def test_compose():
    """Reachable from this machine alone, its data where the image has them, and nothing that it does not need."""
    document = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
    (server,) = document["services"].values()
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    assert server["ports"] == ["127.0.0.1:8080:8080"]
    (volume,) = server["volumes"]
    name, _, place = volume.partition(":")
    assert name in document["volumes"]
    assert f"\nVOLUME {place}\n" in dockerfile
    assert (server["read_only"], server["cap_drop"]) == (True, ["ALL"])
    build = server["build"]
    assert (ROOT / "docker" / build["context"] / build["dockerfile"]).is_file()
    # Longer than the server itself takes to let uploads end.
    assert int(server["stop_grace_period"].removesuffix("s")) > 60
