"""twine: the newest, and 6.1, the last that skips existing files of a private index."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import PASSWORDS


@pytest.fixture
def twine(tools, run, index):
    """``twine(*arguments)``: the newest twine as the writer, at the root of the server."""

    def upload(*arguments, user="writer", password=None, path="/", program=tools / "twine", status=0):
        credentials = ["--username", user, "--password", password or PASSWORDS[user]]
        options = ["--non-interactive", "--disable-progress-bar", "--repository-url", index.url + path, *credentials]
        return run(program, "upload", *options, *arguments, status=status)

    return upload


def uploads(seen):
    return [request.status for request in seen if request.method == "POST"]


def reason(said, status):
    """The server's own line, which twine prints below the status and the address."""
    assert status in said, said
    return said.partition(status)[2].splitlines()[1].strip()


@pytest.mark.parametrize("path", ["", "/", "/simple", "/simple/", "/pypi", "/pypi/", "/legacy", "/legacy/"])
def test_50_64_twine_uploads_wheel_and_sdist_at_every_address(twine, index, dist, path):
    name = f"twine-at{path.replace('/', '-')}x"
    wheel, sdist = build_wheel(name, "1.0"), build_sdist(name, "1.0")
    with index.watch() as seen:
        twine(*dist(wheel, sdist), path=path)
    assert uploads(seen) == [200, 200]
    listed = index.files(name)
    assert {filename: file["hashes"]["sha256"] for filename, file in listed.items()} == {
        wheel.filename: wheel.sha256,
        sdist.filename: sdist.sha256,
    }


