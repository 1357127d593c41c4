"""``ppc-serve``: how its layers of options add up. Live behaviour is tested in tests/functional."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from click.testing import CliRunner

from pypicloud_lite.cli.serve import Server, command

CONFIG = Path(__file__).parents[2] / "config" / "gunicorn.conf.py"


def settings(*options, config=None, **overrides):
    return Server(config, overrides, options).cfg


def test_requests_run_on_threads_with_room_for_long_credentials():
    cfg = settings()
    assert cfg.worker_class_str == "gthread"
    assert cfg.limit_request_field_size == 32768
    assert cfg.workers >= 2
    assert cfg.threads == 24


def test_no_control_socket_and_no_forwarded_header():
    cfg = settings()
    assert cfg.control_socket_disable
    assert (cfg.forwarded_allow_ips, cfg.secure_scheme_headers, cfg.forwarder_headers) == ([], {}, [])


def test_the_access_log_holds_no_header_but_the_user_agent():
    assert "}i" not in settings().access_log_format
    assert "%(u)s" not in settings().access_log_format


def test_what_follows_the_dashes_wins(monkeypatch):
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--threads 3 --workers 5")
    cfg = settings("--workers", "6", bind=["127.0.0.1:1"])
    assert (cfg.threads, cfg.workers, cfg.bind) == (3, 6, ["127.0.0.1:1"])


@pytest.mark.parametrize("words", [("--bogus",), ("stray",)])
def test_what_gunicorn_does_not_know_is_refused(words):
    with pytest.raises(SystemExit) as ended:
        settings(*words)
    assert ended.value.code == 2


def test_a_file_with_logging_sections_configures_logging(tmp_path):
    plain, logging = tmp_path / "plain.ini", tmp_path / "logging.ini"
    plain.write_text("[app:main]\n")
    logging.write_text("[app:main]\n[loggers]\nkeys = root\n")
    assert settings(config=plain).logconfig is None
    assert settings(config=logging).logconfig == str(logging)


def test_the_file_for_gunicorn_has_the_same_settings():
    here = runpy.run_path(str(CONFIG))
    there = runpy.run_path(str(CONFIG.parents[1] / "pypicloud_lite" / "cli" / "gunicorn_settings.py"))
    names = [name for name, value in there.items() if not name.startswith("_") and not callable(value)]
    assert "limit_request_field_size" in names
    assert [name for name in names if name in here and here[name] != there[name]] == []
    assert [name for name in ("workers", "post_fork", "post_worker_init") if name not in here] == []


def test_a_wrong_configuration_is_one_screen_and_status_2(tmp_path):
    config = tmp_path / "config.ini"
    config.write_text("[app:main]\nuse = egg:pypicloud_lite\npypi.reealm = file\ndb.pool_size = many\n")
    result = CliRunner().invoke(command, [str(config)], obj=())
    assert result.exit_code == 2
    assert "pypi.reealm" in result.stderr
    assert "db.pool_size" in result.stderr
    assert "Traceback" not in result.output


def test_a_missing_file_is_status_2():
    result = CliRunner().invoke(command, ["nowhere.ini"], obj=())
    assert result.exit_code == 2
    assert "nowhere.ini" in result.stderr
