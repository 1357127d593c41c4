"""T01: every route below a named index that only its owner may know of, every identity: nobody else is told of it."""

from __future__ import annotations

import secrets
from ipaddress import ip_address
from json import dumps
from typing import Any

import pytest

from pypicloud_lite.devpi.mounting import INDEX_PATTERN
from pypicloud_lite.testing.world import World, basic

from .test_access_matrix import (
    ASSETS,
    IDENTITIES,
    OWN,
    PASSWORDS_HERE,
    PEOPLE,
    RULED,
    TABLE,
    credentials,
    row,
    with_credentials,
)

API = "/api/index/{owner:[^/]+}/{index:[^/]+}"
DEVPI = INDEX_PATTERN
FILE = f"{DEVPI}/+f/{{first:[0-9a-f]{{3}}}}/{{second:[0-9a-f]{{13}}}}/{{filename:[^/]+}}"
PROJECT = "/{project:[^/]+}"
VERSION = "/{version:[^/]+}"
ANYBODY = (200,) * len(IDENTITIES)

# In the order of IDENTITIES, as in the other table; the tokens are the writer's but the last two, which are the admin's.
READ = row(401, 404, 404, 404, 200, owner=200, tokens=(404, 404, 404, 404, 200, 200))
TEST = row(401, 404, 404, 404, 200, owner=200, tokens=(404, 404, 404, 404, 200, 403))
DELETE_MISSING = row(401, 404, 404, 404, 404, owner=404, tokens=(404, 404, 404, 404, 404, 403))
# What is in the configuration is changed there; a token without limits is looked for before the index is.
CHANGE = row(401, 404, 404, 404, 409, owner=409, tokens=(404, 404, 404, 404, 409, 403))
CHANGE_BY_API = row(401, 404, 404, 404, 409, owner=409, tokens=(403, 403, 403, 403, 409, 403), session=404)
REMOVE = row(401, 404, 404, 404, 403, owner=403, tokens=(404, 404, 404, 404, 403, 403))
REMOVE_BY_API = row(401, 404, 404, 404, 403, owner=403, tokens=(403, 403, 403, 403, 403, 403), session=404)
# Nobody makes one below another's name, whether or not it is there.
MAKE = row(401, 403, 403, 403, 409, owner=409, tokens=(403, 403, 403, 403, 409, 403))
LISTED = row(200, 200, 200, 200, 200, owner=200, tokens=(200,) * 6)

UPLOAD: Any = "a file"
RELEASE = {"project": "own-pkg", "version": "1.0", "source": "owner/kept", "target": "root/main"}
PUSHED = {"name": "own-pkg", "version": "1.0", "targetindex": "root/main"}
NAMED: dict[str, dict[str, tuple[tuple[int, ...], Any]]] = {
    DEVPI: {
        "GET": (READ, None),
        "PUT": (MAKE, {}),
        "PATCH": (CHANGE, {"title": "another"}),
        "DELETE": (REMOVE, None),
        "POST": (TEST, UPLOAD),
        "PUSH": (TEST, PUSHED),
    },
    f"{DEVPI}/+api": {"GET": (READ, None)},
    FILE: {"GET": (READ, None), "POST": (TEST, {"any": "result"})},
    # The devpi client sends no login with it; it tells nothing.
    f"{DEVPI}/+simple{PROJECT}/refresh": {"POST": (ANYBODY, None)},
    f"{DEVPI}{PROJECT}": {"GET": (READ, None)},
    f"{DEVPI}{PROJECT}{VERSION}": {"GET": (READ, None)},
    "/api/index": {"GET": (LISTED, None)},
    API: {
        "GET": (READ, None),
        "PUT": (MAKE, {}),
        "PATCH": (CHANGE_BY_API, {"title": "another"}),
        "DELETE": (REMOVE_BY_API, None),
    },
    f"{API}/package": {"GET": (READ, None)},
    f"{API}/package{PROJECT}": {"GET": (READ, None)},
    f"{API}/package{PROJECT}/version{VERSION}": {},
    f"{API}/package{PROJECT}/{{filename:[^/]+}}": {},
    "/api/promote": {"POST": (TEST, RELEASE)},
}
ABSENT = {
    FILE: DELETE_MISSING,
    f"{DEVPI}{PROJECT}": DELETE_MISSING,
    f"{DEVPI}{PROJECT}{VERSION}": DELETE_MISSING,
    f"{API}/package{PROJECT}": DELETE_MISSING,
    f"{API}/package{PROJECT}/version{VERSION}": DELETE_MISSING,
    f"{API}/package{PROJECT}/{{filename:[^/]+}}": DELETE_MISSING,
}
HIDDEN = {**RULED, "index.owner/kept.acl_read": "owner", "index.owner/kept.acl_upload": "owner"}


