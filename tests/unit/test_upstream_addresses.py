"""T24: which addresses are gone to on behalf of an upstream, and how addresses are read."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypicloud_lite.kernel.errors import UpstreamAddressRefused, UpstreamError, UpstreamNonsense
from pypicloud_lite.upstream.addresses import Doors, is_public, literal
from pypicloud_lite.upstream.targets import Target

PUBLIC = Target.parse("https://index.example.com/simple/")
INNER = Target.parse("http://index.example.com:3141/root/pypi/+simple/")

NOT_PUBLIC = [
    *("0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254"),
    *("172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.1.1", "192.88.99.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "100::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::1"),
    *("2002:7f00:1::", "2001:0:7f00:1::1"),
]


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_t24_no_public_address(text):
    address = ip_address(text)
    assert not is_public(address)
    with pytest.raises(UpstreamAddressRefused, match=r"files\.example\.com"):
        Doors(PUBLIC).check_address(Target.parse("https://files.example.com/x"), address)


@pytest.mark.parametrize("text", ["1.1.1.1", "151.101.1.6", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_a_public_address(text):
    assert is_public(ip_address(text))
    Doors(PUBLIC).check_address(Target.parse("https://files.example.com/x"), ip_address(text))


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        *(
            (text, True)
            for text in (
                *("127.0.0.1", "10.0.0.1", "172.16.9.9", "192.168.0.9", "100.64.0.1", "fd12::1", "::1"),
                *("203.0.113.9", "198.51.100.9", "192.0.2.9", "198.18.0.9", "198.19.255.9"),
            )
        ),
        *((text, False) for text in ("169.254.169.254", "fe80::1", "fd00:ec2::254", "0.0.0.0", "224.0.0.1", "::")),
        *((text, False) for text in ("::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe")),
    ],
)
def test_t24_the_own_server_may_be_inside_but_never_where_secrets_are(text, allowed):
    doors = Doors(INNER, frozenset({("files.example.com", 8443)}))
    for named in (INNER, Target.parse("http://files.example.com:8443/x")):
        if allowed:
            doors.check_address(named, ip_address(text))
        else:
            with pytest.raises(UpstreamAddressRefused):
                doors.check_address(named, ip_address(text))
    for other in ("http://index.example.com:3142/", "https://files.example.com/"):
        with pytest.raises(UpstreamAddressRefused):
            doors.check_address(Target.parse(other), ip_address(text))


def test_index_that_somebody_else_named_is_outside_unless_the_operator_names_it_too():
    untrusted = Doors(INNER, frozenset(), trusts_own=False)
    for text in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "fd12::1"):
        with pytest.raises(UpstreamAddressRefused):
            untrusted.check_address(INNER, ip_address(text))
    untrusted.check_address(INNER, ip_address("1.1.1.1"))
    untrusted.check(INNER, None)
    with pytest.raises(UpstreamAddressRefused):
        untrusted.check_name(Target.parse("http://localhost/simple/"))
    named = Doors(INNER, frozenset({INNER.place}), trusts_own=False)
    named.check_address(INNER, ip_address("10.0.0.1"))
    with pytest.raises(UpstreamAddressRefused):
        named.check_address(INNER, ip_address("169.254.169.254"))


def test_an_address_that_the_operator_wrote_is_the_operators_word():
    own = Target.parse("http://169.254.1.1/simple/")
    Doors(own).check_address(own, ip_address("169.254.1.1"))
    with pytest.raises(UpstreamAddressRefused):
        Doors(own).check_address(own, ip_address("169.254.1.2"))


@pytest.mark.parametrize(
    ("own", "before", "to", "followed"),
    [
        ("https://a.example.com", None, "https://files.example.com/x", True),
        ("https://a.example.com", None, "http://a.example.com/x", False),
        ("https://a.example.com", None, "http://files.example.com/x", False),
        ("http://a.example.com", None, "http://a.example.com/x", True),
        ("http://a.example.com", None, "https://a.example.com/x", True),
        ("http://a.example.com", None, "http://a.example.com:81/x", False),
        ("http://a.example.com", None, "http://files.example.com/x", False),
        ("http://a.example.com", None, "https://files.example.com/x", True),
        ("http://a.example.com", "https://files.example.com", "http://a.example.com/x", False),
        ("http://a.example.com", None, "http://named.example.com/x", True),
        ("https://a.example.com", None, "http://named.example.com/x", False),
    ],
)
def test_t24_steps(own, before, to, followed):
    doors = Doors(Target.parse(own), frozenset({("named.example.com", 80)}))
    step = (Target.parse(to), Target.parse(before) if before else None)
    if followed:
        doors.check(*step)
    else:
        with pytest.raises(UpstreamAddressRefused):
            doors.check(*step)


@pytest.mark.parametrize(
    "text", ["127.1", "0x7f000001", "0x7f.1", "2130706433", "0177.0.0.1", "::1", "::ffff:127.0.0.1"]
)
def test_t24_every_spelling_of_an_address(text):
    address = literal(text)
    assert address is not None
    assert not is_public(address)
    with pytest.raises(UpstreamAddressRefused):
        Doors(PUBLIC).check_name(Target("https", text, 443, "/"))


@pytest.mark.parametrize("text", ["index.example.com", "localhost", "a", "1.2.3.4.5", "", "127.0.0.1 x"])
def test_what_is_no_address(text):
    assert literal(text) is None


@pytest.mark.parametrize(
    ("url", "server", "resource"),
    [
        ("https://Index.Example.com", "https://index.example.com", "/"),
        ("https://index.example.com:443/simple/?a=b#c", "https://index.example.com", "/simple/?a=b"),
        ("http://[::1]:8080/a b", None, None),
        ("http://[FD12::1]:8080/a%20b", "http://[fd12::1]:8080", "/a%20b"),
        ("http://a.example.com/%2e%2e/x", "http://a.example.com", None),
    ],
)
def test_addresses_are_read(url, server, resource):
    if server is None:
        assert str(Target.parse(url)) == "http://[::1]:8080/a%20b"
        return
    target = Target.parse(url)
    assert target.server == server
    assert resource is None or target.resource == resource


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("index.example.com", UpstreamAddressRefused),
        ("ftp://index.example.com/", UpstreamAddressRefused),
        ("https://user@index.example.com/", UpstreamAddressRefused),
        ("https://user:pw@index.example.com/", UpstreamAddressRefused),
        ("https:///simple/", UpstreamNonsense),
        ("https://index.example.com:port/", UpstreamNonsense),
        ("https://index.example.com/\r\nHost: x", UpstreamNonsense),
        ("https://index.example.com/" + "x" * 5000, UpstreamNonsense),
    ],
)
def test_addresses_that_are_none(url, error):
    with pytest.raises(error) as caught:
        Target.parse(url)
    assert "pw" not in caught.value.message


@given(st.text(max_size=60), st.sampled_from(["", "https://", "http://", "//", "https://user@", "https://["]))
def test_t24_whatever_is_written_is_read_or_refused(text, begin):
    """What is sent is what was judged: reading it again gives the same, and no line ends in it."""
    try:
        target = PUBLIC.joined(begin + text)
    except UpstreamError:
        return
    assert Target.parse(str(target)) == target
    assert "@" not in target.host
    assert target.resource.startswith("/")
    assert target.resource.isprintable()
    assert " " not in str(target)
