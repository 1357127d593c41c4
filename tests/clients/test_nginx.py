"""The nginx configuration of ``docs/nginx.rst``, with a real nginx: TLS, HTTP/2, a path prefix, files sent by nginx."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import pytest
import urllib3

from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.certificates import make_certificates
from pypicloud_lite.testing.live import free_port
from pypicloud_lite.testing.raw_client import upload_form
from pypicloud_lite.testing.world import PASSWORDS, World, basic

DOCUMENT = Path(__file__).parents[2] / "docs" / "nginx.rst"
# More than the 1 MB that nginx lets through by itself, and than it holds in memory.
LARGE = os.urandom(3_000_000)
READER = {"Authorization": basic("reader")}
ELSEWHERE = "127.0.0.2"


@dataclass(frozen=True, slots=True)
class Proxied:
    """``index`` behind nginx; ``url`` is its public address, without a slash at the end."""

    index: object
    url: str
    port: int
    authority: Path
    log: Path

    def url_for(self, user, path="/simple/"):
        return self.url.replace("://", f"://{user}:{PASSWORDS[user]}@") + path

    def ask(self, method, path, *, source=None, **how):
        address = (source, 0) if source else None
        with urllib3.PoolManager(ca_certs=str(self.authority), source_address=address) as http:
            return http.request(method, self.url + path, redirect=False, **how)

    def upload(self, artifact, **how):
        body, content_type = upload_form(artifact)
        headers = {"Authorization": basic("writer"), "Content-Type": content_type, **how.pop("headers", {})}
        return self.ask("POST", "/", body=body, headers=headers, **how)

    def protocols(self, agent):
        """What the client of that name has spoken with nginx."""
        # nginx has one worker here, so it has logged every earlier request by the time it answers one more.
        self.ask("GET", "/health/live")
        lines = [line.partition(" ") for line in self.log.read_text().splitlines()]
        return {protocol for protocol, _, name in lines if name.startswith(agent)}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("tls"))


def documented(replacements):
    """The server that the document describes, its further locations included, for these ports and folders."""
    blocks = re.findall(r"::\n\n((?:    .*\n|\n)+)", DOCUMENT.read_text("utf-8"))
    server, *locations = (textwrap.dedent(block).rstrip() for block in blocks if "{" in block)
    assert len(locations) == 2
    assert server.endswith("\n}")
    text = "\n".join([server[:-1], *locations, "}"])
    for old, new in replacements.items():
        assert old in text, f"{DOCUMENT.name} no longer has {old}"
        text = text.replace(old, str(new))
    return text


def nginx_config(folder, server):
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "\n".join([
        # As root it would change to a user that may not look into this folder.
        *(["user root;"] if os.getuid() == 0 else []),
        "daemon off;",
        "worker_processes 1;",
        f"pid {folder}/pid;",
        "events {}",
        "http {",
        "log_format protocol '$server_protocol $http_user_agent';",
        f"access_log {folder}/access.log protocol;",
        *(f"{kind}_temp_path {folder}/{kind};" for kind in kinds),
        server,
        "}",
        "",
    ])  # fmt: skip


@contextmanager
def running(program, folder, port):
    with (folder / "error.log").open("wb") as log:
        command = [program, "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        answers(process, folder, port)
        yield
    finally:
        process.terminate()
        process.wait(30)


def answers(process, folder, port):
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail(f"nginx did not start:\n{(folder / 'error.log').read_text()}")


@pytest.fixture(scope="module")
def make_proxied(make_index, certificates, tmp_path_factory, missing):
    """``with make_proxied("/private", settings) as proxied``: an index of these settings, at that path of nginx."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if program is None:
        missing("nginx", "there is no command nginx; on Debian: apt-get install nginx-light")

    @contextmanager
    def make(path, settings):
        folder, port = tmp_path_factory.mktemp("nginx"), free_port()
        url = f"https://127.0.0.1:{port}{path}"
        own = {"pypi.base_url": url, "pypi.trusted_proxies": "127.0.0.1"}
        with make_index({**own, **settings}) as index:
            server = documented({
                "listen 443 ": f"listen 127.0.0.1:{port} ",
                "packages.example.com": "127.0.0.1",
                "/etc/ssl/packages.pem": certificates.certificate,
                "/etc/ssl/packages.key": certificates.key,
                "127.0.0.1:8080": f"127.0.0.1:{index.server.port}",
                "/srv/packages": index.server.folder / "data" / "packages",
            })  # fmt: skip
            (folder / "nginx.conf").write_text(nginx_config(folder, server))
            with running(program, folder, port):
                yield Proxied(index, url, port, certificates.authority, folder / "access.log")

    return make


