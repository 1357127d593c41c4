"""T28, T31, F27 and T07 over raw sockets: what no client library would send, to the real server."""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import struct
import sys
import time
from pathlib import Path

import pytest

from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.world import JSON, basic, user_settings

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 1024 * 1024
WHEEL = build_wheel("demo", "1.0", body=bytes(range(256)) * 20)
WRITER = f"Authorization: {basic('writer')}\r\n"
READER = f"Authorization: {basic('reader')}\r\n"
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
SMUGGLED = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    with LiveServer(folder, user_settings(), workers=1) as server:
        answer = talk(server, upload(multipart(content=(WHEEL.filename, WHEEL.data))))
        assert statuses(answer) == [200], answer
        yield server


@contextlib.contextmanager
def connection(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        yield sock


def talk(server, data, *, finish=True):
    """Send, say that nothing more comes, and read all that is answered."""
    with connection(server) as sock:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(data)
            if finish:
                sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


def read_all(sock):
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := sock.recv(65536):
            received += chunk
    return received


def statuses(answer):
    return [int(status) for status in STATUS.findall(answer)]


def multipart(content=None, boundary="b", **fields):
    body = b""
    for name, value in {":action": "file_upload", "name": "demo", "version": "1.0", **fields}.items():
        body += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value.encode() + b"\r\n"
        )
    if content:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="content"; filename="{content[0]}"\r\n\r\n'
        body += head.encode() + content[1] + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


def upload(body, *, length=None, headers=WRITER, content_type="multipart/form-data; boundary=b"):
    head = f"POST / HTTP/1.1\r\nHost: x\r\n{headers}Content-Type: {content_type}\r\n"
    size = len(body) if length is None else length
    return f"{head}Content-Length: {size}\r\n\r\n".encode() + body


def request(method="GET", path="/simple/demo/", headers="", version="1.1", host="Host: x\r\n", body=b""):
    return f"{method} {path} HTTP/{version}\r\n{host}{headers}\r\n".encode("latin-1") + body


CHUNKED = "Transfer-Encoding: chunked\r\n"
FORM = "Content-Type: multipart/form-data; boundary=b\r\n"

