"""Parts of files: clients that look into a wheel whose metadata nobody advertises, and downloads that break off."""

from __future__ import annotations

import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.servers import Fault, fault_proxy

# Does not compress: so large that the end of the file is a small part of it.
_BODY = b"".join(number.to_bytes(4, "big") for number in range(0, 0xFFFFFFFF, 40_009))


@pytest.fixture(scope="module")
def index(make_index):
    """Readable without credentials, because links of another host's page are followed without any."""
    with make_index({"pypi.default_read": "everyone"}) as made:
        yield made


@pytest.fixture
def plain_page(index):
    """``plain_page(artifact)``: an index elsewhere, whose page has a link to the file here and no more."""
    links = {}

    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            link = links.get(self.path)
            body = f"<!DOCTYPE html>\n<html><body>{link}</body></html>\n".encode() if link else b"not here\n"
            self.send_response(200 if link else 404)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            """Say nothing."""

    def publish(artifact):
        index.put(artifact)
        project = artifact.filename.split("-")[0].replace("_", "-")
        file = index.files(project)[artifact.filename]
        url = f"{index.url}/packages/{file['url'].partition('/packages/')[2]}"
        links[f"/{project}/"] = f'<a href="{url}#sha256={artifact.sha256}">{artifact.filename}</a>'
        return f"http://127.0.0.1:{server.server_port}"

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield publish
    server.shutdown()
    thread.join()
    server.server_close()


def test_32_33_34_pip_with_fast_deps_reads_parts_of_a_wheel(index, plain_page, tools, run, target):
    url = plain_page(build_wheel("part-pip", "1.0", body=_BODY))
    command = [tools / "python", "-m", "pip", "--python", target.python, "install", "--use-feature=fast-deps"]
    with index.watch() as seen:
        run(*command, "--dry-run", "--index-url", url, "part-pip")
    assert [(request.method, request.status) for request in seen[:1]] == [("HEAD", 200)]
    assert {(request.method, request.status) for request in seen[1:]} == {("GET", 206)}


def test_35_uv_locks_from_the_end_of_a_wheel(index, plain_page, tools, run, tmp_path):
    url = plain_page(build_wheel("part-uv", "1.0", body=_BODY))
    source = tmp_path / "requirements.in"
    source.write_text("part-uv\n")
    with index.watch() as seen:
        run(tools / "uv", "pip", "compile", "--default-index", url, source)
    assert [(request.method, request.status) for request in seen] == [("HEAD", 200), ("GET", 206)]


def test_36_poetry_locks_from_the_end_of_a_wheel(index, plain_page, environment, run, tmp_path):
    url = plain_page(build_wheel("part-poetry", "1.0", body=_BODY))
    project = tmp_path / "project"
    project.mkdir()
    project.joinpath("pyproject.toml").write_text(
        '[project]\nname = "consumer"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["part-poetry"]\n'
        "[tool.poetry]\npackage-mode = false\n"
        f'[[tool.poetry.source]]\nname = "private"\nurl = "{url}"\npriority = "primary"\n'
    )
    with index.watch() as seen:
        run(environment("poetry") / "poetry", "lock", cwd=project)
    assert {request.status for request in seen} == {206}


@pytest.mark.parametrize("breaks", [1, 2, 5])
def test_38_pip_resumes_a_truncated_download(index, tools, run, target, breaks):
    name = f"part-resumed-{breaks}"
    wheel = build_wheel(name, "1.0", body=_BODY)
    index.put(wheel)
    command = [tools / "python", "-m", "pip", "--python", target.python, "install"]
    with fault_proxy(index.url) as proxy, index.watch() as seen:
        proxy.fail(Fault.TRUNCATE, method="GET", containing=f"{wheel.filename}", times=breaks)
        # The metadata would be the first to match.
        proxy.plan = _but_metadata(proxy.plan)
        run(*command, "--resume-retries", "5", "--index-url", f"{proxy.url}/simple/", name)
    assert target.installed() == {name.replace("-", "_"): "1.0"}
    assert [request.status for request in seen if request.path.endswith(".whl")] == [200, *[206] * breaks]


@pytest.fixture
def curl(run, missing):
    """``curl(url, path)``: go on with what lies at the path; what it says of the transfer."""
    program = shutil.which("curl")
    if not program:
        missing("curl", "curl is not installed")

    def fetch(url, path, *options, status=0):
        told = ["--silent", "--show-error", "--fail", "--write-out", "%{http_code} %{size_download}"]
        return run(program, *told, *options, "--continue-at", "-", "--output", path, url, status=status).output

    return fetch


@pytest.fixture
def download(index, tmp_path):
    """``download(name)``: a wheel of that name, its address, and where it is to be saved."""

    def prepare(name):
        wheel = build_wheel(name, "1.0", body=_BODY)
        index.put(wheel)
        url = index.files(name)[wheel.filename]["url"]
        return wheel, f"{index.url}/packages/{url.partition('/packages/')[2]}", tmp_path / wheel.filename

    return prepare


@pytest.mark.parametrize("have", [0, 1, 100_000])
def test_33_curl_goes_on_where_it_stopped(curl, download, have):
    wheel, url, path = download("part-curl")
    path.write_bytes(wheel.data[:have])
    assert curl(url, path) == f"{206 if have else 200} {len(wheel.data) - have}"
    assert path.read_bytes() == wheel.data


def test_33_curl_has_nothing_to_go_on_with(index, curl, download):
    wheel, url, path = download("part-whole")
    path.write_bytes(wheel.data)
    with index.watch() as seen:
        curl(url, path, status=None)
    assert [request.status for request in seen] == [416]
    assert path.read_bytes() == wheel.data


def test_33_curl_goes_on_after_connections_that_break(index, curl, download):
    wheel, url, path = download("part-broken")
    with fault_proxy(index.url) as proxy:
        proxy.fail(Fault.TRUNCATE, times=2)
        url = url.replace(index.url, proxy.url)
        # 18: the transfer ended before it was complete.
        curl(url, path, status=18)
        assert 0 < path.stat().st_size < len(wheel.data)
        curl(url, path, status=18)
        assert curl(url, path).startswith("206 ")
    assert path.read_bytes() == wheel.data


def _but_metadata(plan):
    return lambda seen: None if seen.path.endswith(".metadata") else plan(seen)