@pytest.fixture(scope="module")
def plain(make_proxied):
    with make_proxied("", {}) as made:
        yield made


@pytest.fixture(scope="module")
def prefixed(make_proxied):
    with make_proxied("/private", {}) as made:
        yield made


@pytest.fixture(scope="module")
def accelerated(make_proxied):
    with make_proxied("", {"storage.accel_prefix": "/protected/"}) as made:
        yield made


@pytest.fixture
def publish(tools, run, dist):
    """``publish(proxied, artifact)``: uv publish as the writer."""

    def upload(proxied, artifact, status=0):
        options = ["--trusted-publishing", "never", "--publish-url", proxied.url_for("writer", "/")]
        environ = {"SSL_CERT_FILE": str(proxied.authority)}
        return run(tools / "uv", "publish", *options, *dist(artifact), status=status, **environ).output

    return upload


@pytest.fixture(params=["pip", "uv"])
def install(request, tools, run, target):
    """``install(proxied, *arguments)`` as the reader, with either client."""
    options = {
        "pip": [tools / "python", "-m", "pip", "--python", target.python, "install", "--index-url"],
        "uv": [tools / "uv", "pip", "install", "--python", target.python, "--default-index"],
    }[request.param]

    def call(proxied, *arguments):
        environ = {"pip": "PIP_CERT", "uv": "SSL_CERT_FILE"}[request.param]
        run(*options, proxied.url_for("reader"), *arguments, **{environ: str(proxied.authority)})

    call.client = request.param
    return call


def test_93_uv_reads_the_reason_of_a_refusal_over_http_2(plain, publish):
    first = build_wheel("over-http2", "1.0")
    publish(plain, first)
    said = publish(plain, build_wheel("over-http2", "1.0", body=b"other"), status=2)
    assert f"File already exists: {first.filename} " in said
    assert '"code"' not in said
    assert plain.protocols("uv/") == {"HTTP/2.0"}


@pytest.mark.parametrize("front", ["plain", "prefixed", "accelerated"])
def test_93_95_clients_install_through_nginx(front, request, install, target):
    proxied = request.getfixturevalue(front)
    name = f"through-{front}-{install.client}"
    leaf = build_wheel(f"{name}-leaf", "1!1.0+local.1", body=LARGE)
    root = build_wheel(name, "1.0", requires_dist=[f"{name}-leaf"])
    for artifact in (leaf, root):
        assert proxied.upload(artifact).status == 200
    install(proxied, name)
    stem = name.replace("-", "_")
    assert target.installed() == {stem: "1.0", f"{stem}_leaf": "1!1.0+local.1"}


def test_95_uv_publishes_below_a_path(prefixed, publish):
    wheel = build_wheel("published-below", "1.0")
    publish(prefixed, wheel)
    assert list(prefixed.index.files("published-below")) == [wheel.filename]


def test_95_an_upload_is_answered_with_the_public_address(prefixed):
    wheel = build_wheel("public-address", "1.0")
    url = prefixed.upload(wheel).json()["url"]
    assert url.startswith(f"{prefixed.url}/")
    answer = prefixed.ask("GET", url.removeprefix(prefixed.url), headers=READER)
    assert (answer.status, answer.data) == (200, wheel.data)


@pytest.mark.parametrize("path", ["/simple/Other_.Name/", "/simple/other-name", "/Other_.Name/", "/pypi/OTHER-name/"])
def test_95_redirects_stay_below_the_path(prefixed, path):
    wheel = build_wheel("other-name", "1.0")
    prefixed.upload(wheel)
    with urllib3.PoolManager(ca_certs=str(prefixed.authority)) as http:
        answer = http.request("GET", prefixed.url + path, headers={**READER, "Accept": "text/html"})
    assert answer.status == 200
    assert answer.retries.history
    assert wheel.filename.encode() in answer.data


