"""Lines 41 to 49 of the interoperability checklist, who sees what, and the threats T07 and T08."""

from __future__ import annotations

import base64
import re

import pytest

from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import JSON, PASSWORDS, basic

WHEEL = build_wheel("demo", "1.0")
HIDDEN = build_wheel("hidden", "1.0")
FILES = ("/packages/root/main/{p}/{d}/{p}-1.0-py3-none-any.whl", "/packages/root/main/{p}/{p}-1.0-py3-none-any.whl")
READS = ("/simple/{p}/", "/pypi/{p}/", "/{p}/", *FILES, "/api/package/{p}/{p}-1.0-py3-none-any.whl")


def with_files(world):
    world.upload(WHEEL, "admin")
    world.upload(HIDDEN, "admin")
    return world


@pytest.fixture(scope="module")
def private(make_shared_world):
    """``demo`` is for the staff, ``hidden`` for nobody but the admin, ``unknown`` is not there."""
    return with_files(make_shared_world({"package.hidden.user.nobody": "r"}))


@pytest.fixture(scope="module")
def public(make_shared_world):
    """The same with ``default_read = everyone``."""
    return with_files(make_shared_world({"package.hidden.user.nobody": "r", "pypi.default_read": "everyone"}))


def url(pattern, project):
    digest = {"demo": WHEEL, "hidden": HIDDEN}.get(project, WHEEL).sha256[:16]
    return pattern.format(p=project, d=digest)


@pytest.mark.parametrize("path", [url(pattern, "demo") for pattern in READS])
def test_41_the_challenge_is_basic_with_realm_pypi(private, path):
    for answer in (
        private.get(path, None, 401),
        private.head(path, None, 401),
        private.app.get(path, headers={"Authorization": basic("reader", "wrong")}, status=401),
        private.app.get(path, headers={"Authorization": basic("nobody", "wrong")}, status=401),
    ):
        assert answer.headers.getall("WWW-Authenticate") == ['Basic realm="pypi"']
        assert answer.headers["Cache-Control"] == "no-store"


def test_41_every_upload_address_challenges(private):
    for path in ("/", "/simple/", "/simple", "/pypi/", "/pypi", "/legacy/", "/legacy"):
        answer = private.upload(WHEEL, None, 401, path=path)
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="pypi"'


def test_41_the_realm_can_be_chosen(make_world):
    world = make_world({"pypi.realm": "our packages"})
    assert world.get("/simple/demo/", None, 401).headers["WWW-Authenticate"] == 'Basic realm="our packages"'


def test_42_a_password_works_on_index_files_and_upload(world):
    world.upload(WHEEL, "writer")
    for pattern in READS:
        world.get(url(pattern, "demo"), "reader", 200)
    world.delete(url(READS[-1], "demo"), "writer", 200)


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
@pytest.mark.parametrize("spaces", [" ", "   "])
def test_43_white_space_and_case_of_the_scheme_do_not_matter(private, scheme, spaces):
    encoded = basic("reader").removeprefix("Basic ")
    private.app.get("/simple/demo/", headers={"Authorization": f"{scheme}{spaces}{encoded} "}, status=200)


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic ", "Basic !!!", "Basic cmVhZGVy", "Bearer abc", "reader:reader-pw", "Basic \xff\xfe", "Digest x=y",
     "Basic " + "A" * 32_000, "Basic " + base64.b64encode(b"reader:\0").decode(), "Basic " + base64.b64encode(b":").decode()],
)  # fmt: skip
def test_43_what_is_no_credential_is_401_and_never_anonymous(public, header):
    public.get("/simple/demo/", None, 200)
    for path in (url(pattern, "demo") for pattern in READS):
        public.app.get(path, headers={"Authorization": header}, status=401)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_44_passwords_outside_ascii_in_the_encoding_of_either_client(make_world, encoding):
    password = "pässwörd:with%40colon"
    world = make_world({"user.reader": hash_password(password, "pbkdf2_sha256", 1000)})
    world.upload(WHEEL)
    token = base64.b64encode(f"reader:{password}".encode(encoding)).decode()
    world.app.get("/simple/demo/", headers={"Authorization": f"Basic {token}"}, status=200)


def test_46_a_reader_cannot_upload_and_reads_why(private):
    # One who may write nowhere is refused before the file is read; another for this project.
    for user, name, thing in (("reader", "demo", "any project"), ("writer", "hidden", "project hidden")):
        answer = private.upload(build_wheel(name, "2.0"), user, 403)
        for text in (answer.status, answer.text):
            assert user in text
            assert f"upload to {thing}" in text
        as_json = private.upload(build_wheel(name, "2.0"), user, 403, accept="application/json;q=0.9")
        assert as_json.json["message"] in answer.text


READ = {
    #            demo hidden unknown
    "private": {
        None: (401, 401, 401),
        "outsider": (404, 404, 404),
        "reader": (200, 404, 404),
        "writer": (200, 404, 404),
        "admin": (200, 200, 404),
    },
    "public": {
        None: (200, 401, 404),
        "outsider": (200, 404, 404),
        "reader": (200, 404, 404),
        "writer": (200, 404, 404),
        "admin": (200, 200, 404),
    },
}
UPLOAD = {
    None: (401, 401, 401),
    "outsider": (403, 403, 403),
    "reader": (403, 403, 403),
    "writer": (200, 403, 200),
    "admin": (200, 200, 200),
}
DELETE = {
    None: (401, 401, 401),
    "outsider": (403, 403, 403),
    "reader": (403, 403, 403),
    "writer": (200, 403, 404),
    "admin": (200, 200, 404),
}
PROJECTS = ("demo", "hidden", "unknown")


