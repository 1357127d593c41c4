"""T01, T04: every route, every identity, own and other projects, every spelling: what each may do, in one table.

Tokens are identities of their own, by their scope. A route that the table does not name fails the test.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from json import dumps
from urllib.parse import urljoin

import pytest

from pypicloud_lite.access.model import Scope, ScopeWord
from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.access.tokens import WantedToken
from pypicloud_lite.journal.model import Author
from pypicloud_lite.testing.artifacts import build_wheel, zip_bytes
from pypicloud_lite.testing.world import JSON, PASSWORDS, basic
from pypicloud_lite.web.pages import asset_path

OWN = build_wheel("own-pkg", "1.0")
OTHER = build_wheel("other-pkg", "1.0")
IDENTITIES = (
    *("anonymous", "outsider", "reader", "writer", "admin", "wrong password", "unknown user", "no basic"),
    # Tokens of the writer but the last two, which are the admin's; "elsewhere" may do anything to other-pkg only.
    *("owner", "read token", "upload token", "delete token", "elsewhere token", "admin token", "admin's read token"),
    *("revoked token", "expired token", "session"),
)
TOKENS = {
    "read token": ("writer", Scope(frozenset({ScopeWord.READ}))),
    "upload token": ("writer", Scope(frozenset({ScopeWord.UPLOAD}), index="root/*")),
    "delete token": ("writer", Scope(frozenset({ScopeWord.DELETE}), ("own-*",))),
    "elsewhere token": ("writer", Scope(frozenset({*ScopeWord} - {ScopeWord.ADMIN}), ("other-pkg",))),
    "admin token": ("admin", Scope(frozenset({ScopeWord.ADMIN}))),
    "admin's read token": ("admin", Scope(frozenset({ScopeWord.READ}))),
    "revoked token": ("admin", Scope(frozenset({ScopeWord.ADMIN}))),
    "expired token": ("admin", Scope(frozenset({ScopeWord.ADMIN}))),
}
SPELLINGS = {
    OWN: ("own-pkg", "Own-Pkg", "own_pkg", "OWN.PKG", "own--pkg", "own-_.pkg"),
    OTHER: ("other-pkg", "Other-Pkg", "other_pkg", "OTHER.PKG", "other--pkg", "other-_.pkg"),
}

# Statuses in the order of IDENTITIES. Redirects, to the normalised spelling and to a project's page, are followed.
# The session is the writer's.


def row(*five, owner, tokens, session=None):
    """Those of the first five; who cannot prove anything is 401; then the owner, six tokens, two ended ones, a session."""
    assert (len(five), len(tokens)) == (5, 6)
    return (*five, 401, 401, 401, owner, *tokens, 401, 401, five[3] if session is None else session)


ANYONE = (200,) * len(IDENTITIES)
LOGIN_CHECKED = row(200, 200, 200, 200, 200, owner=200, tokens=(200,) * 6)
READ_OWN = row(401, 404, 200, 200, 200, owner=200, tokens=(200, 404, 404, 404, 200, 200))
READ_OTHER = row(401, 404, 404, 404, 200, owner=404, tokens=(404, 404, 404, 404, 200, 200))
MISSING = row(401, 404, 404, 404, 404, owner=404, tokens=(404,) * 6)
INDEX_WIDE = row(401, 200, 200, 200, 200, owner=200, tokens=(200,) * 6)
UPLOAD_OWN = row(401, 403, 403, 200, 200, owner=200, tokens=(403, 200, 403, 403, 200, 403))
UPLOAD_OTHER = row(401, 403, 403, 403, 200, owner=403, tokens=(403, 403, 403, 403, 200, 403))
DELETE_OWN = row(401, 403, 403, 200, 200, owner=200, tokens=(403, 403, 200, 403, 200, 403))
DELETE_OTHER = row(401, 403, 403, 403, 200, owner=403, tokens=(403, 403, 403, 403, 200, 403))
DELETE_MISSING = row(401, 403, 403, 404, 404, owner=404, tokens=(403, 403, 404, 403, 404, 403))
DELETE_OTHER_MISSING = row(401, 403, 403, 403, 404, owner=403, tokens=(403, 403, 403, 403, 404, 403))
LISTED = row(401, 200, 200, 200, 200, owner=200, tokens=(200,) * 6)
ARCHIVE_OWN = row(401, 403, 403, 403, 200, owner=200, tokens=(403, 403, 403, 403, 200, 403))
LOGIN = row(401, 200, 200, 200, 200, owner=200, tokens=(403, 403, 403, 403, 200, 403))


def administrators(status):
    """For administrators, who get ``status``."""
    return row(401, 403, 403, 403, status, owner=403, tokens=(403, 403, 403, 403, status, 403))


def anybody_known(status):
    """For whoever is not refused for what it sends along."""
    return row(*(status,) * 5, owner=status, tokens=(status,) * 6)


ADMIN = administrators(200)
ADMIN_CONFLICT = administrators(409)
ADMIN_MISSING = administrators(404)
NO_SUCH_METHOD = (405,) * len(IDENTITIES)
API = "/api/package/{project:[^/]+}"
API_FILE = API + "/{filename:[^/]+}"
RELEASE = API + "/version/{version:[^/]+}"
DOCS = "/{owner:[^/]+}/{index:[^/]+}/{project:[^/]+}/{version:[^/]+}/"
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
    "/{owner:[^/]+}/{index:[^/]+}/+simple/": {"GET": (LOGIN_CHECKED, LOGIN_CHECKED)},
    "/{owner:[^/]+}/{index:[^/]+}/+simple": {"GET": (LOGIN_CHECKED, LOGIN_CHECKED)},
    "/{owner:[^/]+}/{index:[^/]+}/simple/": {"GET": (LOGIN_CHECKED, LOGIN_CHECKED)},
    "/{owner:[^/]+}/{index:[^/]+}/+simple/{project:[^/]+}/": {"GET": (READ_OWN, READ_OTHER)},
    "/{owner:[^/]+}/{index:[^/]+}/+simple/{project:[^/]+}": {"GET": (READ_OWN, READ_OTHER)},
    "/{owner:[^/]+}/{index:[^/]+}/simple/{project:[^/]+}/": {"GET": (READ_OWN, READ_OTHER)},
    **{f"{DOCS}{word}{end}": {"GET": (READ_OWN, READ_OTHER)} for word in ("+doc", "+d") for end in ("", "/{path:.*}")},
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
    "/project/{project:[^/]+}/{version:[^/]+}/{filename:[^/]+}": {"GET": (READ_OWN, READ_OTHER)},
    "/project/{project:[^/]+}/{version:[^/]+}/{filename:[^/]+}/": {"GET": (READ_OWN, READ_OTHER)},
    # A form there is a call that cannot be read: a fault, for whoever is not refused.
    "/RPC2": {"POST": (LOGIN_CHECKED, LOGIN_CHECKED)},
    # A user in devpi's way: see USERS.
    "/{project:[^/]+}/": {"GET": (READ_OWN, READ_OTHER), "PUT": (), "PATCH": (), "DELETE": ()},
    "/{project:[^/]+}": {"GET": (READ_OWN, READ_OTHER), "PUT": (), "PATCH": (), "DELETE": ()},
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
    f"{API}/status": {"GET": (READ_OWN, READ_OTHER), "PUT": (ARCHIVE_OWN, ADMIN)},
    f"{API}/downloads": {"GET": (READ_OWN, READ_OTHER)},
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
    (pattern, method)
    for pattern, methods in TABLE.items()
    for method in methods
    if method in {"PUT", "PATCH", "DELETE"}
}

# The rest of the REST API, which is not about one file: method -> (statuses, what is sent). Users are in the file
# here, so that a change which is allowed is a conflict, and nothing changes under the other tests.
USER = "/admin/user/{username:[^/]+}"
GROUP = "/admin/group/{group:[^/]+}"
RULES = "/admin/package/{project:[^/]+}"
ADMIN_READS, ADMIN_CHANGES = (ADMIN, None), (ADMIN_CONFLICT, None)
OWNER_CHANGES = (row(401, 403, 403, 403, 409, owner=409, tokens=(403, 403, 403, 403, 409, 403)), None)
A_PASSWORD = {"password": "x"}
A_TOKEN = {"name": "t", "permissions": ["nothing"]}
A_LOGIN = {"username": "reader", "password": PASSWORDS["reader"]}
# (method, user) -> (statuses, what is sent): JSON is asked for.
USERS = {
    ("GET", "reader"): (row(401, 200, 200, 200, 200, owner=200, tokens=(404, 404, 404, 404, 200, 404)), None),
    ("GET", "nobody"): (row(401, 404, 404, 404, 404, owner=404, tokens=(404,) * 6), None),
    ("PUT", "somebody"): (ADMIN_CONFLICT, A_PASSWORD),
    ("PATCH", "reader"): (row(403, 403, 409, 403, 409, owner=403, tokens=(403, 403, 403, 403, 409, 403)), A_PASSWORD),
    ("PATCH", "nobody"): (row(403, 404, 404, 404, 404, owner=404, tokens=(404,) * 6), A_PASSWORD),
    ("DELETE", "reader"): (row(401, 403, 409, 403, 409, owner=403, tokens=(403, 403, 403, 403, 409, 403)), None),
    ("DELETE", "nobody"): (row(401, 404, 404, 404, 404, owner=404, tokens=(404,) * 6), None),
    ("DELETE", "root"): (row(401, 403, 403, 403, 403, owner=403, tokens=(403,) * 6), None),
}
PEOPLE = {
    "/+api": {"GET": (ANYONE, None)},
    "/{username:[^/]+}/+api": {"GET": (ANYONE, None)},
    "/+status": {"GET": (ANYONE, None)},
    "/+login": {
        "POST": (ANYONE, {"user": "reader", "password": PASSWORDS["reader"]}),
        **{method: ((405,) * len(IDENTITIES), None) for method in ("GET", "PUT", "PATCH", "DELETE")},
    },
    "/api": {"GET": (ANYONE, None)},
    "/api/openapi.json": {"GET": (ANYONE, None)},
    "/acct/login": {"POST": (anybody_known(200), A_LOGIN), "PUT": (anybody_known(403), A_LOGIN)},
    "/acct/logout": {"POST": (anybody_known(200), None)},
    "/acct/tokenRegister": {"PUT": (anybody_known(409), {"token": "x", "password": "x"})},
    "/api/user": {"GET": (INDEX_WIDE, None)},
    "/api/user/password": {
        "POST": (row(401, 403, 403, 403, 403, owner=403, tokens=(403,) * 6), {"old_password": "x", "new_password": "x"})
    },
    "/api/user/{username:[^/]+}": {"PUT": (anybody_known(403), A_PASSWORD)},
    "/api/token": {
        "GET": (LOGIN, None),
        "POST": (row(401, 400, 400, 400, 400, owner=400, tokens=(403, 403, 403, 403, 400, 403)), A_TOKEN),
    },
    "/api/token/{token:[^/]+}": {
        "DELETE": (row(401, 404, 404, 404, 404, owner=404, tokens=(403, 403, 403, 403, 404, 403)), None)
    },
    "/admin/pending_users": {"GET": ADMIN_READS},
    "/admin/user": {"GET": ADMIN_READS},
    USER: {"GET": ADMIN_READS, "PUT": (ADMIN_CONFLICT, A_PASSWORD), "DELETE": ADMIN_CHANGES},
    f"{USER}/approve": {"POST": ADMIN_CHANGES},
    f"{USER}/password": {"POST": (ADMIN_CONFLICT, A_PASSWORD)},
    f"{USER}/admin": {"POST": (ADMIN_CONFLICT, {"admin": True})},
    f"{USER}/group/{{group:[^/]+}}": {"PUT": ADMIN_CHANGES, "DELETE": ADMIN_CHANGES},
    f"{USER}/permissions": {"GET": ADMIN_READS},
    f"{USER}/token": {"GET": ADMIN_READS, "POST": (administrators(400), A_TOKEN)},
    f"{USER}/token/{{token:[^/]+}}": {"DELETE": (ADMIN_MISSING, None)},
    "/admin/group": {"GET": ADMIN_READS},
    GROUP: {"GET": ADMIN_READS, "PUT": ADMIN_CHANGES, "DELETE": ADMIN_CHANGES},
    "/admin/role": {"GET": ADMIN_READS},
    "/admin/role/{role:reader|writer|admin}/{kind:user|group}/{name:[^/]+}": {
        "PUT": ADMIN_CHANGES,
        "DELETE": ADMIN_CHANGES,
    },
    "/admin/package": {"GET": ADMIN_READS},
    RULES: {"GET": (ARCHIVE_OWN, None)},
    f"{RULES}/{{kind:user|group}}/{{name:[^/]+}}/{{right:read|write|owner}}": {
        "PUT": OWNER_CHANGES,
        "DELETE": OWNER_CHANGES,
    },
    "/admin/register": {"GET": ADMIN_READS, "POST": (ADMIN_CONFLICT, {"allow": True})},
    "/admin/token/{username:[^/]+}": {"GET": ADMIN_CHANGES},
    "/admin/rebuild": {"POST": ADMIN_READS},
    "/admin/journal": {"GET": ADMIN_READS},
    "/admin/acl.json.gz": {"GET": ADMIN_READS},
}
ASSETS = {
    "/api/{asset:page.css|page.js}": {"GET": (ANYONE, None)},
    "/static/{version:[0-9a-f]{12}}/{asset:[a-z-]+[.](?:css|js|svg)}": {"GET": (ANYONE, None)},
}
MANAGE = row(302, 403, 403, 403, 200, owner=403, tokens=(403, 403, 403, 403, 200, 403))
CURATE = row(302, 404, 403, 200, 200, owner=200, tokens=(403, 404, 404, 404, 200, 403))
NOTHING_TO_CONFIRM = row(302, 404, 403, 400, 400, owner=400, tokens=(403, 404, 404, 404, 400, 403))
NO_FORM = ((400,) * len(IDENTITIES), None)
NO_SUCH_INDEX = ((404,) * len(IDENTITIES), None)
PAGES = {
    "/search": {"GET": (LOGIN_CHECKED, None)},
    "/indexes": {"GET": (LOGIN_CHECKED, None), "POST": NO_FORM},
    "/indexes/change": {"POST": NO_FORM},
    "/indexes/promote": {"POST": NO_FORM},
    **{f"/indexes/{one}": {"GET": NO_SUCH_INDEX, "POST": NO_FORM} for one in ("release", "remove")},
    "/upload": {"GET": (row(302, 200, 200, 200, 200, owner=200, tokens=(200,) * 6), None)},
    "/login": {"GET": (ANYONE, None), "POST": NO_FORM},
    "/logout": {"POST": NO_FORM},
    # Nobody may ask for an account here.
    "/register": {"GET": ((403,) * len(IDENTITIES), None), "POST": NO_FORM},
    "/account": {"GET": (row(303, 200, 200, 200, 200, owner=200, tokens=(403, 403, 403, 403, 200, 403)), None)},
    "/manage": {"GET": ((302,) * len(IDENTITIES), None)},
    **{f"/manage/{one}": {"GET": (MANAGE, None), "POST": NO_FORM} for one in ("users", "groups", "rules")},
    **{f"/manage/{one}": {"GET": (MANAGE, None)} for one in ("projects", "storage", "journal", "config")},
    "/manage/users/invite": {"POST": NO_FORM},
    "/manage/resync": {"GET": (MANAGE, None), "POST": NO_FORM},
    "/manage/mirror": {"GET": (MANAGE, None), "POST": NO_FORM},
    "/manage/resync/progress": {"GET": (ADMIN, None)},
    "/account/actions": {"GET": (row(303, 200, 200, 200, 200, owner=200, tokens=(403, 403, 403, 403, 200, 403)), None)},
    "/account/sessions/end": {"POST": NO_FORM},
    "/account/sessions/end-others": {"POST": NO_FORM},
    "/manage/projects/{project:[^/]+}": {"GET": (CURATE, None), "POST": NO_FORM},
    "/manage/projects/{project:[^/]+}/confirm": {"GET": (NOTHING_TO_CONFIRM, None), "POST": NO_FORM},
    "/account/token": {"POST": NO_FORM},
    "/account/token/revoke": {"POST": NO_FORM},
    "/account/password": {"POST": NO_FORM},
}
PEOPLE |= PAGES


RULED = {
    # So many wrong logins as this matrix makes are one too many for all addresses together.
    "auth.limit_overall": "1000000",
    "package.other-pkg.user.somebody": "rw",
    # What the defaults give, said for this project, and an owner.
    "package.own-pkg.group.staff": "r",
    "package.own-pkg.group.developers": "rw",
    "package.own-pkg.user.owner": "owner",
    "user.owner": hash_password("owner-pw", "pbkdf2_sha256", 1000),
}
PASSWORDS_HERE = {**PASSWORDS, "owner": "owner-pw"}


@pytest.fixture(scope="module")
def world(make_shared_world):
    world = with_credentials(make_shared_world(RULED))
    world.upload(OWN, "admin")
    world.upload(OTHER, "admin")
    for artifact in (OWN, OTHER):
        documentation = replace(artifact, data=zip_bytes({"index.html": b"pages"}))
        world.upload(documentation, "admin", **{":action": "doc_upload"})
    return world


def with_credentials(world):
    """A token for each of TOKENS, and a session of the writer's."""
    world.credentials = {}
    tokens, author = world.services.tokens, Author("tester")
    for identity, (username, scope) in TOKENS.items():
        past = timedelta(days=-1) if identity == "expired token" else None
        secret, token = tokens.create(WantedToken(username, identity, scope, lifetime=past), author)
        world.credentials[identity] = {"Authorization": basic("__token__", secret)}
        if identity == "revoked token":
            tokens.revoke(username, token.id, author)
    world.credentials["session"] = a_session(world)
    return world


