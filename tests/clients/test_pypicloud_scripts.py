"""Scripts as pypicloud's documentation of its HTTP API teaches to write them, unchanged: curl, and Python's requests."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import PASSWORDS

SHELL = """
set -euo pipefail
server="http://writer:$PASSWORD@$HOST"

# upload: the form of /simple/, and the cleaner address
curl -sSf -F ':action=file_upload' -F 'name=flywheel' -F 'version=0.1.0' \\
    -F 'content=@dist/flywheel-0.1.0.tar.gz' "$server/simple/" >first.json
curl -sSf -F 'content=@dist/flywheel-0.2.0-py3-none-any.whl' \\
    "$server/api/package/flywheel/flywheel-0.2.0-py3-none-any.whl" >second.json

# list
curl -sSf "$server/api/package/" >names.json
curl -sSf "$server/api/package/?verbose=true" >verbose.json
curl -sSf -L "$server/api/package/flywheel" >files.json

# download by the address that the list gives, and by the name
curl -sSf -L -u "writer:$PASSWORD" -o one "$(python3 -c 'import json; print(json.load(open("files.json"))["packages"][0]["url"])')"
curl -sSf -L -o two "$server/api/package/flywheel/flywheel-0.1.0.tar.gz"

# delete
curl -sSf -X DELETE "$server/api/package/flywheel/flywheel-0.1.0.tar.gz"
curl -sSf "$server/api/package/flywheel/" >left.json
# the same again, and what never was
test "$(curl -s -o /dev/null -w '%{http_code}' -X DELETE "$server/api/package/flywheel/flywheel-0.1.0.tar.gz")" -ge 400
test "$(curl -s -o refused.json -w '%{http_code}' -F 'content=@dist/other/flywheel-0.2.0-py3-none-any.whl' \\
    "$server/api/package/flywheel/flywheel-0.2.0-py3-none-any.whl")" = 409
"""

PYTHON = """
import hashlib, sys
import requests

base, password = sys.argv[1:3]
session = requests.Session()
session.auth = ("writer", password)


def upload(path):
    filename = path.rsplit("/", 1)[-1]
    project = filename.split("-")[0]
    with open(path, "rb") as handle:
        reply = session.post(f"{base}/api/package/{project}/{filename}", files={"content": (filename, handle)})
    reply.raise_for_status()
    return reply.json()


def versions(project):
    reply = session.get(f"{base}/api/package/{project}/")
    reply.raise_for_status()
    return reply.json()


assert versions("gyroscope")["packages"] == [] and versions("gyroscope")["write"] is True
for path in sys.argv[3:]:
    package = upload(path)
    assert set(package) >= {"name", "filename", "last_modified", "version", "url", "summary", "metadata"}
listed = versions("gyroscope")["packages"]
assert [package["version"] for package in listed] == ["2.0", "1.0"]
for package in listed:
    content = session.get(package["url"]).content
    assert hashlib.sha256(content).hexdigest() == package["metadata"]["hash_sha256"]
# keep the newest
for package in listed[1:]:
    session.delete(f"{base}/api/package/gyroscope/{package['filename']}").raise_for_status()
print([package["filename"] for package in versions("gyroscope")["packages"]])
"""


@pytest.fixture
def curl(missing):
    if shutil.which("curl") is None:
        missing("curl", "apt-get install curl")


@pytest.mark.usefixtures("curl")
def test_curl(index, run, dist, home):
    old = build_sdist("flywheel", "0.1.0")
    new, other = build_wheel("flywheel", "0.2.0", summary="turns"), build_wheel("flywheel", "0.2.0", body=b"other")
    folder = dist(old, new)[0].parent
    (folder / "other").mkdir()
    (folder / "other" / other.filename).write_bytes(other.data)
    address = index.url.removeprefix("http://")
    run("/bin/bash", "-c", SHELL, cwd=folder.parent, HOST=address, PASSWORD=PASSWORDS["writer"])

    def said(name):
        return json.loads((folder.parent / name).read_bytes())

    assert (said("first.json")["version"], said("second.json")["version"]) == ("0.1.0", "0.2.0")
    assert "flywheel" in said("names.json")["packages"]
    assert {"flywheel": "turns"}.items() <= {
        one["name"]: one["summary"] for one in said("verbose.json")["packages"]
    }.items()
    assert [one["filename"] for one in said("files.json")["packages"]] == [new.filename, old.filename]
    assert said("files.json")["write"] is True
    assert hashlib.sha256((folder.parent / "one").read_bytes()).hexdigest() == new.sha256
    assert (folder.parent / "two").read_bytes() == old.data
    assert [one["filename"] for one in said("left.json")["packages"]] == [new.filename]
    assert said("refused.json")["message"].startswith("File already exists")


def test_python(index, tools, run, dist, tmp_path):
    paths = dist(build_wheel("gyroscope", "1.0"), build_wheel("gyroscope", "2.0"))
    script = tmp_path / "keep_newest.py"
    script.write_text(PYTHON)
    said = run(tools / "python", script, index.url, PASSWORDS["writer"], *paths).output
    assert said == "['gyroscope-2.0-py3-none-any.whl']\n"
