"""The servers that are measured: this one, a bare Pyramid view under the same gunicorn, nginx with the same bytes."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.accounting import children
from bench.load import Reply, fetch, request
from pypicloud_lite.testing.live import LiveServer, free_port

_BARE = """
import json, os, tempfile
from pathlib import Path
from pyramid.config import Configurator
from pyramid.response import FileResponse, Response

HERE = Path(__file__).parent
KNOWN = json.loads((HERE / "known.json").read_text())
BODIES = {path: (HERE / name).read_bytes() for path, (name, _headers, held) in KNOWN.items() if held}

def answer(request):
    name, headers, held = KNOWN[request.path]
    if "etag" in headers and request.headers.get("If-None-Match") == headers["etag"]:
        return Response(status=304, headerlist=[("ETag", headers["etag"])])
    if not held:
        return FileResponse(str(HERE / name), request, content_type="application/octet-stream")
    return Response(body=BODIES[request.path], headerlist=[(key, value) for key, value in headers.items()])

def upload(request):
    with tempfile.NamedTemporaryFile(dir=HERE) as file:
        while piece := request.body_file_raw.read(262144):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return Response(b"ok")

def application():
    config = Configurator()
    config.add_route("upload", "/", request_method="POST")
    config.add_view(upload, route_name="upload")
    config.add_route("known", "/{path:.*}")
    config.add_view(answer, route_name="known")
    return config.make_wsgi_app()
"""


@dataclass(frozen=True)
class Resource:
    """Something that all servers give: where, with which headers it is asked for, and what came from this server."""

    path: str
    headers: Mapping[str, str]
    reply: Reply

    @property
    def is_large(self) -> bool:
        """Read from the disk for each answer, instead of kept in memory."""
        return len(self.reply.body) > 10_000_000


class Started:
    """A server of one command in a folder, from entering to leaving; its log lies in the folder."""

    def __init__(self, folder: Path) -> None:
        self.command: list[str] = []
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        folder.chmod(0o755)

    def __enter__(self) -> Self:
        self._process = _start(self.command, self.folder, self.port)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)

    @property
    def pids(self) -> list[int]:
        assert self._process is not None
        return [self._process.pid, *children(self._process.pid)]


class Bare(Started):
    """A view that knows its answers: what Pyramid and gunicorn cost by themselves."""

    name = "bare view"

    def __init__(self, folder: Path, resources: Mapping[str, Resource]) -> None:
        super().__init__(folder)
        known = {}
        for number, (line, resource) in enumerate(resources.items()):
            (folder / str(number)).write_bytes(resource.reply.body)
            kept = {key: resource.reply.headers[key] for key in _KEPT if key in resource.reply.headers}
            kept["content-length"] = str(len(resource.reply.body))
            known[f"/{line}"] = (str(number), kept, not resource.is_large)
        (folder / "known.json").write_text(json.dumps(known))
        (folder / "bare_view.py").write_text(_BARE)
        self.command = [sys.executable, "-m", "gunicorn", "-c", "python:pypicloud_lite.cli.gunicorn_settings"]
        self.command += [f"--bind=127.0.0.1:{self.port}", "--workers=1", "--threads=8", "bare_view:application()"]

    def ask(self, line: str, resource: Resource) -> bytes:
        return request("GET", f"/{line}", resource.headers)


class Nginx(Started):
    """The limit: files from the disk's cache, by sendfile."""

    name = "nginx"

    def __init__(self, folder: Path, resources: Mapping[str, Resource]) -> None:
        super().__init__(folder)
        locations = []
        for line, resource in resources.items():
            (folder / line).write_bytes(resource.reply.body)
            locations.append(_location(line, resource.reply.headers))
        (folder / "nginx.conf").write_text(_NGINX.format(port=self.port, folder=folder, locations="\n".join(locations)))
        self.command = [str(self.program()), "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]

    @staticmethod
    def program() -> str | None:
        """Where nginx is, if it is installed."""
        return shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")

    def ask(self, line: str, resource: Resource) -> bytes:
        headers = dict(resource.headers)
        if "If-None-Match" in headers:
            headers["If-None-Match"] = fetch(self.port, f"/{line}", {}).headers["etag"]
        return request("GET", f"/{line}", headers)


_KEPT = ("content-type", "content-encoding", "etag", "cache-control", "vary")
_NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {folder};
        {locations}
    }}
}}
"""


def _location(line: str, headers: Mapping[str, str]) -> str:
    kind = headers.get("content-type", "application/octet-stream")
    coding = headers.get("content-encoding")
    more = f'add_header Content-Encoding "{coding}";' if coding else ""
    return f'location = /{line} {{ types {{ }} default_type "{kind}"; {more} }}'


class Ours:
    """This server, one worker."""

    name = "pypicloud_lite"

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.port = server.port

    @property
    def pids(self) -> list[int]:
        assert self.server.process is not None
        return [self.server.process.pid, *self.server.worker_pids()]

    def ask(self, _line: str, resource: Resource) -> bytes:
        return request("GET", resource.path, resource.headers)


def _start(command: Sequence[str], folder: Path, port: int) -> subprocess.Popen[bytes]:
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    for _ in range(1000):
        try:
            fetch(port, "/", {})
        except (ConnectionError, OSError):
            time.sleep(0.02)
        else:
            return process
    process.kill()
    raise RuntimeError((folder / "server.log").read_text())