@pytest.mark.parametrize("path", ["/simple", "/pypi", "/simple/"])
def test_95_the_list_of_projects_has_links_that_stay_below_the_path(prefixed, path):
    prefixed.upload(build_wheel("listed-below", "1.0"))
    with urllib3.PoolManager(ca_certs=str(prefixed.authority)) as http:
        page = http.request("GET", prefixed.url + path, headers={**READER, "Accept": "text/html"})
        (link,) = re.findall(r'href="([^"]*listed-below/?)"', page.data.decode())
        here = urljoin(prefixed.url + path, page.geturl())
        answer = http.request("GET", urljoin(here, link), headers=READER)
    assert answer.status == 200
    assert b"listed_below-1.0" in answer.data


def file_path(proxied, artifact):
    project = artifact.filename.partition("-")[0].replace("_", "-")
    url = proxied.index.files(project)[artifact.filename]["url"]
    return f"/packages/{url.partition('/packages/')[2]}"


@pytest.fixture(scope="module")
def sent(accelerated):
    """A wheel that nginx sends."""
    wheel = build_wheel("sent-by-nginx", "1.0+local.1", body=LARGE)
    assert accelerated.upload(wheel).status == 200
    return wheel


def test_nginx_sends_the_same_bytes_with_our_headers(accelerated, sent):
    path = file_path(accelerated, sent)
    direct = accelerated.index.get(path)
    assert direct.headers["X-Accel-Redirect"].startswith("/protected/")
    assert direct.data == b""
    answer = accelerated.ask("GET", path, headers=READER)
    assert (answer.status, answer.data) == (200, sent.data)
    assert "X-Accel-Redirect" not in answer.headers
    head = accelerated.ask("HEAD", path, headers=READER)
    for headers in (answer.headers, head.headers):
        assert headers.getlist("ETag") == [f'"{sent.sha256}"']
        assert headers.getlist("Cache-Control") == direct.headers.getlist("Cache-Control")
        assert headers["Content-Length"] == str(len(sent.data))
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Accept-Ranges"] == "bytes"


def test_nginx_sends_parts_of_files(accelerated, sent):
    path, tag = file_path(accelerated, sent), f'"{sent.sha256}"'
    for extra in ({}, {"If-Range": tag}):
        answer = accelerated.ask("GET", path, headers={**READER, "Range": "bytes=1000-1999", **extra})
        assert (answer.status, answer.data) == (206, sent.data[1000:2000])
        assert answer.headers["Content-Range"] == f"bytes 1000-1999/{len(sent.data)}"
        assert answer.headers["ETag"] == tag
    changed = accelerated.ask("GET", path, headers={**READER, "Range": "bytes=1000-1999", "If-Range": '"other"'})
    assert (changed.status, changed.data) == (200, sent.data)
    kept = accelerated.ask("GET", path, headers={**READER, "If-None-Match": tag})
    assert (kept.status, kept.data) == (304, b"")


def test_nginx_sends_nothing_that_the_caller_may_not_read(accelerated, sent):
    path = file_path(accelerated, sent)
    direct = accelerated.index.get(path).headers["X-Accel-Redirect"]
    assert accelerated.ask("GET", path).status == 401
    assert accelerated.ask("GET", path, headers={"Authorization": basic("outsider")}).status == 404
    assert accelerated.ask("GET", direct, headers=READER).status == 404


def test_the_journal_and_the_log_have_the_callers_address(plain):
    wheel = build_wheel("from-elsewhere", "1.0")
    pretended = {"X-Forwarded-For": "203.0.113.9"}
    assert plain.upload(wheel, source=ELSEWHERE, headers=pretended).status == 200
    beside = World(plain.index.server.folder)
    try:
        with beside.services.catalog.read() as catalog:
            authors = [entry.author for entry in catalog.journal() if entry.subject == wheel.filename]
    finally:
        beside.close()
    assert {(author.name, author.address) for author in authors} == {("writer", ELSEWHERE)}
    with plain.index.watch():
        pass
    log = plain.index.server.log.read_text()
    assert f' {ELSEWHERE} "POST / ' in log
    assert "203.0.113.9" not in log


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def post(headers, body=b""):
    return b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n" + body