def a_session(world):
    account = world.services.access.lookup("writer")
    cookie, csrf_token = world.services.sessions.start(account, Author("writer"), None)
    return {"Cookie": f"ppc_session={cookie}", "X-CSRF-Token": csrf_token}


def address(pattern, artifact, spelling, filename=None):
    values = {
        "{username:[^/]+}": "reader",
        "{group:[^/]+}": "staff",
        "{name:[^/]+}": "reader",
        "{token:[^/]+}": "12345",
        "{role:reader|writer|admin}": "reader",
        "{kind:user|group}": "user",
        "{right:read|write|owner}": "read",
        "{asset:page.css|page.js}": "page.js",
        "/static/{version:[0-9a-f]{12}}/{asset:[a-z-]+[.](?:css|js|svg)}": f"/{asset_path('page.js')}",
        "{project:[^/]+}": spelling,
        "{filename:[^/]+}": filename or artifact.filename,
        "{path:.*}": "",
        "{path:.+}": filename or artifact.filename,
        "{digest:[0-9a-f]{16}}": artifact.sha256[:16],
        "{version:[^/]+}": "1.0",
        "{owner:[^/]+}": "root",
        "{index:[^/]+}": "main",
    }
    for placeholder, value in values.items():
        pattern = pattern.replace(placeholder, value)
    return pattern