# What is wrong with how the message is framed: one 4xx, and the connection is closed before the next request.
FRAMING = {
    "CL and TE": request("POST", "/", f"Content-Length: 5\r\n{CHUNKED}", body=b"0\r\n\r\n"),
    "TE and CL": request("POST", "/", f"{CHUNKED}Content-Length: 5\r\n", body=b"0\r\n\r\n"),
    "two CL": request("POST", "/", "Content-Length: 0\r\nContent-Length: 5\r\n"),
    "two equal CL": request("POST", "/", "Content-Length: 0\r\nContent-Length: 0\r\n"),
    "list of CL": request("POST", "/", "Content-Length: 5, 5\r\n", body=b"hello"),
    "signed CL": request("POST", "/", "Content-Length: +5\r\n", body=b"hello"),
    "negative CL": request("POST", "/", "Content-Length: -5\r\n"),
    "hex CL": request("POST", "/", "Content-Length: 0x5\r\n", body=b"hello"),
    "spaced CL": request("POST", "/", "Content-Length: 1 0\r\n"),
    "superscript CL": request("POST", "/", "Content-Length: \xb2\r\n"),
    "identity, chunked": request("POST", "/", "Transfer-Encoding: identity, chunked\r\n", body=b"0\r\n\r\n"),
    "chunked, identity": request("POST", "/", "Transfer-Encoding: chunked, identity\r\n", body=b"0\r\n\r\n"),
    "chunked twice": request("POST", "/", "Transfer-Encoding: chunked, chunked\r\n", body=b"0\r\n\r\n"),
    "two TE": request("POST", "/", CHUNKED + CHUNKED, body=b"0\r\n\r\n"),
    "TE identity": request("POST", "/", "Transfer-Encoding: identity\r\n"),
    "TE gzip": request("POST", "/", "Transfer-Encoding: gzip\r\n"),
    "TE xchunked": request("POST", "/", "Transfer-Encoding: xchunked\r\n", body=b"0\r\n\r\n"),
    "TE quoted": request("POST", "/", 'Transfer-Encoding: "chunked"\r\n', body=b"0\r\n\r\n"),
    "TE with tab": request("POST", "/", "Transfer-Encoding:\x0bchunked\r\n", body=b"0\r\n\r\n"),
    "TE in 1.0": request("POST", "/", CHUNKED, "1.0", body=b"0\r\n\r\n"),
    "space before colon": request("POST", "/", "Content-Length : 5\r\n", body=b"hello"),
    "bare LF": b"GET /health/live HTTP/1.1\nHost: x\n\n",
    "bare LF in a header": b"GET /health/live HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
    "bare CR in a header": b"GET /health/live HTTP/1.1\r\nHost: x\rX: y\r\n\r\n",
    "obs-fold": b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
    "NUL in a header": b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
    "header without name": b"GET /health/live HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
    "header without colon": b"GET /health/live HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
    "no Host": request(host="", headers=READER),
    "HTTP/9.9": b"GET /health/live HTTP/9.9\r\nHost: x\r\n\r\n",
    "no version": b"GET /health/live\r\n\r\n",
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "space in the path": b"GET /simple/ demo HTTP/1.1\r\nHost: x\r\n\r\n",
    "lower case method": b"g\xe9t / HTTP/1.1\r\nHost: x\r\n\r\n",
    "chunk size": request("POST", "/", CHUNKED + FORM, body=b"zz\r\nhello\r\n0\r\n\r\n"),
    "negative chunk size": request("POST", "/", CHUNKED + FORM, body=b"-5\r\nhello\r\n0\r\n\r\n"),
    "chunk without end": request("POST", "/", CHUNKED + FORM, body=b"5\r\nhelloX\r\n0\r\n\r\n"),
    "bad chunk of a GET": request("GET", "/simple/demo/", CHUNKED + READER, body=b"zz\r\nhello\r\n0\r\n\r\n"),
    "chunk bare LF": request("POST", "/", CHUNKED + FORM, body=b"5\nhello\n0\n\n"),
    "too long header": request(headers="X: " + "a" * 70_000 + "\r\n"),
    "too many headers": request(headers="".join(f"X-{number}: y\r\n" for number in range(2000))),
    "too long line": request(path="/" + "a" * 20_000),
    "GET with 1 MiB": request(headers=f"{READER}Content-Length: {MIB}\r\n", body=b"x" * MIB),
    "DELETE with 1 MiB": request("DELETE", "/api/package/demo/x-1.0.whl", f"{WRITER}Content-Length: {MIB}\r\n", body=b"x" * MIB),
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMING)
def test_T28_a_wrongly_framed_request_gets_one_refusal_and_the_end(server, name):
    answer = talk(server, FRAMING[name] + SMUGGLED, finish=False)
    assert len(statuses(answer)) == 1, answer
    assert 400 <= statuses(answer)[0] < 500 or statuses(answer) in ([501], [505])
    assert b"Traceback" not in answer
    assert statuses(talk(server, SMUGGLED)) == [200]