# Messages whose end two parsers may see in different places.
DOUBTFUL = {
    "CL and TE": post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n"),
    "TE and CL": post(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n"),
    "two CL": post(b"Content-Length: 0\r\nContent-Length: 5\r\n"),
    "list of CL": post(b"Content-Length: 5, 5\r\n", b"hello"),
    "signed CL": post(b"Content-Length: +5\r\n", b"hello"),
    "negative CL": post(b"Content-Length: -5\r\n"),
    "hex CL": post(b"Content-Length: 0x5\r\n", b"hello"),
    "spaced CL": post(b"Content-Length: 1 0\r\n"),
    "identity, chunked": post(b"Transfer-Encoding: identity, chunked\r\n", b"0\r\n\r\n"),
    "chunked, identity": post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"),
    "chunked twice": post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"),
    "two TE": post(CHUNKED + CHUNKED, b"0\r\n\r\n"),
    "TE gzip": post(b"Transfer-Encoding: gzip\r\n"),
    "TE xchunked": post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    "TE quoted": post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n"),
    "TE with tab": post(b"Transfer-Encoding:\x0bchunked\r\n", b"0\r\n\r\n"),
    "space before colon": post(b"Content-Length : 5\r\n", b"hello"),
    "bare CR in a header": post(b"X: y\rContent-Length: 5\r\n", b"hello"),
    "obs-fold": post(b"X: a\r\n Content-Length: 5\r\n", b"hello"),
    "NUL in a header": post(b"X: a\0b\r\n"),
    "no Host": b"GET /simple/ HTTP/1.1\r\n\r\n",
    "chunk size": post(CHUNKED, b"zz\r\nhello\r\n0\r\n\r\n"),
    "negative chunk size": post(CHUNKED, b"-5\r\nhello\r\n0\r\n\r\n"),
    "chunk without end": post(CHUNKED, b"5\r\nhelloX\r\n0\r\n\r\n"),
}


def talk(proxied, data):
    context = ssl.create_default_context(cafile=str(proxied.authority))
    with (
        socket.create_connection(("127.0.0.1", proxied.port), timeout=20) as sock,
        context.wrap_socket(sock, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(data)
        received = b""
        while chunk := secure.recv(65536):
            received += chunk
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", received)]


@pytest.mark.parametrize("name", DOUBTFUL)
def test_T28_a_doubtful_message_gets_one_refusal_and_the_end(plain, name):
    with plain.index.watch() as seen:
        statuses = talk(plain, DOUBTFUL[name] + SMUGGLED)
    assert statuses in ([400], [501])
    assert seen == []


def test_T28_a_request_in_the_body_of_another_is_not_taken_for_one(plain):
    head = f"GET /simple/ HTTP/1.1\r\nHost: x\r\nAuthorization: {basic('reader')}\r\n".encode()
    last = b"GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
    for framed in (b"Content-Length: %d\r\n\r\n%s" % (len(SMUGGLED), SMUGGLED), CHUNKED + b"\r\n" + chunk):
        with plain.index.watch() as seen:
            assert talk(plain, head + framed + last) == [200, 200]
        # Each line is written by a thread of its own, after the answer.
        assert sorted(request.path for request in seen) == ["/health/ready", "/simple/"]


def test_devpi_works_below_a_prefix(prefixed, devpi, dist, tmp_path):
    """What it remembers, and what every answer of the server tells it to ask next, is below the prefix."""
    first, second = build_wheel("by-devpi", "1.0"), build_wheel("by-devpi", "2.0")
    person = devpi("writer")
    environ = {"REQUESTS_CA_BUNDLE": str(prefixed.authority), "PIP_CERT": str(prefixed.authority)}
    person("use", f"{prefixed.url}/", **environ)
    person("login", "writer", "--password", PASSWORDS["writer"], **environ)
    person("index", "-c", "dev", **environ)
    person("index", "-c", "prod", **environ)
    person("use", "writer/dev", **environ)
    kept = person.remembered()
    assert {kept[key].removeprefix(prefixed.url) for key in ("index", "login", "simpleindex")} == {
        "/writer/dev",
        "/+login",
        "/writer/dev/+simple/",
    }
    person("upload", *dist(first, second), **environ)
    assert f"{prefixed.url}/writer/dev/+f/{first.sha256[:3]}/" in person("list", "by-devpi", "--all", **environ).output
    person("push", "by-devpi==1.0", "writer/prod", **environ)
    listed = prefixed.ask("GET", "/writer/prod/+simple/by-devpi/", headers=READER).data.decode()
    assert (first.filename in listed, second.filename in listed) == (True, False)
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    person("install", "--venv", tmp_path / "venv", "by-devpi==1.0", **environ, PIP_NO_CACHE_DIR="1")
    assert list(tmp_path.glob("venv/lib/*/site-packages/by_devpi-1.0.dist-info"))
    person("remove", "-y", "by-devpi==2.0", **environ)
    assert second.filename not in person("list", "by-devpi", "--all", **environ).output
