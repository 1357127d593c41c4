"""T01: every route, every identity, own and other projects, every spelling: what each may do, in one table.

A route that the table does not name fails the test.
"""

from __future__ import annotations

import secrets
from ipaddress import ip_address
from urllib.parse import urljoin

import pytest

from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import JSON, basic

OWN = build_wheel("own-pkg", "1.0")
OTHER = build_wheel("other-pkg", "1.0")
IDENTITIES = ("anonymous", "outsider", "reader", "writer", "admin", "wrong password", "unknown user", "no basic")
SPELLINGS = {
    OWN: ("own-pkg", "Own-Pkg", "own_pkg", "OWN.PKG", "own--pkg", "own-_.pkg"),
    OTHER: ("other-pkg", "Other-Pkg", "other_pkg", "OTHER.PKG", "other--pkg", "other-_.pkg"),
}

# Statuses in the order of IDENTITIES. Redirects, to the normalised spelling and to a project's page, are followed.
ANYONE = (200,) * 8
LOGIN_CHECKED = (200, 200, 200, 200, 200, 401, 401, 401)
READ_OWN = (401, 404, 200, 200, 200, 401, 401, 401)
READ_OTHER = (401, 404, 404, 404, 200, 401, 401, 401)
MISSING = (401, 404, 404, 404, 404, 401, 401, 401)
INDEX_WIDE = (401, 200, 200, 200, 200, 401, 401, 401)
UPLOAD_OWN = (401, 403, 403, 200, 200, 401, 401, 401)
UPLOAD_OTHER = (401, 403, 403, 403, 200, 401, 401, 401)
DELETE_OWN = (401, 403, 403, 200, 200, 401, 401, 401)
DELETE_OTHER = (401, 403, 403, 403, 200, 401, 401, 401)
DELETE_MISSING = (401, 403, 403, 404, 404, 401, 401, 401)
DELETE_OTHER_MISSING = (401, 403, 403, 403, 404, 401, 401, 401)
LISTED = (401, 200, 200, 200, 200, 401, 401, 401)
ADMIN = (401, 403, 403, 403, 200, 401, 401, 401)
ADMIN_CONFLICT = (401, 403, 403, 403, 409, 401, 401, 401)
NO_SUCH_METHOD = (405,) * 8
API = "/api/package/{project:[^/]+}"
API_FILE = API + "/{filename:[^/]+}"
RELEASE = API + "/version/{version:[^/]+}"
FREE = "/admin/package/{project:[^/]+}/free"

