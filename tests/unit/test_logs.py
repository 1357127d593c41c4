"""T33: what looks like a secret never reaches the log."""

from __future__ import annotations

import logging

import pytest
import structlog

from pypicloud_lite.web.logs import configure_logging, redact


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ann:CANARY-1@db.example.com/x",
        "Authorization: Basic CANARY1CANARY1==",
        "bearer CANARY1.CANARY1",
        "GET /b/k?X-Amz-Signature=CANARY1&X-Amz-Expires=3",
        "X-Amz-Security-Token=CANARY1&x=1",
        'password="CANARY1"',
        "aws_secret_access_key=CANARY1",
        "{'db_password': 'CANARY1'}",
        "user.ann = $argon2id$v=19$m=8,t=1,p=1$CANARY1$CANARY1",
        "$6$rounds=5000$CANARY1$CANARY1",
    ],
)
def test_T33_secrets_are_taken_out(text):
    assert "CANARY" not in redact(text)


@pytest.mark.parametrize("text", ["uploaded acme-1.0.tar.gz", "http://127.0.0.1:8080/simple/acme/", "token expired"])
def test_ordinary_text_stays(text):
    assert redact(text) == text


@pytest.fixture
def lines(caplog):
    configure_logging()
    with caplog.at_level(logging.INFO, "pypicloud_lite"):
        yield caplog
    structlog.reset_defaults()


def test_an_event_is_one_line_and_a_traceback_is_redacted(lines):
    log = structlog.get_logger("pypicloud_lite.test")
    log.info("upload", filename="a\nINFO forged", url="http://u:CANARY@h/")
    try:
        int("postgresql://ann:CANARY@h/db")
    except ValueError:
        log.exception("failed")
    first, second = (record.getMessage() for record in lines.records)
    assert "\n" not in first
    assert "\\n" in first
    assert "Traceback" in second
    assert "CANARY" not in lines.text
