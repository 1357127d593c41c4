"""Where upstreams are: pypicloud's keys and those beside them."""

from __future__ import annotations

import pytest
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.upstream.settings import Login, UpstreamSettings


def peers(environ=None, **settings):
    given = {key.replace("__", "."): value for key, value in settings.items()}
    return UpstreamSettings.model_validate(given).peers(environ or {})


def test_the_public_index_is_the_default():
    (peer,) = peers()
    assert str(peer.index) == PYPI_SIMPLE_ENDPOINT
    assert (peer.login, peer.proxy, peer.file_hosts) == (None, None, frozenset())


@pytest.mark.parametrize(
    ("key", "url", "index"),
    [
        ("pypi__fallback_base_url", "https://a.example.com", "https://a.example.com/simple/"),
        ("pypi__fallback_base_url", "https://a.example.com/simple", "https://a.example.com/simple/"),
        ("pypi__fallback_base_url", "https://a.example.com/api/pypi/x/", "https://a.example.com/api/pypi/x/simple/"),
        (
            "pypi__fallback_base_url",
            "http://a.example.com:3141/root/pypi/+simple/",
            "http://a.example.com:3141/root/pypi/+simple/",
        ),
        ("pypi__fallback_url", "https://a.example.com/index", "https://a.example.com/index/"),
    ],
)
def test_addresses(key, url, index):
    (peer,) = peers(**{key: url})
    assert str(peer.index) == index


def test_several_in_order_each_with_its_login():
    found = peers(
        pypi__fallback_base_url="https://me:p%40w@a.example.com\nhttps://b.example.com https://c.example.com",
        upstream__credentials="https://b.example.com you:pa:ss word\n",
    )
    assert [peer.index.host for peer in found] == ["a.example.com", "b.example.com", "c.example.com"]
    logins = [peer.login and (peer.login.user, peer.login.password) for peer in found]
    assert logins == [("me", "p@w"), ("you", "pa:ss word"), None]
    assert "p@w" not in repr(found)
    assert "pa:ss" not in repr(found)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pypi__fallback_base_url": "index.example.com"}, "address 1"),
        ({"pypi__fallback_base_url": "https://a.example.com ftp://me:pw-secret@b.example.com"}, "address 2"),
        ({"pypi__fallback_base_url": "https://a.example.com/?token=pw-secret"}, "leave"),
        ({"pypi__fallback_base_url": "https://a.example.com/#pw-secret"}, "leave"),
        ({"pypi__fallback_base_url": "https://[::1"}, "address 1"),
        ({"pypi__fallback_base_url": "https://a.example.com", "pypi__fallback_url": "https://b.example.com"}, "alone"),
        ({"upstream__credentials": "https://a.example.com me:pw-secret"}, "no upstream at https://a.example.com"),
        ({"upstream__credentials": "pw-secret"}, "line 1"),
        ({"upstream__credentials": "https://a.example.com pw-secret"}, "line 1"),
        ({"upstream__client_key": "/etc/key.pem"}, "client_cert is missing"),
        ({"upstream__file_hosts": "files.example.com/path"}, "HOST:PORT"),
        ({"upstream__file_hosts": "user@files.example.com"}, "HOST:PORT"),
        ({"upstream__proxy": "https://me:pw-secret@proxy.example.com"}, "upstream.proxy"),
        ({"upstream__proxy": "socks5://proxy.example.com"}, "upstream.proxy"),
    ],
)
def test_contradictions_are_named_and_no_secret_with_them(settings, said):
    with pytest.raises(ConfigError, match=said) as caught:
        peers(**settings)
    assert "pw-secret" not in caught.value.message


def test_all_contradictions_at_once():
    with pytest.raises(ConfigError) as caught:
        peers(
            pypi__fallback_base_url="a b", upstream__client_key="k", upstream__file_hosts="/", upstream__proxy="ftp://x"
        )
    assert len(caught.value.problems) == 4


def test_hosts_of_files():
    (peer,) = peers(upstream__file_hosts="files.example.com Files.Example.com:8443 [fd12::1]:81")
    assert peer.file_hosts == {("files.example.com", 443), ("files.example.com", 8443), ("fd12::1", 81)}


ENVIRONMENT = {
    "https_proxy": "http://px:pw-proxy@proxy.example.com:3128",
    "HTTP_PROXY": "proxy2.example.com:8080",
    "NO_PROXY": "inner.example.com,.lan.example.com",
}


@pytest.mark.parametrize(
    ("url", "setting", "environ", "proxy"),
    [
        ("https://a.example.com", "environment", ENVIRONMENT, "http://proxy.example.com:3128"),
        ("http://a.example.com", "environment", ENVIRONMENT, "http://proxy2.example.com:8080"),
        ("http://a.example.com", "environment", {**ENVIRONMENT, "REQUEST_METHOD": "GET"}, None),
        ("https://a.example.com", "environment", {"ALL_PROXY": "http://all.example.com:1"}, "http://all.example.com:1"),
        ("https://a.example.com", "environment", {}, None),
        ("https://a.example.com", "none", ENVIRONMENT, None),
        ("https://a.example.com", "http://mine.example.com:3128/", ENVIRONMENT, "http://mine.example.com:3128"),
    ],
)
def test_the_proxy(url, setting, environ, proxy):
    (peer,) = peers(environ, pypi__fallback_base_url=url, upstream__proxy=setting)
    assert peer.proxy == proxy
    assert peer.uses_proxy("a.example.com") is (proxy is not None)
    assert "pw-proxy" not in repr(peer)
    by_name = setting == "environment" and bool(environ)
    assert peer.uses_proxy("x.lan.example.com") is (proxy is not None and not (by_name and "NO_PROXY" in environ))


def test_who_asks_the_proxy():
    (peer,) = peers(ENVIRONMENT)
    assert peer.proxy_headers() == {"Proxy-Authorization": "Basic cHg6cHctcHJveHk="}
    assert peers()[0].proxy_headers() == {}


def test_any_password_can_be_said():
    assert Login("jürgen", "€ 100%").headers() == {"Authorization": "Basic asO8cmdlbjrigqwgMTAwJQ=="}
