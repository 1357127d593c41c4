"""The configuration that ``make run`` writes."""

from __future__ import annotations

import configparser
import stat

from click.testing import CliRunner

from pypicloud_lite.access.passwords import verify_password
from pypicloud_lite.cli.first_config import create, main


def test_the_file_is_private_and_holds_only_the_hash(tmp_path):
    path = tmp_path / "new" / "config.ini"
    password = create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert password
    assert password not in path.read_text()
    parser = configparser.ConfigParser(defaults={"here": str(tmp_path)})
    parser.read(path)
    section = parser["app:main"]
    assert verify_password(password, section["user.admin"])
    assert section["storage.dir"] == f"{tmp_path}/data/packages"
    assert [entry.name for entry in path.parent.iterdir()] == ["config.ini"]


def test_an_existing_file_is_kept(tmp_path):
    path = tmp_path / "config.ini"
    path.write_text("mine")
    assert create(path) is None
    assert path.read_text() == "mine"


def test_two_first_configs_differ(tmp_path):
    assert create(tmp_path / "a.ini") != create(tmp_path / "b.ini")


def test_the_password_is_shown_once_and_the_commands_are_ready_to_paste(tmp_path):
    path = tmp_path / "config.ini"
    arguments = [str(path), "--url", "http://127.0.0.1:8099/"]
    first = CliRunner().invoke(main, arguments)
    assert first.exit_code == 0
    password = first.output.split("password   ")[1].split()[0]
    assert verify_password(password, path.read_text().split("user.admin = ")[1].split()[0])
    assert f"--repository-url http://127.0.0.1:8099/ -u admin -p {password} dist/*" in first.output
    assert f"--index-url http://admin:{password}@127.0.0.1:8099/simple/ NAME" in first.output
    second = CliRunner().invoke(main, arguments)
    assert second.exit_code == 0
    assert password not in second.output
