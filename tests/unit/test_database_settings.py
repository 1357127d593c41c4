"""``db.*``: which databases, which options."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pypicloud_lite.db import dialects
from pypicloud_lite.db.dialects import dialect_of, parse_url
from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.settings import DatabaseSettings
from pypicloud_lite.kernel.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("sqlite:////srv/catalog.sqlite", "sqlite+pysqlite"),
        ("postgresql://u:p@127.0.0.1/x", "postgresql+psycopg"),
        ("postgres://u:p@127.0.0.1/x", "postgresql+psycopg"),
        ("postgresql+psycopg2://u:p@127.0.0.1/x", "postgresql+psycopg"),
        ("mysql://u:p@127.0.0.1/x?charset=utf8mb4", "mysql+pymysql"),
        ("mariadb://u:p@127.0.0.1/x", "mysql+pymysql"),
    ],
)
def test_drivers(given, driver):
    url = parse_url(given)
    assert url.drivername == driver
    assert url.query.get("charset") == ("utf8mb4" if driver.startswith("mysql") else None)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "oracle://u:tiger@h/x",
    ],
)
def test_refused(given):
    with pytest.raises(ConfigError, match=r"db\.url") as caught:
        parse_url(given)
    assert "tiger" not in str(caught.value)
    with pytest.raises(ValidationError) as invalid:
        DatabaseSettings.model_validate({"db.url": given})
    assert "tiger" not in str(invalid.value)


def test_missing_driver_names_the_extra(monkeypatch):
    monkeypatch.setattr(dialects.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"pip install 'pypicloud_lite\[postgres\]'"):
        dialect_of(parse_url("postgresql://u@127.0.0.1/x"))
    with pytest.raises(ConfigError, match=r"pip install 'pypicloud_lite\[mysql\]'"):
        dialect_of(parse_url("mysql://u@127.0.0.1/x"))


def test_engine_options_reach_the_engine(tmp_path):
    settings = DatabaseSettings.model_validate(
        {
            "db.url": f"sqlite:///{tmp_path}/x.sqlite",
            "db.pool_size": "3",
            "db.max_overflow": "4",
            "db.pool_timeout": "0.5",
            "db.poolclass": "sqlalchemy.pool.QueuePool",
        }
    )
    pool = Database(settings).engine.pool
    assert (pool.size(), pool._max_overflow, pool.timeout()) == (3, 4, 0.5)


def test_no_pool(tmp_path):
    settings = DatabaseSettings.model_validate(
        {"db.url": f"sqlite:///{tmp_path}/x.sqlite", "db.poolclass": "sqlalchemy.pool.NullPool"}
    )
    database = Database(settings)
    database.probe()
    assert type(database.engine.pool).__name__ == "NullPool"


def test_nothing_is_opened_before_it_is_used(tmp_path):
    Database(DatabaseSettings.model_validate({"db.url": f"sqlite:///{tmp_path}/x/y.sqlite"}))
    assert list(tmp_path.iterdir()) == []


def test_the_password_is_not_shown():
    settings = DatabaseSettings.model_validate({"db.url": "postgresql://u:secret@127.0.0.1/x"})
    assert "secret" not in repr(settings)
    assert "secret" not in repr(Database(settings))