def credentials(world, identity):
    if identity in world.credentials:
        return world.credentials[identity]
    if identity in PASSWORDS_HERE:
        return {"Authorization": basic(identity, PASSWORDS_HERE[identity])}
    return {
        "anonymous": {},
        "wrong password": {"Authorization": basic("admin", "not the password")},
        "unknown user": {"Authorization": basic("nobody-here", "admin-pw")},
        "no basic": {"Authorization": "Digest admin"},
    }[identity]


def ask(world, method, path, identity, artifact):
    """Follow redirects of a GET; each request comes from an address of its own, so that no limit is reached."""
    headers, environ = credentials(world, identity), {"REMOTE_ADDR": str(ip_address(0x0A000000 + secrets.randbits(24)))}
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


@pytest.mark.parametrize("pattern", TABLE)
@pytest.mark.parametrize("identity", IDENTITIES)
def test_T01_every_route_for_every_identity_and_spelling(world, pattern, identity):
    place = IDENTITIES.index(identity)
    for method, expected in TABLE[pattern].items():
        if (pattern, method) in CHANGING:
            continue
        for artifact, statuses in zip((OWN, OTHER), expected, strict=True):
            # an address without a name in it has one spelling
            paths = dict.fromkeys(address(pattern, artifact, spelling) for spelling in SPELLINGS[artifact])
            for number, path in enumerate(paths):
                bytes_there = pattern.endswith("{filename:[^/]+}") and not pattern.startswith("/project/")
                sidecars = ("", ".metadata") if bytes_there and method == "GET" else ("",)
                for suffix in sidecars:
                    answer = ask(world, method, path + suffix, identity, artifact)
                    assert answer.status_int == statuses[place], (method, path + suffix)
                    if answer.status_int >= 400:
                        assert artifact.sha256 not in answer.text
                        assert artifact.data not in answer.body
                if method == "GET" and number == 0:
                    assert ask(world, "HEAD", path, identity, artifact).status_int == statuses[place]


