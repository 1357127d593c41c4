"""Lines 50 to 71, 79 to 81 of the interoperability checklist: the upload form and its answers."""

from __future__ import annotations

import hashlib
import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import basic

WHEEL = build_wheel("Acme.Widget", "1.0", requires_dist=("six>=1",), summary="A widget")
SDIST = build_sdist("Acme.Widget", "1.0")
OTHER = build_wheel("Acme.Widget", "1.0", body=b"other")
ADDRESSES = ("/", "/simple/", "/simple", "/pypi/", "/pypi", "/legacy/", "/legacy")
POETRY_REGISTERS_ON = "was ever registered"


def md5(data):
    return hashlib.md5(data).hexdigest()


def blake2(data):
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def post(world, fields, artifact, *, content_first=False, content_type="application/octet-stream", user="writer", boundary="b0undary", path="/", status=200, accept="*/*"):  # fmt: skip
    """Post ``fields`` (name, value) and the file exactly as written here."""
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields]
    if artifact is not None:
        kind = f"Content-Type: {content_type}\r\n" if content_type else ""
        head = f'Content-Disposition: form-data; name="content"; filename="{artifact.filename}"\r\n{kind}\r\n'
        parts.insert(0 if content_first else len(parts), head.encode() + artifact.data)
    body = b"".join(f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Accept": accept}
    if user:
        headers["Authorization"] = basic(user)
    return world.app.post(path, params=body, headers=headers, status=status)


def as_twine(artifact):
    return [
        ("metadata_version", "2.1"), ("name", "Acme.Widget"), ("version", "1.0"), ("summary", "A widget"),
        ("filetype", kind(artifact)), ("pyversion", pyversion(artifact)), ("comment", ""), ("keywords", "a,b"),
        ("classifiers", "A :: B"), ("classifiers", "Private :: Do Not Upload"), ("requires_dist", "six>=1"),
        ("sha256_digest", artifact.sha256), ("blake2_256_digest", blake2(artifact.data)),
        (":action", "file_upload"), ("protocol_version", "1"),
    ]  # fmt: skip


def as_uv(artifact):
    return [
        (":action", "file_upload"), ("sha256_digest", artifact.sha256), ("blake2_256_digest", blake2(artifact.data)),
        ("protocol_version", "1"), ("metadata_version", "2.1"), ("name", "Acme.Widget"), ("version", "1.0"),
        ("filetype", kind(artifact)), ("pyversion", pyversion(artifact)), ("requires_python", ""),
        ("import_names", "acme"),
    ]  # fmt: skip


def as_poetry(artifact):
    return [
        ("md5_digest", md5(artifact.data)), ("sha256_digest", artifact.sha256),
        ("blake2_256_digest", blake2(artifact.data)), ("filetype", kind(artifact)), ("pyversion", pyversion(artifact)),
        ("metadata_version", "2.1"), ("name", "acme-widget"), ("version", "1.0"),
        (":action", "file_upload"), ("protocol_version", "1"),
    ]  # fmt: skip


def as_pdm(artifact):
    empty = ("author", "home_page", "license", "keywords", "download_url", "platform", "maintainer")
    return [*as_poetry(artifact), *((name, "") for name in empty), ("obsoletes_dist", "")]


def as_hatch(artifact):
    return [*as_poetry(artifact), ("project_urls", "Source, https://example.com/x"), ("license_expression", "MIT")]


def as_flit(artifact):
    fields = [
        (":action", "file_upload"), ("protocol_version", "1"), ("name", "Acme_Widget"), ("version", "1.0"),
        ("metadata_version", "2.3"), ("filetype", kind(artifact)), ("md5_digest", md5(artifact.data)),
        ("sha256_digest", artifact.sha256), ("provides", "acme"),
    ]  # fmt: skip
    return fields if artifact is SDIST else [*fields, ("pyversion", "py3")]


def as_distutils(artifact):
    return [
        (":action", "file_upload"), ("protocol_version", "1"), ("name", "Acme.Widget"), ("version", "1.0"),
        ("filetype", kind(artifact)), ("pyversion", "" if artifact is SDIST else "py3"),
        ("md5_digest", md5(artifact.data)), ("metadata_version", "1.0"), ("summary", "UNKNOWN"),
        ("home_page", "UNKNOWN"), ("author", "UNKNOWN"), ("license", "UNKNOWN"), ("description", "UNKNOWN"),
        ("platform", "UNKNOWN"), ("comment", ""),
    ]  # fmt: skip


def kind(artifact):
    return "bdist_wheel" if artifact.filename.endswith(".whl") else "sdist"


def pyversion(artifact):
    return "py3" if artifact.filename.endswith(".whl") else "source"


CLIENTS = {
    "twine": (as_twine, {}),
    "uv": (as_uv, {"content_type": None}),
    "poetry": (as_poetry, {}),
    "pdm": (as_pdm, {}),
    "hatch": (as_hatch, {}),
    "flit": (as_flit, {"content_type": None}),
    "distutils": (as_distutils, {"content_type": None, "boundary": "-" * 14 + "GHSKFJDLGDS7543FJKLFHRE75642756743254"}),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_50_51_each_clients_form_is_accepted_with_200(world, client):
    fields, how = CLIENTS[client]
    for artifact in (WHEEL, SDIST):
        assert post(world, fields(artifact), artifact, **how).status_int == 200
    page = world.project("acme-widget")
    assert {file["hashes"]["sha256"] for file in page["files"]} == {WHEEL.sha256, SDIST.sha256}
    assert "UNKNOWN" not in world.get("/simple/acme-widget/", status=200).text


@pytest.mark.parametrize("content_first", [True, False])
@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "application/zip"])
def test_52_the_order_of_fields_and_the_files_type_do_not_matter(world, content_first, content_type):
    post(world, as_twine(WHEEL), WHEEL, content_first=content_first, content_type=content_type)
    assert len(world.project("acme-widget")["files"]) == 1