# pattern -> method -> (own project's file, other project's file)
TABLE = {
    "/": {"GET": (ANYONE, ANYONE), "POST": (UPLOAD_OWN, UPLOAD_OTHER)},
    "/simple/": {"GET": (LOGIN_CHECKED, LOGIN_CHECKED), "POST": (UPLOAD_OWN, UPLOAD_OTHER)},
    "/simple": {"GET": (LOGIN_CHECKED, LOGIN_CHECKED), "POST": (UPLOAD_OWN, UPLOAD_OTHER)},
    "/pypi/": {"GET": (LOGIN_CHECKED, LOGIN_CHECKED), "POST": (UPLOAD_OWN, UPLOAD_OTHER)},
    "/pypi": {"GET": (LOGIN_CHECKED, LOGIN_CHECKED), "POST": (UPLOAD_OWN, UPLOAD_OTHER)},
    "/legacy/": {"GET": (NO_SUCH_METHOD, NO_SUCH_METHOD), "POST": (UPLOAD_OWN, UPLOAD_OTHER)},
    "/legacy": {"GET": (NO_SUCH_METHOD, NO_SUCH_METHOD), "POST": (UPLOAD_OWN, UPLOAD_OTHER)},
    "/simple/{project:[^/]+}/": {"GET": (READ_OWN, READ_OTHER)},
    "/simple/{project:[^/]+}": {"GET": (READ_OWN, READ_OTHER)},
    "/pypi/{project:[^/]+}/": {"GET": (READ_OWN, READ_OTHER)},
    "/pypi/{project:[^/]+}": {"GET": (READ_OWN, READ_OTHER)},
    "/+simple/{project:[^/]+}/": {"GET": (READ_OWN, READ_OTHER)},
    "/simple/+simple/{project:[^/]+}/": {"GET": (READ_OWN, READ_OTHER)},
    "/pypi/+simple/{project:[^/]+}/": {"GET": (READ_OWN, READ_OTHER)},
    "/legacy/+simple/{project:[^/]+}/": {"GET": (READ_OWN, READ_OTHER)},
    "/simple/{project:[^/]+}/json": {"GET": (READ_OWN, READ_OTHER)},
    "/simple/{project:[^/]+}/json/": {"GET": (READ_OWN, READ_OTHER)},
    "/pypi/{project:[^/]+}/json": {"GET": (READ_OWN, READ_OTHER)},
    "/pypi/{project:[^/]+}/json/": {"GET": (READ_OWN, READ_OTHER)},
    "/{project:[^/]+}/json": {"GET": (READ_OWN, READ_OTHER)},
    "/{project:[^/]+}/json/": {"GET": (READ_OWN, READ_OTHER)},
    "/pypi/{project:[^/]+}/{version:[^/]+}/json": {"GET": (READ_OWN, READ_OTHER)},
    "/pypi/{project:[^/]+}/{version:[^/]+}/json/": {"GET": (READ_OWN, READ_OTHER)},
    "/rss/updates.xml": {"GET": (INDEX_WIDE, INDEX_WIDE)},
    "/rss/packages.xml": {"GET": (INDEX_WIDE, INDEX_WIDE)},
    "/rss/project/{project:[^/]+}/releases.xml": {"GET": (READ_OWN, READ_OTHER)},
    "/stats": {"GET": (INDEX_WIDE, INDEX_WIDE)},
    "/stats/": {"GET": (INDEX_WIDE, INDEX_WIDE)},
    "/project/{project:[^/]+}": {"GET": (READ_OWN, READ_OTHER)},
    "/project/{project:[^/]+}/": {"GET": (READ_OWN, READ_OTHER)},
    "/project/{project:[^/]+}/{version:[^/]+}": {"GET": (READ_OWN, READ_OTHER)},
    "/project/{project:[^/]+}/{version:[^/]+}/": {"GET": (READ_OWN, READ_OTHER)},
    # A form there is a call that cannot be read: a fault, for whoever is not refused.
    "/RPC2": {"POST": (LOGIN_CHECKED, LOGIN_CHECKED)},
    "/{project:[^/]+}/": {"GET": (READ_OWN, READ_OTHER)},
    "/{project:[^/]+}": {"GET": (READ_OWN, READ_OTHER)},
    "/packages/{owner:[^/]+}/{index:[^/]+}/{project:[^/]+}/{digest:[0-9a-f]{16}}/{filename:[^/]+}": {
        "GET": (READ_OWN, READ_OTHER)
    },
    "/packages/{owner:[^/]+}/{index:[^/]+}/{project:[^/]+}/{filename:[^/]+}": {"GET": (READ_OWN, READ_OTHER)},
    "/packages/": {"GET": (LOGIN_CHECKED, LOGIN_CHECKED)},
    "/packages": {"GET": (LOGIN_CHECKED, LOGIN_CHECKED)},
    "/packages/{path:.+}": {"GET": (READ_OWN, READ_OTHER)},
    "/api/package/": {"GET": (LOGIN_CHECKED, LOGIN_CHECKED)},
    "/api/package": {"GET": (LOGIN_CHECKED, LOGIN_CHECKED)},
    # pypicloud's empty list for what is unknown is that for what is hidden too
    f"{API}/": {"GET": (LISTED, LISTED), "DELETE": (DELETE_OWN, DELETE_OTHER)},
    API: {"GET": (LISTED, LISTED), "DELETE": (DELETE_OWN, DELETE_OTHER)},
    f"{API}/status": {"GET": (READ_OWN, READ_OTHER), "PUT": (ADMIN, ADMIN)},
    RELEASE: {"GET": (READ_OWN, READ_OTHER), "DELETE": (DELETE_OWN, DELETE_OTHER)},
    f"{RELEASE}/yank": {"PUT": (DELETE_OWN, DELETE_OTHER), "DELETE": (DELETE_OWN, DELETE_OTHER)},
    f"{API_FILE}/yank": {"PUT": (DELETE_OWN, DELETE_OTHER), "DELETE": (DELETE_OWN, DELETE_OTHER)},
    API_FILE: {
        "GET": (READ_OWN, READ_OTHER),
        "POST": (UPLOAD_OWN, UPLOAD_OTHER),
        "DELETE": (DELETE_OWN, DELETE_OTHER),
    },
    FREE: {"POST": (ADMIN_CONFLICT, ADMIN_CONFLICT)},
    "/health": {"GET": (ANYONE, ANYONE)},
    "/health/": {"GET": (ANYONE, ANYONE)},
    "/health/live": {"GET": (ANYONE, ANYONE)},
    "/health/ready": {"GET": (ANYONE, ANYONE)},
}
CHANGING = {
    (pattern, method) for pattern, methods in TABLE.items() for method in methods if method in {"PUT", "DELETE"}
}


