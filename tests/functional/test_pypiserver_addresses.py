"""What pypiserver's clients have in their files: /packages/NAME, with folders too, and one page with everything."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import urljoin

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel

FLAT = build_wheel("demo", "1.0")
NESTED = build_sdist("Dotted.Name", "1.0", stem="Dotted.Name-1.0")
SECRET = build_wheel("secret", "1.0")
ANCHOR = re.compile(r'<a href="([^"#]+)#sha256=([0-9a-f]{64})"[^>]*>([^<]+)</a>')


@pytest.fixture
def world(make_world, tmp_path):
    world = make_world({"package.secret.user.admin": "rw"})
    folder = tmp_path / "data" / "packages"
    for path, artifact in ((FLAT.filename, FLAT), (f"old/er/{NESTED.filename}", NESTED), (SECRET.filename, SECRET)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(artifact.data)
    (folder / f"{FLAT.filename}.asc").write_bytes(b"-----BEGIN PGP SIGNATURE-----")
    world.services.resync_or_first()
    return world


def test_a_file_by_its_name(world):
    answer = world.get(f"/packages/{FLAT.filename}", status=200)
    assert answer.body == FLAT.data
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert world.get(f"/packages/{FLAT.filename}.metadata", status=200).body == FLAT.metadata
    assert world.get(f"/packages/{FLAT.filename}.asc", status=200).body.startswith(b"-----BEGIN PGP")
    world.get(f"/packages/{FLAT.filename}", status=304, If_None_Match=answer.headers["ETag"])
    assert world.get(f"/packages/{FLAT.filename}", status=206, Range="bytes=0-3").body == FLAT.data[:4]
    assert world.head(f"/packages/{FLAT.filename}", status=200).headers["Content-Length"] == str(len(FLAT.data))


def test_a_file_in_its_folder(world):
    for path in (f"old/er/{NESTED.filename}", NESTED.filename):
        assert world.get(f"/packages/{path}", status=200).body == NESTED.data
    for path in (f"old/{NESTED.filename}", f"er/{NESTED.filename}", f"new/er/{NESTED.filename}", f"x/{FLAT.filename}"):
        world.get(f"/packages/{path}", status=404)


def test_an_uploaded_file_too(world):
    wheel = build_wheel("uploaded", "1.0")
    world.upload(wheel)
    assert world.get(f"/packages/{wheel.filename}", status=200).body == wheel.data


def test_who_may_not_see_it_learns_nothing(world):
    hidden = [
        world.get(f"/packages/{name}", status=404).text for name in (SECRET.filename, "secret-2.0-py3-none-any.whl")
    ]
    assert hidden[0].replace("1.0", "2.0") == hidden[1]
    for name in (SECRET.filename, "absent-1.0.tar.gz", FLAT.filename):
        assert world.get(f"/packages/{name}", None, 401).headers["WWW-Authenticate"].startswith("Basic")
    assert world.get(f"/packages/{SECRET.filename}", "admin", 200).body == SECRET.data
    world.get("/packages/notes.txt", status=404)


def test_the_page_of_everything(world, queries):
    page = world.get("/packages/", status=200)
    found = ANCHOR.findall(page.text)
    assert [text for _href, _sha256, text in found] == [FLAT.filename, NESTED.filename]
    for href, sha256, _text in found:
        content = world.get(urljoin("/packages/", href), status=200).body
        assert hashlib.sha256(content).hexdigest() == sha256
    assert len(ANCHOR.findall(world.get("/packages/", "admin").text)) == 3
    assert ANCHOR.findall(world.get("/packages/", None).text) == []
    with queries(world) as seen:
        world.get("/packages/", status=304, If_None_Match=page.headers["ETag"])
    assert len(seen) == 1
    assert world.get("/packages", status=301).headers["Location"] == "packages/"


def test_a_quarantined_project_is_not_on_it(world):
    world.send("PUT", "/api/package/demo/status", "admin", json={"status": "quarantined"})
    assert FLAT.filename not in world.get("/packages/").text
    world.get(f"/packages/{FLAT.filename}", status=404)
