"""Whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from structlog.testing import capture_logs

from pypicloud_lite.web.proxies import TrustedProxies

NETWORKS = (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))
CALLER = "198.51.100.7"


def seen(peer: str | None, forwarded: str | None = CALLER, proto: str | None = "https", networks=NETWORKS):
    """Address and scheme as the application behind it sees them."""
    caught: dict[str, Any] = {}

    def app(environ, _start_response):
        caught.update(environ)
        return []

    environ = {"wsgi.url_scheme": "http"}
    given = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded, "HTTP_X_FORWARDED_PROTO": proto}
    environ.update({name: text for name, text in given.items() if text is not None})
    TrustedProxies(app, networks)(environ, lambda *_: None)
    return caught.get("REMOTE_ADDR"), caught["wsgi.url_scheme"]


@pytest.mark.parametrize("peer", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"])
def test_a_trusted_proxy_is_believed(peer):
    assert seen(peer) == (CALLER, "https")


@pytest.mark.parametrize("peer", ["203.0.113.9", "2001:db9::1", "::ffff:203.0.113.9", "no address"])
def test_anyone_else_is_not(peer):
    assert seen(peer) == (peer, "http")


@pytest.mark.parametrize("peer", ["", None])
def test_a_unix_socket_is_trusted_where_any_proxy_is(peer):
    assert seen(peer) == (CALLER, "https")
    assert seen(peer, networks=()) == (peer, "http")


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (f"203.0.113.9, {CALLER}", CALLER),
        (f"203.0.113.9, {CALLER}, 192.0.2.44", CALLER),
        (f"{CALLER},192.0.2.44 , ::ffff:192.0.2.45", CALLER),
        (f"spoofed, {CALLER}", CALLER),
        ("192.0.2.44, 192.0.2.45", "192.0.2.44"),
        (f"{CALLER}, not an address, 192.0.2.44", "192.0.2.44"),
        (f"{CALLER}, not an address", "192.0.2.1"),
        ("2001:db9::7", "2001:db9::7"),
        ("", "192.0.2.1"),
    ],
)
def test_of_a_chain_the_last_address_that_is_no_proxy_of_ours_counts(forwarded, address):
    assert seen("192.0.2.1", forwarded, None) == (address, "http")


@pytest.mark.parametrize("proto", ["HTTP", " http ", "http"])
def test_the_scheme_may_be_written_anyhow(proto):
    assert seen("192.0.2.1", proto=proto) == (CALLER, "http")
    assert seen("192.0.2.1", proto=proto.replace("http", "https").replace("HTTP", "HTTPS")) == (CALLER, "https")


@pytest.mark.parametrize("proto", ["javascript", "https, http", "", None])
def test_any_other_scheme_changes_nothing(proto):
    assert seen("192.0.2.1", proto=proto) == (CALLER, "http")


def test_one_warning_for_a_proxy_that_was_not_named():
    app = TrustedProxies(lambda *_: [], NETWORKS)
    with capture_logs() as logs:
        for last in range(3):
            app({"REMOTE_ADDR": f"203.0.113.{last}", "HTTP_X_FORWARDED_FOR": CALLER}, lambda *_: None)
        app({"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": CALLER}, lambda *_: None)
        app({"REMOTE_ADDR": "203.0.113.1"}, lambda *_: None)
    assert [(entry["log_level"], entry["peer"]) for entry in logs] == [("warning", "203.0.113.0")]
    assert "pypi.trusted_proxies" in logs[0]["event"]