@pytest.fixture(scope="module")
def world(make_shared_world):
    world = make_shared_world({"package.other-pkg.user.somebody": "rw"})
    world.upload(OWN, "admin")
    world.upload(OTHER, "admin")
    return world


def address(pattern, artifact, spelling, filename=None):
    values = {
        "{project:[^/]+}": spelling,
        "{filename:[^/]+}": filename or artifact.filename,
        "{path:.+}": filename or artifact.filename,
        "{digest:[0-9a-f]{16}}": artifact.sha256[:16],
        "{version:[^/]+}": "1.0",
        "{owner:[^/]+}": "root",
        "{index:[^/]+}": "main",
    }
    for placeholder, value in values.items():
        pattern = pattern.replace(placeholder, value)
    return pattern


def credentials(identity):
    return {
        "anonymous": {},
        "wrong password": {"Authorization": basic("admin", "not the password")},
        "unknown user": {"Authorization": basic("nobody-here", "admin-pw")},
        "no basic": {"Authorization": "Bearer admin"},
    }.get(identity) or (
        {"Authorization": basic(identity)} if identity in {"outsider", "reader", "writer", "admin"} else {}
    )


def ask(world, method, path, identity, artifact):
    """Follow redirects of a GET; each request comes from an address of its own, so that no limit is reached."""
    headers, environ = credentials(identity), {"REMOTE_ADDR": str(ip_address(0x0A000000 + secrets.randbits(24)))}
    if method == "POST" and not path.endswith("/free"):
        fields = {":action": "file_upload", "name": artifact.filename.split("-")[0], "version": "1.0"}
        return world.app.post(
            path,
            fields,
            headers,
            upload_files=[("content", artifact.filename, artifact.data)],
            extra_environ=environ,
            status="*",
        )
    for _ in range(4):
        answer = world.app.request(path, method=method, headers=headers, environ=environ, status="*")
        if answer.status_int not in {301, 302}:
            return answer
        path = urljoin(path, answer.headers["Location"])
    raise AssertionError(f"a loop at {path}")


def test_T01_the_table_names_every_route(world, routes):
    assert sorted(TABLE) == sorted(routes(world))


@pytest.mark.parametrize("pattern", TABLE)
@pytest.mark.parametrize("identity", IDENTITIES)
def test_T01_every_route_for_every_identity_and_spelling(world, pattern, identity):
    place = IDENTITIES.index(identity)
    for method, expected in TABLE[pattern].items():
        if (pattern, method) in CHANGING:
            continue
        for artifact, statuses in zip((OWN, OTHER), expected, strict=True):
            for spelling in SPELLINGS[artifact]:
                path = address(pattern, artifact, spelling)
                sidecars = ("", ".metadata") if pattern.endswith("{filename:[^/]+}") and method == "GET" else ("",)
                for suffix in sidecars:
                    answer = ask(world, method, path + suffix, identity, artifact)
                    assert answer.status_int == statuses[place], (method, path + suffix)
                    if answer.status_int >= 400:
                        assert artifact.sha256 not in answer.text
                        assert artifact.data not in answer.body
                if method == "GET":
                    assert ask(world, "HEAD", path, identity, artifact).status_int == statuses[place]


@pytest.mark.parametrize("pattern", TABLE)
def test_T01_no_other_method_does_anything(world, pattern):
    allowed = set(TABLE[pattern])
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"} - allowed:
        path = address(pattern, OTHER, "other-pkg")
        answer = world.app.request(path, method=method, headers=credentials("admin"), status="*")
        assert answer.status_int == 405
        assert set(answer.headers["Allow"].split(", ")) - {"HEAD"} == allowed - (
            {"GET"} if TABLE[pattern].get("GET") == (NO_SUCH_METHOD, NO_SUCH_METHOD) else set()
        )
    assert {file["filename"] for file in world.project("other-pkg", "admin")["files"]} == {OTHER.filename}


