"""The same work with the files in S3: uploads arrive there, and downloads go there, without the index's credentials."""

from __future__ import annotations

import http.client
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import PASSWORDS


class Door(ThreadingHTTPServer):
    """Before the S3 server: notes who fetches an object, and with which ``Authorization``."""

    daemon_threads = True

    def __init__(self, upstream):
        super().__init__(("127.0.0.1", 0), _Through)
        self.upstream = urlsplit(upstream).netloc
        self.fetched = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class _Through(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _pass_on(self):
        # Reading of bodies is the server's own affair: only signed URLs are what clients come with.
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command == "GET" and "X-Amz-Signature=" in self.path:
            self.server.fetched.append((urlsplit(self.path).path, self.headers.get("Authorization")))
        connection = http.client.HTTPConnection(self.server.upstream, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"date", "server", "connection", "transfer-encoding", "content-length"}:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815 - http.server's names

    def log_message(self, *_arguments):
        """Say nothing."""


@pytest.fixture(scope="module")
def door(s3_endpoint):
    server = Door(s3_endpoint)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def index(make_index, door):
    settings = {
        "pypi.storage": "s3",
        "storage.bucket": f"clients-{secrets.token_hex(8)}",
        "storage.create_bucket": "true",
        "storage.redirect_urls": "true",
        "storage.endpoint_url": door.url,
        "storage.region_name": "us-east-1",
        "storage.aws_access_key_id": "testing",
        "storage.aws_secret_access_key": "testing",
    }
    with make_index(settings) as made:
        yield made


@pytest.fixture(scope="module")
def fetched(door):
    """``fetched(*artifacts)``: all were fetched from S3, once, and by nobody who brought credentials."""

    def check(*artifacts):
        names = {artifact.filename for artifact in artifacts}
        ours = [(path.rpartition("/")[2], sent) for path, sent in door.fetched if path.rpartition("/")[2] in names]
        assert sorted(ours) == sorted((name, None) for name in names)

    return check


def family(client):
    leaf = build_wheel(f"s3-{client}-leaf", "1.0")
    requires = [f"s3-{client}-leaf"]
    return leaf, build_wheel(f"s3-{client}", "1.0", requires_dist=requires), build_sdist(f"s3-{client}", "1.0")


def statuses(seen, method, suffix=""):
    return [request.status for request in seen if request.method == method and request.path.endswith(suffix)]


def test_39_50_twine_uploads_and_pip_installs(index, fetched, tools, run, dist, target):
    leaf, root, sdist = family("pip")
    options = ["--non-interactive", "--repository-url", f"{index.url}/", "--username", "writer"]
    with index.watch() as seen:
        run(tools / "twine", "upload", *options, "--password", PASSWORDS["writer"], *dist(leaf, root, sdist))
    assert statuses(seen, "POST") == [200, 200, 200]
    command = [tools / "python", "-m", "pip", "--python", target.python, "install"]
    with index.watch() as seen:
        run(*command, "--index-url", index.url_for("reader"), "s3-pip")
    assert target.installed() == {"s3_pip": "1.0", "s3_pip_leaf": "1.0"}
    assert statuses(seen, "GET", ".whl") == [302, 302]
    assert statuses(seen, "GET", ".whl.metadata") == [200, 200]
    fetched(leaf, root)


def test_39_50_uv_publishes_and_installs(index, fetched, tools, run, dist, target):
    leaf, root, sdist = family("uv")
    options = ["--publish-url", f"{index.url}/", "--username", "writer", "--password", PASSWORDS["writer"]]
    with index.watch() as seen:
        run(tools / "uv", "publish", "--trusted-publishing", "never", *options, *dist(leaf, root, sdist))
    assert statuses(seen, "POST") == [200, 200, 200]
    where = ["--python", target.python, "--default-index", index.url_for("reader")]
    with index.watch() as seen:
        run(tools / "uv", "pip", "install", *where, "s3-uv")
    assert target.installed() == {"s3_uv": "1.0", "s3_uv_leaf": "1.0"}
    assert statuses(seen, "GET", ".whl") == [302, 302]
    fetched(leaf, root)


def test_39_50_poetry_publishes_and_installs(index, fetched, environment, run, dist, tmp_path):
    leaf, root, sdist = family("poetry")
    index.put(leaf)
    poetry = environment("poetry") / "poetry"
    dist(root, sdist)
    project = tmp_path / "project"
    project.joinpath("pyproject.toml").write_text('[project]\nname = "s3-poetry"\nversion = "1.0"\n')
    project.joinpath("poetry.toml").write_text(f'[repositories.private]\nurl = "{index.url}/"\n')
    credentials = ["--username", "writer", "--password", PASSWORDS["writer"]]
    with index.watch() as seen:
        run(poetry, "publish", "--repository", "private", *credentials, cwd=project)
    assert statuses(seen, "POST") == [200, 200]
    consumer = tmp_path / "consumer"
    consumer.mkdir()
    consumer.joinpath("pyproject.toml").write_text(
        '[project]\nname = "consumer"\nversion = "1"\nrequires-python = ">=3.11"\n'
        "[tool.poetry]\npackage-mode = false\n"
        f'[[tool.poetry.source]]\nname = "private"\nurl = "{index.url_for("reader")}"\npriority = "primary"\n'
    )
    with index.watch() as seen:
        run(poetry, "add", "s3-poetry", cwd=consumer)
    found = {path.name for path in consumer.glob(".venv/lib/*/site-packages/s3_*.dist-info")}
    assert found == {"s3_poetry-1.0.dist-info", "s3_poetry_leaf-1.0.dist-info"}
    assert set(statuses(seen, "GET", ".whl")) == {302}
    fetched(leaf, root)


def test_57_twine_prints_file_already_exists(index, tools, run, dist):
    options = ["--non-interactive", "--repository-url", f"{index.url}/", "--username", "writer"]
    command = [tools / "twine", "upload", *options, "--password", PASSWORDS["writer"]]
    run(*command, *dist(build_wheel("s3-other", "1.0")))
    with index.watch() as seen:
        said = run(*command, *dist(build_wheel("s3-other", "1.0", body=b"other")), status=1).output
    assert statuses(seen, "POST") == [409]
    assert "File already exists: s3_other-1.0-py3-none-any.whl " in said


def test_31_pip_downloads_what_the_hash_names(index, fetched, tools, run, tmp_path):
    wheel = build_wheel("s3-hashed", "1.0")
    index.put(wheel)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"s3-hashed==1.0 --hash=sha256:{wheel.sha256}\n")
    options = ["--require-hashes", "--requirement", requirements, "--index-url", index.url_for("reader")]
    run(tools / "python", "-m", "pip", "download", *options, "--dest", tmp_path / "got")
    assert (tmp_path / "got" / wheel.filename).read_bytes() == wheel.data
    fetched(wheel)