def test_50_twine_uploads_what_build_makes(twine, tools, run, index, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    project.joinpath("made_by_build.py").write_text("answer = 42\n")
    project.joinpath("pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "Made.By_Build"\nversion = "1.0"\nrequires-python = ">=3.11"\n'
        'dependencies = ["packaging>=20"]\nlicense = "MIT"\n'
    )
    run(tools / "python", "-m", "build", "--no-isolation", cwd=project)
    with index.watch() as seen:
        twine(*sorted(project.glob("dist/*")))
    assert uploads(seen) == [200, 200]
    page = index.page("made-by-build")
    assert {file["requires-python"] for file in page["files"]} == {">=3.11"}
    assert page["versions"] == ["1.0"]


def test_56_twine_may_upload_the_same_bytes_again(twine, index, dist):
    paths = dist(build_wheel("twine-again", "1.0"))
    twine(*paths)
    before = index.page("twine-again")
    with index.watch() as seen:
        twine(*paths)
    assert uploads(seen) == [200]
    assert index.page("twine-again") == before


def test_57_60_twine_prints_file_already_exists(twine, index, dist):
    first = build_wheel("twine-other", "1.0")
    twine(*dist(first))
    with index.watch() as seen:
        said = twine(*dist(build_wheel("twine-other", "1.0", body=b"other")), status=1).output
    assert uploads(seen) == [409]
    assert reason(said, "HTTPError: 409 Conflict").startswith(f"File already exists: {first.filename} ")
    assert index.files("twine-other")[first.filename]["hashes"]["sha256"] == first.sha256


def test_58_twine_6_1_skips_existing_files(twine, environment, index, dist):
    old = environment("twine-6.1") / "twine"
    first = build_wheel("twine-skip", "1.0")
    twine(*dist(first), program=old)
    others = dist(build_wheel("twine-skip", "1.0", body=b"other"), build_sdist("twine-skip", "1.0"))
    with index.watch() as seen:
        said = twine("--skip-existing", *others, program=old).output
    assert sorted(uploads(seen)) == [200, 409]
    assert f"Skipping {first.filename} because it appears to already exist" in said
    assert len(index.files("twine-skip")) == 2


def test_57_twine_6_1_prints_file_already_exists(twine, environment, dist):
    old = environment("twine-6.1") / "twine"
    twine(*dist(build_wheel("twine-old", "1.0")), program=old)
    said = twine(*dist(build_wheel("twine-old", "1.0", body=b"other")), program=old, status=1).output
    assert reason(said, "HTTPError: 409 Conflict").startswith("File already exists: twine_old-1.0-py3-none-any.whl ")


def test_40_a_signature_is_served_beside_the_file(twine, index, dist, tmp_path):
    wheel = build_wheel("twine-signed", "1.0")
    (path,) = dist(wheel)
    signature = b"-----BEGIN PGP SIGNATURE-----\n\niHUEABYIAB0=\n-----END PGP SIGNATURE-----\n"
    beside = Path(f"{path}.asc")
    beside.write_bytes(signature)
    twine(path, beside)
    file = index.files("twine-signed")[wheel.filename]
    assert file["gpg-sig"] is True
    address = f"/packages/{file['url'].partition('/packages/')[2].partition('#')[0]}"
    assert index.get(f"{address}.asc").data == signature
    assert index.get(address).data == wheel.data


def test_79_twine_may_send_attestations(twine, index, dist):
    wheel = build_wheel("twine-attested", "1.0")
    (path,) = dist(wheel)
    beside = Path(f"{path}.publish.attestation")
    beside.write_text(json.dumps({"version": 1, "verification_material": {}, "envelope": {}}))
    with index.watch() as seen:
        twine("--attestations", path, beside)
    assert uploads(seen) == [200]
    assert "provenance" not in index.files("twine-attested")[wheel.filename]


def test_37_twine_uploads_epochs_and_local_versions(twine, index, dist):
    wheel = build_wheel("twine-local", "1!2.0+cpu.1")
    with index.watch() as seen:
        twine(*dist(wheel))
    assert uploads(seen) == [200]
    assert list(index.files("twine-local")) == [wheel.filename]


def test_60_twine_prints_why_a_password_is_refused(twine, index, dist):
    with index.watch() as seen:
        said = twine(*dist(build_wheel("twine-wrong", "1.0")), password="not-it", status=1).output
    assert uploads(seen) == [401]
    assert "password" in reason(said, "HTTPError: 401 Unauthorized")
    assert "not-it" not in said
    assert index.files("twine-wrong") == {}


def test_60_twine_prints_why_a_reader_may_not_write(twine, index, dist):
    with index.watch() as seen:
        said = twine(*dist(build_wheel("twine-forbidden", "1.0")), user="reader", status=1).output
    assert uploads(seen) == [403]
    assert "User reader may not upload" in reason(said, "HTTPError: 403 Forbidden")
    assert index.files("twine-forbidden") == {}


def test_60_twine_prints_what_is_wrong_with_a_file(twine, index, dist):
    (path,) = dist(build_wheel("twine-broken", "1.0"))
    path = path.rename(path.with_name("twine_broken-2.0-py3-none-any.whl"))
    with index.watch() as seen:
        said = twine(path, status=1).output
    assert uploads(seen) == [400]
    assert "twine_broken-2.0-py3-none-any.whl" in reason(said, "HTTPError: 400 Bad Request")
    assert index.files("twine-broken") == {}


def test_pypirc_names_the_server(run, tools, index, dist, home):
    home.joinpath(".pypirc").write_text(
        f"[distutils]\nindex-servers = private\n[private]\nrepository = {index.url}/\n"
        f"username = writer\npassword = {PASSWORDS['writer']}\n"
    )
    wheel = build_wheel("twine-pypirc", "1.0")
    run(tools / "twine", "upload", "--non-interactive", "--repository", "private", *dist(wheel))
    assert list(index.files("twine-pypirc")) == [wheel.filename]


def test_49_no_password_is_in_the_log(twine, index, dist):
    twine(*dist(build_wheel("twine-secret", "1.0")))
    twine(*dist(build_wheel("twine-secret", "1.0")), password="a-wrong-one", status=1)
    log = index.server.log.read_text("utf-8")
    assert [secret for secret in [*PASSWORDS.values(), "a-wrong-one"] if secret in log] == []