@pytest.mark.parametrize("identity", IDENTITIES)
def test_T01_changing(world, identity):
    """What is done can be done again, and is done to nobody else's project."""
    place = IDENTITIES.index(identity)
    bodies = {f"{API}/status?status=active": (ADMIN, ADMIN)}
    for pattern in (f"{RELEASE}/yank", f"{API_FILE}/yank"):
        bodies[pattern] = TABLE[pattern]["DELETE"]
    for pattern, expected in bodies.items():
        for artifact, statuses in zip((OWN, OTHER), expected, strict=True):
            for spelling in SPELLINGS[artifact]:
                path = address(pattern, artifact, spelling)
                for method in ("PUT",) if "status" in pattern else ("PUT", "DELETE"):
                    assert ask(world, method, path, identity, artifact).status_int == statuses[place], (method, path)
            assert [file["yanked"] for file in pages(world, artifact)] == [False]


@pytest.mark.parametrize("identity", IDENTITIES)
@pytest.mark.parametrize("pattern", [f"{API}/", API, RELEASE])
def test_T01_deleting_a_release_or_a_project(make_world, identity, pattern):
    place = IDENTITIES.index(identity)
    world = make_world({"package.other-pkg.user.somebody": "rw"})
    for artifact, statuses in ((OWN, DELETE_OWN), (OTHER, DELETE_OTHER)):
        world.upload(artifact, "admin")
        assert ask(world, "DELETE", address(pattern, artifact, "nothing"), identity, artifact).status_int in {
            401,
            403,
            404,
        }
        path = address(pattern, artifact, SPELLINGS[artifact][1])
        assert ask(world, "DELETE", path, identity, artifact).status_int == statuses[place], path
        assert bool(pages(world, artifact)) is (statuses[place] != 200)


@pytest.mark.parametrize("identity", IDENTITIES)
def test_T01_deleting(make_world, identity):
    place = IDENTITIES.index(identity)
    world = make_world({"package.other-pkg.user.somebody": "rw"})
    pattern = API_FILE
    for artifact, there, missing in ((OWN, DELETE_OWN, DELETE_MISSING), (OTHER, DELETE_OTHER, DELETE_OTHER_MISSING)):
        for spelling in SPELLINGS[artifact]:
            world.upload(artifact, "admin")
            for filename, statuses in (("absent-1.0.tar.gz", missing), (artifact.filename, there)):
                path = address(pattern, artifact, spelling, filename)
                assert ask(world, "DELETE", path, identity, artifact).status_int == statuses[place], path
            left = {file["filename"] for file in pages(world, artifact)}
            assert left == (set() if there[place] == 200 else {artifact.filename})


def pages(world, artifact):
    name = artifact.filename.split("-")[0].replace("_", "-")
    answer = world.get(f"/simple/{name}/", "admin", "*", Accept=JSON)
    return answer.json["files"] if answer.status_int == 200 else []


@pytest.mark.parametrize("identity", IDENTITIES)
@pytest.mark.parametrize(
    "pattern", [pattern for pattern in TABLE if "{filename" in pattern and "GET" in TABLE[pattern]]
)
def test_T01_a_file_is_reached_through_its_own_project_only(world, pattern, identity):
    place = IDENTITIES.index(identity)
    for theirs, mine in ((OTHER, "own-pkg"), (OWN, "other-pkg"), (OTHER, "nothing")):
        for suffix in ("", ".metadata", ".asc"):
            path = address(pattern, theirs, mine, theirs.filename + suffix)
            answer = ask(world, "GET", path, identity, theirs)
            assert answer.status_int == MISSING[place], path
            assert theirs.sha256 not in answer.text
    if "DELETE" in TABLE[pattern]:
        path = address(pattern, OTHER, "own-pkg")
        assert ask(world, "DELETE", path, identity, OTHER).status_int == DELETE_MISSING[place]
        assert pages(world, OTHER)


@pytest.mark.parametrize("pattern", [pattern for pattern in TABLE if "{owner" in pattern])
def test_T01_a_file_is_reached_through_its_own_index_only(world, pattern):
    for index in ("root/other", "other/main", "main/root", "Root/main", "root/json"):
        path = address(pattern.replace("{owner:[^/]+}/{index:[^/]+}", index), OWN, "own-pkg")
        for identity, status in (("admin", 404), ("reader", 404), ("outsider", 404)):
            assert ask(world, "GET", path, identity, OWN).status_int == status, path