@pytest.mark.parametrize("fields", [[], [("pyversion", "")], [("pyversion", "source")]])
def test_53_an_sdist_needs_no_pyversion(world, fields):
    post(world, [("name", "Acme.Widget"), ("version", "1.0"), ("filetype", "sdist"), *fields], SDIST)


DIGESTS = {"md5_digest": md5(WHEEL.data), "sha256_digest": WHEEL.sha256, "blake2_256_digest": blake2(WHEEL.data)}


@pytest.mark.parametrize("field", DIGESTS)
def test_54_any_one_digest_will_do_and_a_wrong_one_is_refused(world, field):
    base = [("name", "acme-widget"), ("version", "1.0")]
    wrong = DIGESTS[field][:-1] + ("0" if DIGESTS[field][-1] != "0" else "1")
    for bad in (wrong, "zz", "0"):
        answer = post(world, [*base, (field, bad)], WHEEL, status=400)
        assert field in answer.text
    others = [(name, value) for name, value in DIGESTS.items() if name != field]
    post(world, [*base, *others, (field, wrong)], WHEEL, status=400)
    world.get("/simple/acme-widget/", status=404)
    post(world, [*base, (field, DIGESTS[field].upper())], WHEEL)


@pytest.mark.parametrize(
    ("fields", "artifact", "words"),
    [
        (as_twine(WHEEL), None, "no file"),
        ([*as_twine(WHEEL), ("content", "text")], None, "content"),
        ([("filetype", "bdist_rpm"), *as_twine(WHEEL)], WHEEL, "filetype"),
        ([("filetype", "sdist"), *as_twine(WHEEL)], WHEEL, "filetype"),
        ([("protocol_version", "2"), *as_twine(WHEEL)], WHEEL, "protocol_version"),
        ([(":action", "explode")], WHEEL, ":action"),
    ],
)
def test_55_what_is_missing_or_unknown_is_named(world, fields, artifact, words):
    answer = post(world, fields, artifact, status=400)
    assert words in answer.status
    assert words in answer.text
    assert len(answer.text.splitlines()) == 1


def test_56_68_the_same_bytes_again_change_nothing(world):
    first = world.upload(WHEEL)
    before = world.project("acme-widget"), sorted(stored(world))
    for _ in range(5):
        again = world.upload(WHEEL)
        assert again.json == first.json
    assert (world.project("acme-widget"), sorted(stored(world))) == before
    assert len(before[0]["files"]) == 1


def stored(world):
    folder = world.loaded.get(world.loaded.plugin("pypi.storage").settings).dir
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def test_57_other_bytes_are_a_conflict_that_clients_recognise(world):
    world.upload(WHEEL)
    before = sorted(stored(world))
    for accept in (None, "application/json", "text/html"):
        answer = world.upload(OTHER, status=409, accept=accept)
        assert "File already exists" in answer.status
        assert "File already exists" in answer.text
    assert world.project("acme-widget")["files"][0]["hashes"]["sha256"] == WHEEL.sha256
    assert sorted(stored(world)) == before