@pytest.fixture
def hiding(make_world: Any) -> World:
    world = with_credentials(make_world(HIDDEN))
    world.app.lint = False
    assert send(world, "POST", "/owner/kept", "owner", UPLOAD).status_int == 200
    return world


def send(world: World, method: str, path: str, identity: str, sent: Any) -> Any:
    headers = {**credentials(world, identity), "Accept": "application/json"}
    environ = {"REMOTE_ADDR": str(ip_address(0x0A000000 + secrets.randbits(24)))}
    if sent is UPLOAD:
        fields = {":action": "file_upload", "name": "own-pkg", "version": "1.0"}
        files = [("content", OWN.filename, OWN.data)]
        return world.app.post(path, fields, headers, upload_files=files, extra_environ=environ, status="*")
    body = b""
    if sent is not None:
        headers["Content-Type"], body = "application/json", dumps(sent).encode()
    return world.app.request(path, method=method, headers=headers, body=body, environ=environ, status="*")


def address(pattern: str, project: str = "own-pkg", filename: str = OWN.filename) -> str:
    values = {
        DEVPI: "/owner/kept",
        API: "/api/index/owner/kept",
        PROJECT: f"/{project}",
        VERSION: "/1.0",
        "{first:[0-9a-f]{3}}": OWN.sha256[:3],
        "{second:[0-9a-f]{13}}": OWN.sha256[3:16],
        "{filename:[^/]+}": filename,
    }
    for placeholder, value in values.items():
        pattern = pattern.replace(placeholder, value)
    return pattern


def test_T01_the_tables_name_every_route(world: World, routes: Any) -> None:
    there = set(routes(world))
    both = {pattern + end for pattern in [*PEOPLE, *NAMED] for end in ("", "/")} & there
    assert sorted({*TABLE, *both, *PEOPLE, *ASSETS, *NAMED}) == sorted(there)


@pytest.mark.parametrize("pattern", NAMED)
def test_T01_a_hidden_index_for_every_identity(hiding: World, pattern: str) -> None:
    for method, (statuses, sent) in NAMED[pattern].items():
        for identity, status in zip(IDENTITIES, statuses, strict=True):
            answer = send(hiding, method, address(pattern), identity, sent)
            assert answer.status_int == status, (method, identity, answer.text)
            if status in {401, 404}:
                assert "Ask owner, who" not in answer.text


@pytest.mark.parametrize("pattern", ABSENT)
def test_T01_deleting_from_a_hidden_index_for_every_identity(hiding: World, pattern: str) -> None:
    path = address(pattern, "absent", "absent-1.0.tar.gz")
    for identity, status in zip(IDENTITIES, ABSENT[pattern], strict=True):
        answer = send(hiding, "DELETE", path, identity, None)
        assert answer.status_int == status, (identity, answer.text)
    page = hiding.app.get("/owner/kept/+simple/own-pkg/", headers=_owner())
    assert OWN.filename in page.text


@pytest.mark.parametrize("identity", ["outsider", "writer", "upload token", "anonymous"])
def test_T01_a_hidden_index_is_answered_for_as_one_that_is_not_there(hiding: World, identity: str) -> None:
    """Word for word, whoever may not know of it, whatever is wanted of it."""
    calls = [(method, pattern, sent) for pattern, ways in NAMED.items() for method, (_, sent) in ways.items()]
    calls += [("DELETE", pattern, None) for pattern in ABSENT]
    calls += [("GET", f"{DEVPI}/{word}/", None) for word in ("+simple", "simple")]
    for method, pattern, sent in calls:
        path = address(pattern)
        if pattern == "/api/index":
            continue
        told = []
        for index in ("owner/kept", "owner/none"):
            wanted = {**sent, "source": index} if sent is RELEASE else sent
            answer = send(hiding, method, path.replace("owner/kept", index), identity, wanted)
            told.append((answer.status_int, answer.text.replace("owner/none", "owner/kept")))
        if method != "PUT":  # which would say that there is one to who may make it, and to nobody else
            assert told[0] == told[1], (method, path)
    credentials_ = credentials(hiding, identity)
    for accept in ("*/*", "application/vnd.pypi.simple.v1+json"):
        told = [
            (answer.status_int, answer.text.replace(name, "kept"))
            for name in ("kept", "none")
            for answer in [hiding.app.get(f"/owner/{name}/", headers={**credentials_, "Accept": accept}, status="*")]
        ]
        assert told[0] == told[1]
        assert told[0][0] in {401, 404}


def _owner() -> dict[str, str]:
    return {"Authorization": basic("owner", PASSWORDS_HERE["owner"])}
