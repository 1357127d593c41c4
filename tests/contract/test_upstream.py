"""An upstream over HTTP: the contract, and what only HTTP can do wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import socket
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from pypicloud_lite.kernel.errors import (
    ConfigError,
    UpstreamAddressRefused,
    UpstreamError,
    UpstreamNonsense,
    UpstreamRefused,
    UpstreamTimedOut,
    UpstreamUnavailable,
    UpstreamUnreachable,
)
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.certificates import make_certificates
from pypicloud_lite.testing.upstream import DATA, DEMO, HASTE, METADATA, WHEEL, UpstreamContract
from pypicloud_lite.testing.upstream_server import JSON, Fault, redirect, upstream_server
from pypicloud_lite.upstream.http import HttpUpstream
from pypicloud_lite.upstream.port import Absent, UpstreamPage, Validator
from pypicloud_lite.upstream.settings import Login, UpstreamSettings

MIB = 1024 * 1024
EMPTY = Fault(200, (("Content-Type", JSON),), b'{"name": "demo", "meta": {"api-version": "1.0"}, "files": []}')


def peer_of(index, **changes):
    settings = {"pypi.fallback_base_url": index.url, "upstream.proxy": "none"}
    settings |= {key: value for key, value in changes.items() if "." in key}
    (peer,) = UpstreamSettings.model_validate(settings).peers({})
    limits = {"page_bytes": MIB, "names_bytes": 4 * MIB, "file_bytes": 8 * MIB, "pages_at_once": 4, "files_at_once": 4}
    return dataclasses.replace(peer, **limits | {key: value for key, value in changes.items() if "." not in key})


class Sleeps:
    """Nobody waits; how long it would have been."""

    def __init__(self):
        self.seconds = []

    def __call__(self, seconds):
        self.seconds.append(seconds)


@pytest.fixture
def made():
    """Makes upstreams and closes their connections."""
    with contextlib.ExitStack() as open_ones:

        def make(index, resolver=None, *, seconds=30.0, monotonic=monotonic, sleep=None, **changes):
            options = {"monotonic": monotonic, "sleep": sleep or Sleeps()}
            if resolver is not None:
                options["resolver"] = resolver
            limits = {"page_seconds": seconds, "names_seconds": seconds, "file_seconds": seconds}
            upstream = HttpUpstream(peer_of(index, **limits, **changes), **options)
            open_ones.callback(upstream.close)
            return upstream

        yield make


class TestHttp(UpstreamContract):
    @pytest.fixture
    def make(self, made):
        return made


@pytest.fixture
def index():
    with upstream_server() as index:
        index.add("demo", WHEEL, DATA, METADATA)
        yield index


@pytest.fixture
def other():
    """Another server, which nobody should get to."""
    with upstream_server() as index:
        index.add("demo", WHEEL, DATA, METADATA)
        yield index


# T24, F23: where it leads


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_within_the_server_are_followed(made, index, status):
    index.fail(redirect("/simple/demo/?again", status), redirect("?once-more", status))
    page = made(index).project(DEMO)
    assert page.url == f"{index.index}demo/?once-more"
    assert page.files[0].url == f"{index.url}/files/demo/{WHEEL}"


def test_t24_f23_no_redirect_and_no_link_leads_to_another_private_server(made, index, other):
    upstream = made(index)
    index.fail(redirect(f"{other.index}demo/"))
    with pytest.raises(UpstreamAddressRefused):
        upstream.project(DEMO)
    index.file_server = other.url
    (link,) = upstream.project(DEMO).files
    for ask in (
        lambda: upstream.fetch(link, print),
        lambda: upstream.metadata(link),
        lambda: upstream.span(link, 0, 1),
    ):
        with pytest.raises(UpstreamAddressRefused, match="https"):
            ask()
    assert other.asked == []


def test_t24_names_are_judged_by_their_address_when_it_is_connected_to(made, index, canary):
    port, connections = canary
    asked = []

    def resolver(host, port):
        asked.append(host)
        return {"127.0.0.1": ["127.0.0.1"]}.get(host, ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254"])

    upstream = made(index, resolver)
    index.fault = lambda _path: redirect(f"https://files.example.com:{port}/")
    with pytest.raises(UpstreamAddressRefused, match=r"files\.example\.com"):
        upstream.project(DEMO)
    assert asked == ["127.0.0.1", "files.example.com"]
    assert connections() == 0


def test_t24_a_name_that_flips_is_connected_to_where_it_was_checked(made, index):
    """The own server may be private; there is one look-up for each connection, and no other one behind it."""
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    port = int(index.url.rpartition(":")[2])
    upstream = made(
        index,
        lambda _host, _port: answers.pop(0),
        **{"pypi.fallback_base_url": f"http://index.example.com:{port}"},
    )
    assert isinstance(upstream.project(DEMO), UpstreamPage)
    assert len(answers) == 1
    upstream.close()
    with pytest.raises(UpstreamAddressRefused, match=r"169\.254\.169\.254"):
        upstream.project(DEMO)


def test_a_server_that_the_operator_names_is_followed(made, index, other):
    index.file_server = other.url
    place = other.url.removeprefix("http://")
    upstream = made(index, **{"upstream.file_hosts": place, "pypi.fallback_base_url": _with_login(index)})
    index.credentials = ("me", "pw-secret")
    (link,) = upstream.project(DEMO).files
    pieces = []
    assert upstream.fetch(link, pieces.append).size == len(DATA)
    assert b"".join(pieces) == DATA
    assert all(one.headers["Authorization"] is None for one in other.asked)


def test_dead_addresses_are_passed_by(made, index):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        pass
    port = int(index.url.rpartition(":")[2])
    assert closed.fileno() == -1
    upstream = made(
        index,
        lambda _host, _port: ["127.0.0.2", "127.0.0.1"],
        **{"pypi.fallback_base_url": f"http://index.example.com:{port}"},
    )
    assert isinstance(upstream.project(DEMO), UpstreamPage)


def test_f21_looking_a_name_up_counts(made, index):
    over = threading.Event()
    upstream = made(index, lambda _host, _port: over.wait(30) or ["127.0.0.1"], seconds=HASTE)
    began = monotonic()
    try:
        with pytest.raises(UpstreamTimedOut):
            upstream.project(DEMO)
    finally:
        over.set()
    assert monotonic() - began < 5


def test_f20_a_name_without_an_address(made, index):
    def resolver(_host, _port):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(UpstreamUnreachable):
        made(index, resolver).project(DEMO)


# Credentials


def _with_login(index):
    return index.url.replace("://", "://me:pw-secret@")


@pytest.mark.parametrize("where", ["address", "setting"])
def test_credentials_are_for_the_index_only(made, index, other, where):
    index.credentials = ("me", "pw-secret")
    if where == "address":
        settings = {"pypi.fallback_base_url": _with_login(index)}
    else:
        settings = {"upstream.credentials": f"{index.url} me:pw-secret"}
    settings["upstream.file_hosts"] = other.url.removeprefix("http://")
    upstream = made(index, **settings)
    assert isinstance(upstream.project(DEMO), UpstreamPage)
    index.fail(redirect(f"{other.index}demo/"))
    assert isinstance(upstream.project(DEMO), UpstreamPage)
    assert [one.headers["Authorization"] for one in other.asked] == [None]
    assert "pw-secret" not in upstream.name


def test_t33_credentials_are_in_no_message_and_no_text(made, index, caplog):
    index.credentials = ("me", "pw-other")
    caplog.set_level("DEBUG")
    peer = peer_of(index, **{"pypi.fallback_base_url": _with_login(index)})
    with pytest.raises(UpstreamRefused) as caught:
        HttpUpstream(peer).project(DEMO)
    texts = [repr(peer), str(peer), caught.value.message, repr(caught.value), caplog.text]
    assert not [text for text in texts if "pw-secret" in text]


def test_netrc_is_not_read(made, index, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password pw-secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    made(index).project(DEMO)
    assert index.asked[0].headers["Authorization"] is None


# Trying again, patience, and leaving alone


def test_a_passing_failure_is_tried_again(made, index):
    sleeps = Sleeps()
    upstream = made(index, sleep=sleeps)
    index.fail(Fault(reset=True), Fault(503))
    assert isinstance(upstream.project(DEMO), UpstreamPage)
    index.fail(Fault(429, (("Retry-After", "1"),)))
    assert isinstance(upstream.project(DEMO), UpstreamPage)
    assert len(index.asked) == 5
    assert sleeps.seconds[-1] == 1.0
    assert sleeps.seconds[0] < sleeps.seconds[1]


def test_it_is_tried_a_few_times_only(made, index):
    index.fault = lambda _path: Fault(502)
    with pytest.raises(UpstreamUnreachable, match="502"):
        made(index).project(DEMO)
    assert len(index.asked) == 3


def test_nothing_is_tried_again_once_there_is_a_body(made, index):
    upstream = made(index)
    (link,) = upstream.project(DEMO).files
    index.fault = lambda _path: Fault(cut=1000)
    with pytest.raises(UpstreamUnreachable):
        upstream.fetch(link, print)
    assert len(index.asked) == 2


@pytest.mark.parametrize("status", [429, 503])
def test_who_asks_for_patience_gets_it(made, index, time, status):
    sleeps = Sleeps()
    upstream = made(index, monotonic=time, sleep=sleeps)
    index.fail(Fault(status, (("Retry-After", "30"),)))
    with pytest.raises(UpstreamUnavailable) as caught:
        upstream.project(DEMO)
    assert (caught.value.retry_after, sleeps.seconds) == (30, [])
    assert upstream.is_shut
    time.now += 29
    with pytest.raises(UpstreamUnavailable) as caught:
        upstream.project(DEMO)
    assert caught.value.retry_after == 1
    assert len(index.asked) == 1
    time.now += 2
    assert isinstance(upstream.project(DEMO), UpstreamPage)
    assert not upstream.is_shut


def test_t25_a_server_that_fails_is_left_alone(made, index, time):
    upstream = made(index, monotonic=time, failures=3, pause=20.0, attempts=1)
    index.fault = lambda _path: Fault(500)
    for _ in range(3):
        with pytest.raises(UpstreamUnreachable):
            upstream.project(DEMO)
    with pytest.raises(UpstreamUnavailable) as caught:
        upstream.project(DEMO)
    assert caught.value.retry_after == 20
    assert len(index.asked) == 3
    time.now += 21
    with pytest.raises(UpstreamUnreachable):
        upstream.project(DEMO)
    with pytest.raises(UpstreamUnavailable):
        upstream.project(DEMO)
    index.fail()
    time.now += 21
    assert isinstance(upstream.project(DEMO), UpstreamPage)
    assert isinstance(upstream.project(DEMO), UpstreamPage)


def test_dead_links_do_not_shut_the_index(made, index, other):
    index.file_server = other.url
    other.fault = lambda _path: Fault(reset=True)
    place = other.url.removeprefix("http://")
    upstream = made(index, failures=1, attempts=1, **{"upstream.file_hosts": place})
    (link,) = upstream.project(DEMO).files
    with pytest.raises(UpstreamUnreachable):
        upstream.fetch(link, print)
    with pytest.raises(UpstreamUnavailable):
        upstream.fetch(link, print)
    assert isinstance(upstream.project(DEMO), UpstreamPage)


def test_f21_only_so_many_wait_for_it(made, index):
    index.fault = lambda _path: Fault(silent=True)
    upstream = made(index, seconds=HASTE, pages_at_once=2, failures=100)
    began = monotonic()
    with ThreadPoolExecutor(12) as pool:
        errors = list(pool.map(lambda _: _error_of(lambda: upstream.project(DEMO)), range(12)))
    assert monotonic() - began < 5
    assert {type(error) for error in errors} == {UpstreamTimedOut, UpstreamUnavailable}
    index.fail()
    assert isinstance(upstream.project(DEMO), UpstreamPage)


def _error_of(ask):
    try:
        ask()
    except Exception as error:  # noqa: BLE001  the test looks at it
        return error
    return None


# Connections


def test_connections_are_used_again(made, index):
    connected = []
    upstream = made(index, lambda host, _port: connected.append(host) or ["127.0.0.1"])
    (link,) = upstream.project(DEMO).files
    for _ in range(3):
        upstream.fetch(link, [].append)
        upstream.metadata(link)
        index.fail(redirect("/simple/demo/"))
        upstream.project(DEMO)
        upstream.project(type(DEMO)("nowhere"))
    assert connected == ["127.0.0.1"]


def test_t24_only_certificates_of_the_authority(made, tmp_path):
    certificates = make_certificates(tmp_path)
    with upstream_server(certificates) as index:
        index.add("demo", WHEEL, DATA)
        with pytest.raises(UpstreamUnreachable):
            made(index).project(DEMO)
        trusted = {"upstream.ca_file": str(certificates.authority)}
        upstream = made(index, **trusted)
        (link,) = upstream.project(DEMO).files
        assert upstream.fetch(link, [].append).size == len(DATA)
        port = index.url.rpartition(":")[2]
        named = {"pypi.fallback_base_url": f"https://localhost:{port}"}
        with pytest.raises(UpstreamUnreachable):
            made(index, lambda _host, _port: ["127.0.0.1"], **trusted, **named).project(DEMO)


@pytest.mark.parametrize("fault", [Fault(dripping="head"), Fault(dripping="body")], ids=["head", "body"])
def test_f21_the_limit_holds_over_tls(made, tmp_path, fault):
    certificates = make_certificates(tmp_path)
    with upstream_server(certificates) as index:
        index.add("demo", WHEEL, DATA)
        index.fault = lambda _path: fault
        began = monotonic()
        with pytest.raises(UpstreamTimedOut):
            made(index, seconds=HASTE, **{"upstream.ca_file": str(certificates.authority)}).project(DEMO)
        assert monotonic() - began < 5


def test_f21_a_handshake_that_never_ends(made, index, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UpstreamTimedOut):
            made(index, seconds=HASTE, **{"pypi.fallback_base_url": url}).project(DEMO)


def test_t24_https_never_leads_to_http(made, index, tmp_path):
    certificates = make_certificates(tmp_path)
    with upstream_server(certificates) as safe:
        safe.add("demo", WHEEL, DATA)
        place = index.url.removeprefix("http://")
        settings = {"upstream.ca_file": str(certificates.authority), "upstream.file_hosts": place}
        upstream = made(safe, **settings)
        safe.fail(redirect(f"{index.index}demo/"))
        with pytest.raises(UpstreamAddressRefused, match="https"):
            upstream.project(DEMO)
        safe.file_server = index.url
        page = upstream.project(DEMO)
        assert (page.files, page.dropped) == ((), 1)
    assert index.asked == []


def test_client_certificates_are_for_the_index_only(made, index, tmp_path):
    certificates = make_certificates(tmp_path)
    own = {"upstream.client_cert": str(certificates.certificate), "upstream.client_key": str(certificates.key)}
    trusted = {"upstream.ca_file": str(certificates.authority)}
    with upstream_server(certificates, asks_client=True) as strict, upstream_server(certificates) as plain:
        strict.add("demo", WHEEL, DATA)
        plain.add("demo", WHEEL, DATA)
        with pytest.raises(UpstreamUnreachable):
            made(strict, **trusted).project(DEMO)
        assert isinstance(made(strict, **trusted, **own).project(DEMO), UpstreamPage)
        place = strict.url.removeprefix("https://")
        elsewhere = made(plain, **trusted, **own, **{"upstream.file_hosts": place})
        plain.file_server = strict.url
        (link,) = elsewhere.project(DEMO).files
        with pytest.raises(UpstreamUnreachable):
            elsewhere.fetch(link, print)


def test_a_certificate_that_is_not_there(made, index):
    for key in ("ca_file", "client_cert"):
        with pytest.raises(ConfigError, match="cannot be read"):
            made(index, **{f"upstream.{key}": "/nowhere/there.pem"})


def test_t28_bytes_behind_an_answer_are_not_the_next_one(made, index):
    upstream = made(index)
    body = index.page("demo", JSON)
    index.fail(Fault(body=body + b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", claimed=len(body)))
    for _ in range(3):
        assert len(upstream.project(DEMO).files) == 1
    assert len(index.asked) == 3


@pytest.mark.parametrize(
    "headers",
    [
        tuple((f"X-Header-{number}", "x") for number in range(150)),
        (("X-Long", "x" * 70_000),),
        (("Transfer-Encoding", "chunked"),),
        (("Location", "\x80\xff"),),
        (("ETag", '"\x80"'), ("Cache-Control", "max-age=99999999999999999999"), ("Age", "x"), ("Expires", "\xff")),
    ],
    ids=["many", "long", "chunked", "location", "strange"],
)
def test_f22_heads_that_are_none(made, index, headers):
    """An answer or an error, and nothing that is kept from it is strange."""
    index.fault = lambda _path: Fault(headers=headers)
    try:
        page = made(index, seconds=2.0).project(DEMO)
    except UpstreamError:
        return
    assert page.freshness.max_age in {None, 365 * 86400}
    assert page.freshness.validator in {Validator(), Validator(index_etag(index))}


def index_etag(index):
    return f'"{hashlib.md5(index.page("demo", JSON), usedforsecurity=False).hexdigest()}"'


@pytest.mark.slow
def test_t25_a_large_file_passes_through_little_memory(made, index):
    """And its first bytes are handed on before a tenth of it is there."""
    piece, count = bytes(MIB), 256
    sha256 = hashlib.sha256()
    for _ in range(count):
        sha256.update(piece)
    index.projects["demo"][WHEEL].told = {"hashes": {"sha256": sha256.hexdigest()}, "size": count * MIB}
    upstream = made(index, file_bytes=1024 * MIB)
    (link,) = upstream.project(DEMO).files
    sent, sent_at_first = [], []
    index.fault = lambda _path: Fault(stream=lambda: (sent.append(1) or piece for _ in range(count)))
    tracemalloc.start()
    try:
        fetched = upstream.fetch(link, lambda _chunk: sent_at_first or sent_at_first.append(len(sent)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fetched.size == count * MIB
    assert sent_at_first[0] < count / 10
    assert peak < 4 * MIB


# A proxy


def test_a_proxy_is_asked_and_told_who_asks(made, index, other):
    """It is told the whole address; its own credentials are for it, and those of the index pass through."""
    settings = {
        "upstream.proxy": other.url.replace("://", "://px:pw-proxy@"),
        "pypi.fallback_base_url": _with_login(index),
    }
    upstream = made(index, **settings)
    other.fault = lambda _path: Fault(
        body=b'{"name":"demo","meta":{"api-version":"1.0"},"files":[]}',
        status=200,
        headers=(("Content-Type", "application/vnd.pypi.simple.v1+json"),),
    )
    assert isinstance(upstream.project(DEMO), UpstreamPage)
    (asked,) = other.asked
    assert asked.path == f"{index.index}demo/"
    assert asked.headers["Proxy-Authorization"]
    assert asked.headers["Authorization"]
    assert index.asked == []
    other.fault = lambda _path: redirect("https://localhost/")
    with pytest.raises(UpstreamAddressRefused):
        upstream.project(DEMO)


def test_t24_a_proxy_is_not_asked_for_private_addresses(made, index, other):
    upstream = made(index, **{"upstream.proxy": other.url})
    for place in ("127.0.0.1:1", "169.254.169.254", "[::1]", "0x7f.1", "router", "printer.local", "a.internal"):
        other.fault = lambda _path, place=place: redirect(f"https://{place}/")
        with pytest.raises(UpstreamAddressRefused):
            upstream.project(DEMO)
    assert set(other.paths()) == {f"{index.index}demo/"}


class Tunnel(threading.Thread):
    """A proxy that takes one CONNECT, and says what it was."""

    def __init__(self, listener):
        super().__init__(daemon=True)
        self.head = b""
        self._listener = listener

    def run(self):
        client, _ = self._listener.accept()
        with client:
            while b"\r\n\r\n" not in self.head:
                self.head += client.recv(4096)
            host, _, port = self.head.split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                back.start()
                _copy(client, server)
                back.join(10)


def _copy(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def test_tls_goes_through_a_tunnel(made, tmp_path):
    certificates = make_certificates(tmp_path)
    with upstream_server(certificates) as index, socket.create_server(("127.0.0.1", 0)) as listener:
        index.add("demo", WHEEL, DATA)
        tunnel = Tunnel(listener)
        tunnel.start()
        proxy = f"http://px:pw-proxy@127.0.0.1:{listener.getsockname()[1]}"
        settings = {"upstream.ca_file": str(certificates.authority), "upstream.proxy": proxy}
        upstream = made(index, **settings)
        assert isinstance(upstream.project(DEMO), UpstreamPage)
        upstream.close()
        tunnel.join(10)
    assert tunnel.head.startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic" in tunnel.head.title()
    assert index.asked[0].headers["Proxy-Authorization"] is None


def test_a_login_never_shows():
    assert "pw-secret" not in repr(Login("me", "pw-secret"))


def test_devpi_beside_its_simple_pages_is_no_index_without_projects(made, index):
    absent = Fault(404, (("X-Devpi-Server-Version", "6.20.3"),), b"not here")
    index.fault = lambda path: absent if path.endswith("/nowhere/") else None
    with pytest.raises(UpstreamNonsense, match=rf"devpi: write its address as {index.url}/\+simple/"):
        made(index).project(ProjectName("nowhere"))
    index.url += "/ann/dev/+simple/"
    assert isinstance(made(index).project(ProjectName("nowhere")), Absent)