@pytest.mark.parametrize("pattern", TABLE)
def test_T01_no_other_method_does_anything(world, pattern):
    allowed = set(TABLE[pattern])
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"} - allowed:
        path = address(pattern, OTHER, "other-pkg")
        answer = world.app.request(path, method=method, headers=credentials(world, "admin"), status="*")
        assert answer.status_int == 405
        assert set(answer.headers["Allow"].split(", ")) - {"HEAD"} == allowed - (
            {"GET"} if TABLE[pattern].get("GET") == (NO_SUCH_METHOD, NO_SUCH_METHOD) else set()
        )
    assert {file["filename"] for file in world.project("other-pkg", "admin")["files"]} == {OTHER.filename}


@pytest.mark.parametrize("identity", IDENTITIES)
def test_T01_changing(world, identity):
    """What is done can be done again, and is done to nobody else's project."""
    place = IDENTITIES.index(identity)
    bodies = {f"{API}/status?status=active": (ARCHIVE_OWN, ADMIN)}
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
    world = with_credentials(make_world(RULED))
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
    world = with_credentials(make_world(RULED))
    pattern = API_FILE
    for artifact, there, missing in ((OWN, DELETE_OWN, DELETE_MISSING), (OTHER, DELETE_OTHER, DELETE_OTHER_MISSING)):
        for spelling in SPELLINGS[artifact]:
            world.upload(artifact, "admin")
            for filename, statuses in (("absent-1.0.tar.gz", missing), (artifact.filename, there)):
                path = address(pattern, artifact, spelling, filename)
                assert ask(world, "DELETE", path, identity, artifact).status_int == statuses[place], path
            left = {file["filename"] for file in pages(world, artifact)}
            assert left == (set() if there[place] == 200 else {artifact.filename})