def test_57_who_may_overwrite_replaces(make_world):
    world = make_world({"pypi.allow_overwrite_groups": "developers"})
    world.upload(WHEEL)
    world.upload(OTHER)
    (file,) = world.project("acme-widget")["files"]
    assert file["hashes"]["sha256"] == OTHER.sha256


REFUSALS = [
    ([("name", "other"), ("version", "1.0")], 400, "writer"),
    ([("name", "Acme.Widget"), ("version", "9.9")], 400, "writer"),
    ([("name", "na\u00efve \u4e2d\u6587"), ("version", "1.0")], 400, "writer"),
    ([("name", "<script>"), ("version", "1\r\nX: y")], 400, "writer"),
    ([("name", "x" * 5000), ("version", "1.0")], 400, "writer"),
    ([("md5_digest", "0" * 32)], 400, "writer"),
    ([("name", "Acme.Widget"), ("version", "1.0")], 401, None),
    ([("name", "Acme.Widget"), ("version", "1.0")], 403, "reader"),
]


@pytest.mark.parametrize(("fields", "status", "user"), REFUSALS)
def test_60_61_62_63_each_refusal_is_readable_in_every_client(world, fields, status, user):
    text = post(world, fields, WHEEL, status=status, user=user)
    reason = text.status.partition(" ")[2]
    assert 10 < len(reason) <= 200
    assert re.fullmatch(r"[\x20-\x7e\xa1-\xff]+", reason)
    assert text.headers["Content-Type"].startswith("text/plain")
    assert text.text.strip() == text.status
    assert "<" not in text.text or text.text[0] != "<"
    uv = post(
        world,
        fields,
        WHEEL,
        status=status,
        user=user,
        accept="application/json;q=0.9, text/plain;q=0.8, text/html;q=0.7",
    )
    assert uv.headers["Content-Type"] == "application/json"
    assert uv.json["code"] == uv.status
    assert "\n" not in uv.json["code"]
    assert {"title", "message"} <= set(uv.json)
    assert POETRY_REGISTERS_ON not in text.text + uv.text


@pytest.mark.parametrize("path", ADDRESSES)
def test_64_every_address_takes_uploads_without_a_redirect(world, path):
    answer = post(world, as_twine(WHEEL), WHEEL, path=path)
    assert answer.status_int == 200
    assert "Location" not in answer.headers


def test_64_the_answer_names_the_file(world):
    answer = world.upload(WHEEL)
    assert answer.headers["Content-Type"] == "application/json"
    package = answer.json
    assert package["name"] == "acme-widget"
    assert package["version"] == "1.0"
    assert package["filename"] == WHEEL.filename
    path = package["url"].partition("#")[0].removeprefix("http://localhost:80").removeprefix("http://localhost")
    assert world.get(path, status=200).body == WHEEL.data


@pytest.mark.parametrize("path", ADDRESSES)
def test_65_get_on_an_upload_address_is_no_error_of_the_server(world, path):
    answer = world.get(path, status="*")
    assert answer.status_int in ({405} if "legacy" in path else {200, 301})
    for method in ("PUT", "DELETE", "PATCH"):
        assert world.app.request(path, method=method, status=405).headers["Allow"]


def test_66_an_oversize_upload_is_refused_with_a_clear_line(make_world):
    world = make_world({"pypi.max_upload_size": "2000"})
    answer = world.upload(build_wheel("demo", "1.0", body=random.Random(1).randbytes(5000)), status=413)
    assert "2000" in answer.status
    assert stored(world) == []


@pytest.mark.parametrize(
    ("artifact", "fields", "user", "status"),
    [
        (OTHER, {"name": "other"}, "writer", 400),
        (OTHER, {"sha256_digest": "0" * 64}, "writer", 400),
        (build_wheel("demo", "1.0", metadata=b"Metadata-Version: 2.1\nName: x\nVersion: 1.0\n\n"), {}, "writer", 400),
        (OTHER, {}, "reader", 403),
        (OTHER, {}, None, 401),
    ],
)
def test_70_a_failed_upload_leaves_nothing(world, artifact, fields, user, status):
    world.upload(artifact, user, status, **fields)
    assert stored(world) == []
    with world.services.catalog.read() as catalog:
        assert catalog.is_empty()
        assert catalog.journal() == []