# What is odd and allowed: each request gets its own answer, and nothing of a body is taken for a request.
ALLOWED = {
    "body on GET": (request(headers=READER + "Content-Length: 5\r\n", body=b"hello"), 200),
    "request as body of GET": (request(headers=f"{READER}Content-Length: {len(SMUGGLED)}\r\n", body=SMUGGLED), 200),
    "chunked GET": (request(headers=READER + CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n"), 200),
    "CHUNKED GET": (request(headers=READER + CHUNKED.upper(), body=b"5\r\nhello\r\n0\r\n\r\n"), 200),
    "60 KiB on GET": (request(headers=f"{READER}Content-Length: {60 * 1024}\r\n", body=b"x" * 60 * 1024), 200),
    "body on DELETE": (
        request("DELETE", "/api/package/demo/x-1.tar.gz", WRITER + "Content-Length: 5\r\n", body=b"hello"),
        404,
    ),
    "HEAD": (request("HEAD", headers=READER), 200),
    "HEAD of metadata": (request("HEAD", f"/packages/root/main/demo/{WHEEL.filename}.metadata", READER), 200),
    "HEAD of a file": (request("HEAD", f"/packages/root/main/demo/{WHEEL.filename}", READER), 200),
    "HEAD of nothing": (request("HEAD", "/simple/nothing/", READER), 404),
    "absolute form": (request(path="http://x/simple/demo/", headers=READER), 200),
    "OPTIONS": (request("OPTIONS", headers=READER), 405),
    "unknown method": (request("BREW", headers=READER), 405),
    "not modified": (request(headers=READER + "If-None-Match: *\r\n"), 304),
    "empty POST": (request("POST", "/", WRITER + "Content-Length: 0\r\n"), 400),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_T28_each_request_gets_its_own_answer(server, name):
    sent, status = ALLOWED[name]
    assert statuses(talk(server, sent + SMUGGLED)) == [status, 200]


def rss(server):
    """The resident memory of all workers, in bytes."""
    pages = (Path(f"/proc/{pid}/statm").read_text("ascii").split()[1] for pid in server.worker_pids())
    return sum(int(count) * 4096 for count in pages)


def temporaries(server):
    folder = server.folder / "data" / "packages" / ".tmp"
    return list(folder.iterdir()) if folder.is_dir() else []


def no_temporary_is_left(server):
    # Another test of this server may have left a sender that is silent: cut after 30 s, its rest drained for 15 s.
    deadline = time.monotonic() + 90
    while temporaries(server) and time.monotonic() < deadline:
        assert statuses(talk(server, SMUGGLED)) == [200]
    assert temporaries(server) == []


def text_field(size):
    return b'--b\r\nContent-Disposition: form-data; name="description"\r\n\r\n' + b"x" * size + b"\r\n--b--\r\n"


LIMITS = {
    "a text field of 100 MiB": (lambda: upload(text_field(100 * MIB)), 413),
    "100,000 parts": (lambda: upload(b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 100_000 + b"--b--\r\n"), 413),
    "a part header of 1 MiB": (lambda: upload(b"--b\r\nX: " + b"y" * MIB + b"\r\n\r\n\r\n--b--\r\n"), 413),
    "100,000 part headers": (lambda: upload(b"--b\r\n" + b"X: y\r\n" * 100_000 + b"\r\n\r\n--b--\r\n"), 413),
    "no boundary": (lambda: upload(multipart(), content_type="multipart/form-data"), 400),
    "another boundary": (lambda: upload(multipart(), content_type="multipart/form-data; boundary=other"), 400),
    "no form": (lambda: upload(b"x" * MIB, content_type="application/octet-stream"), 400),
    "a large url-encoded form": (lambda: upload(b"a=" + b"x" * 10 * MIB, content_type="application/x-www-form-urlencoded"), 413),
    "5 GiB announced": (lambda: upload(b"--b\r\n", length=5 * 1024 * MIB), 413),
    "more announced than sent": (lambda: upload(multipart(content=(WHEEL.filename, WHEEL.data)), length=10 * MIB), 400),
    "a chunk of 16**100 bytes": (lambda: request("POST", "/", WRITER + CHUNKED + FORM, body=b"f" * 100 + b"\r\nhello\r\n"), 400),
    "no length": (lambda: upload(b"").replace(b"Content-Length: 0\r\n", b""), 400),
    "an anonymous file of 20 MiB": (lambda: upload(multipart(content=("demo-2.0.tar.gz", b"x" * 20 * MIB)), headers=""), 401),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_T31_F27_what_passes_a_limit_is_refused_soon_and_costs_little(server, name):
    make, status = LIMITS[name]
    data = make()
    before, started = rss(server), time.monotonic()
    answer = talk(server, data)
    assert time.monotonic() - started < 10
    assert statuses(answer) == [status], answer[:300]
    assert rss(server) - before <= 64 * MIB
    no_temporary_is_left(server)


def test_F27_a_length_that_is_too_small_ends_the_connection(server):
    whole = multipart(content=(WHEEL.filename, WHEEL.data))
    answer = talk(server, upload(whole, length=len(whole) // 2))
    assert statuses(answer)
    assert set(statuses(answer)) == {400}
    no_temporary_is_left(server)


@pytest.mark.parametrize("share", [10, 50, 99])
@pytest.mark.parametrize("abrupt", [True, False], ids=["reset", "closed"])
def test_F27_an_aborted_upload_leaves_no_temporary(server, share, abrupt):
    data = upload(multipart(content=("demo-3.0.tar.gz", b"\0" * 3 * MIB), version="3.0"))
    with connection(server) as sock:
        sock.sendall(data[: len(data) * share // 100])
        if abrupt:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    no_temporary_is_left(server)
    page = talk(server, request(headers=READER + f"Accept: {JSON}\r\nConnection: close\r\n"))
    assert b"demo-3.0" not in page
    assert b" 500 " not in server.log.read_bytes()


def test_F27_a_chunked_upload_is_taken(server):
    wheel = build_wheel("chunky", "1.0")
    body = multipart(content=(wheel.filename, wheel.data), name="chunky")
    chunks = b"".join(
        f"{len(body[i : i + 100]):x}\r\n".encode() + body[i : i + 100] + b"\r\n" for i in range(0, len(body), 100)
    )
    answer = talk(server, request("POST", "/", WRITER + CHUNKED + FORM, body=chunks + b"0\r\n\r\n"))
    assert statuses(answer) == [200], answer


def test_43_header_fields_of_32_kib_are_accepted(server):
    padded = f"Authorization: Basic {' ' * 32_000}{basic('reader').removeprefix('Basic ')}\r\n"
    assert statuses(talk(server, request(headers=padded))) == [200]
    assert statuses(talk(server, request(headers=f"{READER}X-Long: {'a' * 32_000}\r\n"))) == [200]
    token = f"Authorization: Basic {'QUJD' * 8000}\r\n"
    assert statuses(talk(server, request(headers=token))) == [401]


def test_92_a_hundred_requests_on_one_connection(server):
    with connection(server) as sock, sock.makefile("rb") as stream:
        for number in range(100):
            sock.sendall(request(headers=READER))
            assert stream.readline().startswith(b"HTTP/1.1 200 "), number
            headers = {}
            while (line := stream.readline()) != b"\r\n":
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            assert len(stream.read(int(headers["content-length"]))) > 0
        sock.sendall(request(headers=READER + "Connection: close\r\n"))
        last = stream.read()
        assert last.startswith(b"HTTP/1.1 200 ")
        assert b"Connection: close" in last


@pytest.mark.parametrize("path", ["/simple/demo/", "/demo/", "/pypi/demo/json", "/rss/updates.xml"])
def test_08_pages_are_compressed_for_those_who_accept_it(server, path):
    def page(encoding):
        head = f"{READER}Accept: text/html\r\nAccept-Encoding: {encoding}\r\nConnection: close\r\n"
        headers, _, body = talk(server, request("GET", path, head)).partition(b"\r\n\r\n")
        assert b"Accept-Encoding" in re.search(rb"Vary: (.*)", headers)[1]
        return headers, body

    plain_headers, plain = page("identity")
    assert b"Content-Encoding" not in plain_headers
    tags = {re.search(rb"ETag: (\S+)", plain_headers)[1]}
    unpack = {b"gzip": gzip.decompress, b"zstd": zstd.decompress}
    for accepted, coding in (("gzip, deflate", b"gzip"), ("gzip, deflate, zstd", b"zstd"), ("zstd;q=0, gzip", b"gzip")):
        headers, packed = page(accepted)
        assert b"Content-Encoding: " + coding in headers
        assert b"Content-Length: %d\r\n" % len(packed) in headers + b"\r\n"
        assert unpack[coding](packed) == plain
        tag = re.search(rb"ETag: (\S+)", headers)[1]
        assert page(f"{accepted}\r\nIf-None-Match: {tag.decode()}")[0].startswith(b"HTTP/1.1 304 ")
        tags.add(tag)
    assert len(tags) == 3


def test_62_a_refusal_on_the_wire_is_one_status_line(server):
    answer = talk(server, upload(multipart(content=(WHEEL.filename, WHEEL.data), name="na\u00efve\r\nX-Bad: 1")))
    line, _, rest = answer.partition(b"\r\n")
    assert line.startswith(b"HTTP/1.1 400 ")
    assert b"X-Bad" not in rest.partition(b"\r\n\r\n")[0]


def test_T07_the_eleventh_wrong_login_is_429_with_retry_after(server):
    def login(password):
        return talk(server, request(headers=f"Authorization: {basic('outsider', password)}\r\n"))

    for number in range(10):
        assert statuses(login(f"wrong {number}")) == [401]
    answer = login("wrong again")
    assert statuses(answer) == [429]
    assert re.search(rb"\r\nRetry-After: \d+\r\n", answer)
    assert statuses(talk(server, request(headers=READER))) == [200]