@pytest.mark.parametrize("user", [None, *PASSWORDS])
@pytest.mark.parametrize("openness", READ)
def test_47_who_reads_what(request, openness, user):
    world = request.getfixturevalue(openness)
    for project, status in zip(PROJECTS, READ[openness][user], strict=True):
        for pattern in READS:
            for ask in (world.get, world.head):
                assert ask(url(pattern, project), user, "*").status_int == status, (pattern, project)


@pytest.mark.parametrize("user", [None, *PASSWORDS])
def test_47_who_writes_what(make_world, user):
    world = make_world({"package.hidden.user.nobody": "r"})
    with_files(world)
    for project, delete, upload in zip(PROJECTS, DELETE[user], UPLOAD[user], strict=True):
        file = f"/api/package/{project}/{project}-1.0-py3-none-any.whl"
        assert world.upload(build_wheel(project, "2.0"), user, "*").status_int == upload, project
        assert world.delete(file, user, "*").status_int == delete, project
        assert world.delete(file.replace("1.0", "9.0"), user, "*").status_int == (404 if delete == 200 else delete)


@pytest.mark.parametrize(
    ("openness", "user"),
    [
        ("private", None),
        ("private", "outsider"),
        ("private", "reader"),
        # An anonymous caller of a public index is told to log in, so that pip does.
        ("public", "outsider"),
        ("public", "reader"),
    ],
)
def test_47_hidden_and_unknown_cannot_be_told_apart(request, openness, user):
    world = request.getfixturevalue(openness)

    def shape(answer, project):
        headers = {
            name: value.replace(project, "P")
            for name, value in answer.headers.items()
            if name not in {"Content-Length", "X-Request-Id"}
        }
        # The way back from the login is the address that was asked for, digest and all.
        text = re.sub(r'/login[?]next=[^"]*', "/login", answer.text)
        return answer.status.replace(project, "P"), headers, text.replace(project, "P")

    paths = [*READS, *(f"{pattern}{suffix}" for pattern in READS[3:] for suffix in (".metadata", ".asc"))]
    for pattern in [*paths, "/simple/{p}", "/{p}"]:
        for accept in ("*/*", JSON, "text/html", "application/json"):
            hidden, unknown = (
                shape(world.get(url(pattern, name), user, "*", Accept=accept), name) for name in ("hidden", "unknown")
            )
            assert hidden == unknown, pattern


def test_48_what_depends_on_the_caller_is_private(private, public):
    for path in [*(url(pattern, "demo") for pattern in READS), "/simple/"]:
        answer = private.get(path, "reader", 200)
        assert answer.headers["Cache-Control"].startswith("private")
    for path in ("/simple/demo/", "/simple/"):
        assert "Authorization" in public.get(path, None, 200).headers["Vary"]


def test_48_one_callers_list_is_never_anothers(private):
    seen = {
        user: [project["name"] for project in private.get("/simple/", user, 200, Accept=JSON).json["projects"]]
        for user in ("admin", "outsider", None, "reader", "admin")
    }
    assert seen == {"admin": ["demo", "hidden"], "outsider": [], None: [], "reader": ["demo"]}


def test_T07_the_eleventh_wrong_login_waits(world):
    world.upload(WHEEL)
    for number in range(10):
        world.app.get("/simple/demo/", headers={"Authorization": basic("reader", f"wrong{number}")}, status=401)
    answer = world.app.get("/simple/demo/", headers={"Authorization": basic("reader", "wrong again")}, status=429)
    assert answer.headers["Retry-After"].isdigit()
    assert int(answer.headers["Retry-After"]) > 0
    world.get("/simple/demo/", "writer", 200)
    elsewhere = {"Authorization": basic("reader")}
    world.app.get("/simple/demo/", headers=elsewhere, extra_environ={"REMOTE_ADDR": "198.51.100.7"}, status=200)


def test_T07_credentials_that_were_proved_go_on_working_while_somebody_guesses(world):
    world.upload(WHEEL)
    world.get("/simple/demo/", "reader", 200)
    for number in range(12):
        world.app.get("/simple/demo/", headers={"Authorization": basic("reader", f"wrong{number}")}, status="*")
    world.get("/simple/demo/", "reader", 200)


ODD_PASSWORDS = {
    "one": "x",
    "72": "y" * 72,
    "73": "z" * 73,
    "4096": "w" * 4096,
    "nul": "a\0b",
    "emoji": "\N{GRINNING FACE}" * 30,
    "empty": "",
    "lone": "\xff\xfe",
}


@pytest.mark.parametrize(
    "scheme", ["argon2", "bcrypt", "sha512_crypt", "sha256_crypt", "pbkdf2_sha512", "pbkdf2_sha256"]
)
def test_T08_odd_passwords_are_refused_and_never_an_error_of_the_server(make_world, scheme):
    rounds = {"argon2": 1, "bcrypt": 4, "sha512_crypt": 1000, "sha256_crypt": 1000}.get(scheme, 1000)
    world = make_world({"user.reader": hash_password("reader-pw", scheme, rounds)})
    world.upload(build_sdist("demo", "1.0"), "admin")
    for password in ODD_PASSWORDS.values():
        answer = world.app.get("/simple/demo/", headers={"Authorization": basic("reader", password)}, status=401)
        assert answer.headers["WWW-Authenticate"]
    world.get("/simple/demo/", "reader", 200)
