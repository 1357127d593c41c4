"""F27: a file of 1 GiB passes through a worker whose memory hardly notices."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import re
import time
import zipfile
from base64 import urlsafe_b64encode
from contextlib import closing
from pathlib import Path
from urllib.parse import urljoin

import pytest

from pypicloud_lite.testing.artifacts import core_metadata, record
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.raw_client import form_edges
from pypicloud_lite.testing.world import JSON, basic, user_settings

GIB = 1024**3
MAY_GROW = 64 * 1024 * 1024
# Seconds. A bucket gets the bytes when the form has ended, and moto takes most of that time for itself.
LATEST_ANSWER = {"file": 10.0, "s3": 60.0}
PIECE = 1024 * 1024
FILENAME = "large-1.0-py3-none-any.whl"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel with 1 GiB of stored noise, and its sha256."""
    path = tmp_path_factory.mktemp("large") / FILENAME
    block = random.Random(1).randbytes(PIECE)
    info = "large-1.0.dist-info"
    members = {
        f"{info}/METADATA": core_metadata("large", "1.0"),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    noise = hashlib.sha256()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        with archive.open("large.dat", "w", force_zip64=False) as member:
            for number in range(GIB // PIECE):
                piece = number.to_bytes(8, "big") + block[8:]
                noise.update(piece)
                member.write(piece)
        for name, data in members.items():
            archive.writestr(name, data)
        digest = urlsafe_b64encode(noise.digest()).rstrip(b"=").decode()
        line = f"large.dat,sha256={digest},{GIB}\n".encode()
        archive.writestr(f"{info}/RECORD", line + record(members, f"{info}/RECORD"))
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    yield path, sha256
    path.unlink()


@pytest.fixture(params=["file", "s3"])
def server(request, tmp_path):
    settings = {**user_settings(), "db.url": f"sqlite:///{tmp_path}/catalog.sqlite"}
    if request.param == "s3":
        settings |= {"pypi.storage": "s3", "pypi.stream_files": "true", **request.getfixturevalue("s3_options")}
        settings["storage.spool_dir"] = str(tmp_path)
    else:
        settings["storage.dir"] = str(tmp_path / "packages")
    with LiveServer(tmp_path / "server", settings, workers=1) as live:
        yield live


def high_water(server):
    """The most memory that the worker ever had, in bytes."""
    (pid,) = server.worker_pids()
    text = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) * 1024


def processor_seconds(server):
    """What the worker has computed so far."""
    (pid,) = server.worker_pids()
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def exchange(server, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    headers = {name.replace("_", "-"): text for name, text in headers.items()}
    connection.request(method, path, body, {"Authorization": basic("writer"), "Accept": JSON, **headers})
    return connection


def upload(server, path):
    """Post the file in pieces; seconds from the body's end to the answer, and seconds in all."""
    head, tail, content_type = form_edges(FILENAME)
    sent = [0.0]

    def body():
        yield head
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece
        yield tail
        sent[0] = time.monotonic()

    length = str(len(head) + path.stat().st_size + len(tail))
    began = time.monotonic()
    with closing(exchange(server, "POST", "/", body(), Content_Type=content_type, Content_Length=length)) as connection:
        answer = connection.getresponse()
        ended = time.monotonic()
        assert (answer.status, answer.reason) == (200, "OK")
    return ended - sent[0], ended - began


def download(server, url):
    """The digest of what is served, and seconds."""
    began = time.monotonic()
    sha256 = hashlib.sha256()
    with closing(exchange(server, "GET", url)) as connection:
        answer = connection.getresponse()
        assert answer.status == 200
        while piece := answer.read(PIECE):
            sha256.update(piece)
    return sha256.hexdigest(), time.monotonic() - began


def test_f27_one_gibibyte_up_and_down(request, server, wheel, note):
    path, sha256 = wheel
    small_page(server)
    before = high_water(server)
    computed = processor_seconds(server)
    waited, up = upload(server, path)
    computed = processor_seconds(server) - computed
    after_upload = high_water(server)
    (file,) = small_page(server)["files"]
    assert (file["hashes"]["sha256"], file["size"]) == (sha256, path.stat().st_size)
    served, down = download(server, urljoin("/simple/large/", file["url"]))
    after_download = high_water(server)
    note(
        f"upload {up:.1f} s ({computed:.1f} s of it computing), answer {waited:.1f} s after the body, memory +{(after_upload - before) >> 20} MiB; "
        f"download {down:.1f} s, +{(after_download - after_upload) >> 20} MiB more"
    )
    assert served == sha256
    assert after_download - before <= MAY_GROW
    assert waited < LATEST_ANSWER[request.node.callspec.params["server"]]


def small_page(server):
    """A first request of this kind loads what every worker has loaded sooner or later."""
    with closing(exchange(server, "GET", "/simple/large/")) as connection:
        answer = connection.getresponse()
        return json.loads(answer.read()) if answer.status == 200 else answer.read()
