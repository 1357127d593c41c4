"""The access log: what was asked for, and nothing that may be secret."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from gunicorn.glogging import SafeAtoms

from pypicloud_lite.cli import gunicorn_settings
from pypicloud_lite.cli.request_log import RequestLogger


def line(target: str, **environ: str) -> str:
    """What gunicorn would write for one request."""
    logger = RequestLogger.__new__(RequestLogger)
    path, _, query = target.partition("?")
    facts = {
        "REQUEST_METHOD": "GET",
        "RAW_URI": target,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        **environ,
    }
    response = SimpleNamespace(status="200 OK", sent=12, headers=[("X-Request-Id", "0123456789abcdef")])
    asked = SimpleNamespace(headers=[("X-Asked", "1")])
    atoms = logger.atoms(response, asked, facts, timedelta(milliseconds=7))
    return gunicorn_settings.access_log_format % SafeAtoms(atoms)


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/simple/acme/", '"GET /simple/acme/ HTTP/1.1"'),
        ("/simple/acme/?token=CANARY", '"GET /simple/acme/ HTTP/1.1"'),
        ("/simple/acme/?", '"GET /simple/acme/ HTTP/1.1"'),
        ("/?a=b?c=CANARY", '"GET / HTTP/1.1"'),
        ("/simple/ac%3Fme/", '"GET /simple/ac%3Fme/ HTTP/1.1"'),
        ("http://ann:CANARY@192.0.2.7/simple/acme/?x=CANARY", '"GET /simple/acme/ HTTP/1.1"'),
        ("http://ann:CANARY@192.0.2.7", '"GET / HTTP/1.1"'),
    ],
)
def test_the_request_line_has_neither_query_nor_userinfo(target: str, shown: str) -> None:
    written = line(target)
    assert shown in written
    assert "CANARY" not in written


def test_credentials_and_the_referring_page_are_left_out() -> None:
    written = line(
        "/simple/acme/",
        HTTP_AUTHORIZATION="Basic QU5OOkNBTkFSWQ==",
        HTTP_REFERER="http://192.0.2.7/?token=CANARY",
        HTTP_COOKIE="session=CANARY",
    )
    assert "CANARY" not in written
    assert "QU5OOkNBTkFSWQ" not in written


def test_the_status_the_size_the_beginning_of_the_agent_and_the_request_id_are_there() -> None:
    written = line("/simple/acme/", HTTP_USER_AGENT="pip/25.0 " + "x" * 500)
    assert written.endswith(f' 200 12 7ms "pip/25.0 {"x" * 71}" 0123456789abcdef')
    assert " 192.0.2.1 " in written