def test_67_the_reply_to_a_large_upload_starts_within_ten_seconds(world):
    wheel = build_wheel("demo", "1.0", body=random.Random(1).randbytes(50_000_000))
    began = time.monotonic()
    world.upload(wheel)
    assert time.monotonic() - began < 10
    assert world.project("demo")["files"][0]["hashes"]["sha256"] == wheel.sha256


def test_69_two_uploads_of_one_filename_at_once_leave_one_file_and_one_refusal(world):
    together = threading.Barrier(2)

    def upload(artifact):
        together.wait(30)
        return world.upload(artifact, status="*")

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(upload, (WHEEL, OTHER)))
    statuses = [answer.status_int for answer in answers]
    assert sorted(statuses) == [200, 409]
    assert "File already exists" in answers[statuses.index(409)].status
    (file,) = world.project("acme-widget")["files"]
    winner = (WHEEL, OTHER)[statuses.index(200)]
    assert file["hashes"]["sha256"] == winner.sha256
    assert world.get(f"/api/package/acme-widget/{winner.filename}", status=200).body == winner.data
    assert sum(path.endswith(".whl") for path in stored(world)) == 1


def test_71_any_spelling_lands_in_the_normalised_project(world):
    world.upload(build_sdist("Foo.Bar", "1.0", stem="Foo.Bar-1.0"), name="FOO__bar", version="1.0")
    assert world.project("foo-bar")["name"] == "foo-bar"
    answer = world.upload(build_wheel("foo-baz", "1.0"), status=400, name="Foo.Bar", version="1.0")
    assert "foo-baz" in answer.text
    assert "foo-bar" in answer.text


def test_79_attestations_are_accepted_and_dropped(world):
    post(world, [*as_uv(WHEEL), ("attestations", '[{"version": 1, "secretish": "zzyzx"}]')], WHEEL)
    assert "provenance" not in world.get("/simple/acme-widget/", status=200, Accept="text/html").text
    folder = world.loaded.get(world.loaded.plugin("pypi.storage").settings).dir
    assert not any(b"zzyzx" in path.read_bytes() for path in folder.parent.rglob("*") if path.is_file())


@pytest.mark.parametrize("action", ["submit", "submit_pkg_info", "verify"])
@pytest.mark.parametrize("user", [None, "writer"])
@pytest.mark.parametrize("path", ["/", "/simple/", "/pypi", "/legacy/"])
def test_80_old_actions_are_answered_and_do_nothing(world, action, user, path):
    answer = post(world, [(":action", action), ("name", "Acme.Widget"), ("version", "1.0")], None, user=user, path=path)
    assert len(answer.text.splitlines()) == 1
    assert stored(world) == []


def test_80_register_with_bare_line_feeds(world):
    boundary = "--------------GHSKFJDLGDS7543FJKLFHRE75642756743254"
    fields = {":action": "submit", "metadata_version": "1.0", "name": "acme", "version": "1.0", "summary": "UNKNOWN"}
    body = "".join(f'\n--{boundary}\nContent-Disposition: form-data; name="{k}"\n\n{v}' for k, v in fields.items())
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}; charset=utf-8"}
    world.app.post("/", params=(body + f"\n--{boundary}--\n").encode(), headers=headers, status=200)


def test_80_doc_upload_says_what_it_needs(world):
    answer = post(world, [(":action", "doc_upload"), ("name", "acme")], WHEEL, status=400)
    assert "without a version" in answer.status


@pytest.mark.parametrize("status", [ProjectStatus.ARCHIVED, ProjectStatus.QUARANTINED])
def test_81_an_archived_or_quarantined_project_takes_no_uploads(world, set_status, status):
    world.upload(SDIST)
    set_status(world, "acme-widget", status, "frozen by Ann")
    before = sorted(stored(world))
    for user in ("writer", "admin"):
        answer = world.upload(WHEEL, user, 403)
        assert status.value in answer.status
        assert "frozen by Ann" in answer.text
    assert sorted(stored(world)) == before


def test_81_a_deprecated_project_still_takes_uploads(world, set_status):
    world.upload(SDIST)
    set_status(world, "acme-widget", ProjectStatus.DEPRECATED, None)
    world.upload(WHEEL)