@pytest.mark.parametrize("pattern", [*PEOPLE, *ASSETS])
@pytest.mark.parametrize("identity", IDENTITIES)
def test_T01_every_other_call_for_every_identity(world, pattern, identity):
    for method, (statuses, sent) in {**PEOPLE, **ASSETS}[pattern].items():
        for end in ("", "/") if pattern != "/api" else ("/",):
            answer = call(world, method, address(pattern, OWN, "Own.Pkg") + end, identity, sent)
            if end and answer.status_int == 404 and pattern in SINGLE:
                continue
            assert answer.status_int == statuses[IDENTITIES.index(identity)], (method, pattern, answer.text)


@pytest.mark.parametrize("identity", IDENTITIES)
def test_T01_users_in_devpis_way_for_every_identity(world, identity):
    for (method, name), (statuses, sent) in USERS.items():
        headers = {**credentials(world, identity), "Accept": "application/json"}
        body = b"" if sent is None else dumps(sent).encode()
        answer = world.app.request(f"/{name}", method=method, headers=headers, body=body, status="*")
        assert answer.status_int == statuses[IDENTITIES.index(identity)], (method, name, answer.text)


SINGLE = {
    *(f"/manage/{one}" for one in ("users", "groups", "rules", "projects", "storage", "journal", "config")),
    "/manage/users/invite",
    "/manage/resync",
    "/manage/mirror",
    "/manage/resync/progress",
    "/manage/projects/{project:[^/]+}",
    "/manage/projects/{project:[^/]+}/confirm",
    "/search",
    "/upload",
    "/account/actions",
    "/account/sessions/end",
    "/account/sessions/end-others",
    "/account/token",
    "/account/token/revoke",
    "/account/password",
    "/api/openapi.json",
    "/admin/acl.json.gz",
    "/api/token/{token:[^/]+}",
    f"{USER}/token/{{token:[^/]+}}",
    *ASSETS,
}


def call(world, method, path, identity, sent):
    world.app.reset()
    headers = credentials(world, identity)
    if identity == "session":
        # One that ends, ends for this call.
        headers = a_session(world)
    environ = {"REMOTE_ADDR": str(ip_address(0x0A000000 + secrets.randbits(24)))}
    body = b"" if sent is None else dumps(sent).encode()
    if body:
        headers = {**headers, "Content-Type": "application/json"}
    return world.app.request(path, method=method, headers=headers, body=body, environ=environ, status="*")


def test_T01_the_rules_of_another_project_and_of_a_pattern_are_for_administrators(world):
    for spelling in ("other-pkg", "own-*", "*"):
        for identity in IDENTITIES:
            path = f"/admin/package/{spelling}/user/reader/read"
            assert call(world, "PUT", path, identity, None).status_int == ADMIN_CONFLICT[IDENTITIES.index(identity)]


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
