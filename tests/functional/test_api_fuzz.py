"""The REST API by its own document: what fits a call and what does not, sent by schemathesis to every call.

Whatever is sent: no 5xx, a status, type and shape that the document has, a refusal of what does not fit it, no success
without credentials, and nothing changed by a GET.
"""

from __future__ import annotations

import itertools
import re
from contextlib import contextmanager
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.parameters import ParameterLocation

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.databases import counted_statements
from pypicloud_lite.testing.world import basic

SETTINGS = {
    "pypi.auth": "config sql",
    # A fuzzer guesses more, and asks for more accounts, than anybody may.
    **dict.fromkeys(("auth.limit_user", "auth.limit_address", "auth.limit_overall"), "1000000"),
    "auth.signing_key": "s" * 32,
    "auth.scheme": "pbkdf2_sha256",
    "auth.rounds": "1000",
}
METHODS = ("DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
ARTIFACTS = [build_wheel("demo", "1.0"), build_wheel("demo", "2.0"), build_sdist("other", "1.0")]
EMPTIED = build_sdist("emptied", "1.0")
FILES = [artifact.filename for artifact in ARTIFACTS]
# What the furnished world has, and what the document's patterns allow beside it.
KNOWN = {
    "username": ["dora", "robin", "newcomer", "reader", "admin"],
    "group": ["crew", "developers"],
    "project": ["demo", "De_Mo", "other", "emptied", "nothing"],
    "filename": [*FILES, FILES[0] + ".metadata", "demo-9.tar.gz"],
    "version": ["1.0", "1", "2.0", "not a version"],
    "token": [1, 2, 3, 10**18 - 1],
    "name": ["dora", "crew", "developers"],
    "owner": ["dora", "nobody", "Dora"],
    "index": ["dev", "new", "json"],
}
# The generator reads \p{C} and \p{Z} of the document's pattern as fewer signs than they are.
NEW_NAMES = st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters="/:"), min_size=1, max_size=100
).filter(lambda name: name not in {".", ".."})
NAMES_SOMETHING_NEW = {
    "PUT /admin/user/{username}",
    "PUT /api/user/{username}",
    "GET /admin/token/{username}",
    "PUT /admin/group/{group}",
}
NOTED = {"GET /admin/token/{username}", "GET /admin/acl.json.gz"}
TAKING_AWAY = ("/status", "/password", "/register", "/approve", "/free")
# Whether these are taken depends on more than a schema can say; of a file, on the name that the form has for it.
SIGNED = "PUT /acct/tokenRegister"
WORDS = r"[\s,]*(?:(?:read|upload|delete|admin)[\s,]*)*"
AS_TEXT = re.compile(rf"\s*[-+]?[0-9.]+\s*|true|false|yes|no|on|off|[tfyn]|{WORDS}", re.IGNORECASE)
APPROVE = "POST /admin/user/{username}/approve"
FREE = "POST /admin/package/{project}/free"
UPLOAD = "POST /api/package/{project}/{filename}"
# Bases must be there, options go with one kind of index.
PROMOTE = "POST /api/promote"
BY_RULE = {SIGNED, UPLOAD, PROMOTE, "PUT /api/index/{owner}/{index}", "PATCH /api/index/{owner}/{index}"}

schemathesis.openapi.format("ipvanynetwork", st.ip_addresses().map(str))
load_all_checks()


class Api:
    """A world, its document, and the three callers; each request comes from an address of its own."""

    def __init__(self, world):
        self.world = world
        self._addresses = itertools.count(1)
        self.schema = schemathesis.openapi.from_wsgi("/api/openapi.json", self._app)
        self.succeeded = set()
        self.furnish()
        token = self._token("robin", "read", "upload")["token"]
        self.callers = [
            {"Authorization": basic("admin")},
            {},
            {"Authorization": f"Bearer {token}"},
            {"Authorization": basic("dora", "dora-pw")},
        ]

    def _token(self, username, *permissions):
        wanted = {"name": "robot", "permissions": permissions}
        return self.world.send("POST", f"/admin/user/{username}/token", "admin", 201, wanted).json

    def _app(self, environ, start_response):
        environ |= self._address()
        answer = self.world.app.app(environ, start_response)
        try:
            return [b"".join(answer)]
        finally:
            # As servers do; the generator's client leaves files open.
            getattr(answer, "close", lambda: None)()

    def _address(self):
        number = next(self._addresses)
        return {"REMOTE_ADDR": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"}

    @property
    def document(self):
        return self.schema.raw_schema

    def furnish(self):
        """Bring back what the calls before have taken away."""
        for method, path, json in (
            ("PUT", "/admin/user/dora", {"password": "dora-pw"}),
            ("POST", "/admin/user/dora/password", {"password": "dora-pw"}),
            ("PUT", "/admin/user/robin", {}),
            ("PUT", "/admin/group/crew", None),
            ("PUT", "/admin/user/dora/group/crew", None),
            ("PUT", "/admin/package/demo/user/dora/owner", None),
            ("PUT", "/admin/package/de*/group/crew/read", None),
            ("PUT", "/api/package/demo/status", {"status": "active"}),
            ("PUT", "/api/package/other/status", {"status": "active"}),
            ("PUT", "/api/package/emptied/status", {"status": "active"}),
            ("POST", "/admin/register", {"allow": True}),
            ("DELETE", "/admin/user/newcomer", None),
            ("DELETE", "/api/index/dora/new", None),
            ("PUT", "/api/index/dora/dev", {"acl_upload": "admin dora"}),
            ("PATCH", "/api/index/dora/dev", {"volatile": True, "acl_upload": "admin dora", "acl_read": None}),
        ):
            self.world.send(method, path, "admin", "*", json)
        self.world.app.put_json("/api/user/newcomer", {"password": "x"}, extra_environ=self._address())
        for artifact in (*ARTIFACTS, EMPTIED):
            self.world.upload(artifact, "admin", "*")
            self.world.upload(artifact, "admin", "*", path="/dora/dev/")
        self.world.delete("/api/package/emptied/", "admin", "*")
        self.token = self._token("dora", "read")["id"]

    def fitting(self, label):
        """A body that makes this call succeed, where an invented one hardly does."""
        match label:
            case "POST /acct/login":
                return {"username": "dora", "password": "dora-pw"}
            case "POST /api/user/password":
                return {"old_password": "dora-pw", "new_password": "dora-pw"}
            case "POST /api/promote":
                return {"source": "dora/dev", "target": "root/main", "project": "demo"}
            case "PUT /acct/tokenRegister":
                name = f"fresh-{next(self._addresses)}"
                token = self.world.send("GET", f"/admin/token/{name}", "admin").json["token"]
                return {"token": token, "password": "x"}
        return None

    def operations(self):
        return [result.ok() for result in self.schema.get_all_operations()]


@pytest.fixture
def api(make_world):
    return Api(make_world(SETTINGS))


@contextmanager
def unchanged_by(label, method, world):
    """A GET writes nothing but when a token was used last, neither into the database nor into the storage.

    Of two calls the journal has who made them, a line each time.
    """
    with counted_statements(world.services.database) as statements:
        before = stored(world)
        yield
        if method == "GET":
            assert stored(world) == before
            wrote = [sql for sql in statements if not sql.lstrip().upper().startswith("SELECT")]
            wrote = [sql for sql in wrote if not sql.startswith("UPDATE tokens SET last_used_at=")]
            notes = [sql for sql in wrote if label in NOTED and sql.startswith("INSERT INTO journal ")]
            assert len(notes) <= 1
            assert [sql for sql in wrote if sql not in notes] == []


def stored(world):
    return sorted((info.key.value, info.size) for info in world.services.storage.list())


@st.composite
def cases(draw, api, label, invented, mode):
    """What the generator invents, and often what is there in its place."""
    case = draw(invented)
    part = case.meta.components.get(ParameterLocation.PATH)
    if part is not None and part.mode.is_positive:
        put_names(draw, case, label, api.token)
    if mode.is_positive:
        put_body(draw, case, label, api)
    return case


def put_body(draw, case, label, api):
    if label == "PUT /acct/login":
        case.body["username"] = draw(NEW_NAMES)
    if draw(st.booleans()):
        fitting = api.fitting(label)
        if fitting is not None:
            case.body = fitting
    if draw(st.booleans()):
        case.path_parameters.update({FREE: {"project": "emptied"}, APPROVE: {"username": "newcomer"}}.get(label, {}))


def put_names(draw, case, label, token):
    if label in NAMES_SOMETHING_NEW:
        new = {name: quote(draw(NEW_NAMES), safe="") for name in case.path_parameters}
        case.path_parameters.update(new)
        return
    if draw(st.booleans()):
        artifact = draw(st.sampled_from(ARTIFACTS))
        project, version = artifact.filename.split("-")[:2]
        there = {"username": "dora", "token": token, "project": project, "filename": artifact.filename}
        there |= {"version": version.removesuffix(".tar.gz"), "group": "crew", "name": "dora"}
        there |= {"owner": "dora", "index": "new" if label.startswith("PUT") else "dev"}
    else:
        there = {name: draw(st.sampled_from(known)) for name, known in KNOWN.items() if draw(st.integers(0, 3))}
    case.path_parameters.update({name: there[name] for name in there.keys() & case.path_parameters.keys()})


def reads_as_another_type(body):
    """Whether a number, a truth value or words came as text, which is taken as forms have nothing else."""
    values = body.values() if isinstance(body, dict) else ()
    return any(isinstance(value, str) and AS_TEXT.fullmatch(value) for value in values)


def examine(api, operation, mode, examples, *, derandomize):
    """Send so many; how many there were."""
    by_rule = operation.label in BY_RULE
    excluded = [CHECKS.get_one("positive_data_acceptance")] if by_rule else []
    sent = 0

    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=derandomize,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=cases(api, operation.label, operation.as_strategy(generation_mode=mode), mode),
        caller=st.sampled_from([0, 0, 0, 1, 2, 3]),
    )
    def send(case, caller):
        nonlocal sent
        sent += 1
        headers = api.callers[caller]
        with unchanged_by(operation.label, case.method, api.world):
            response = case.call(headers=headers)
        if response.status_code < 300:
            api.succeeded.add(operation.label)
        as_text = [CHECKS.get_one("negative_data_rejection")] if reads_as_another_type(case.body) else []
        case.validate_response(response, headers=headers, excluded_checks=excluded + as_text)

    try:
        send()
    except Unsatisfiable:
        # Nothing can be wrong with a call that takes nothing.
        assert mode.is_negative
        assert not operation.body
    return sent


def examine_all(api, subtests, examples, *, derandomize):
    sent = 0
    for operation in api.operations():
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            with subtests.test(operation.label, mode=mode.value):
                sent += examine(api, operation, mode, examples, derandomize=derandomize)
            if operation.method == "delete" or operation.path.endswith(TAKING_AWAY):
                api.furnish()
    return sent


def test_every_call_does_what_the_document_says(api, subtests):
    assert examine_all(api, subtests, 3, derandomize=True) > 250


@pytest.mark.slow
@pytest.mark.long
def test_every_call_does_what_the_document_says_at_length(api, subtests):
    assert examine_all(api, subtests, 30, derandomize=False) > 3000
    for operation in api.operations():
        if operation.label not in api.succeeded:
            api.furnish()
            examine(api, operation, GenerationMode.POSITIVE, 100, derandomize=False)
    assert {operation.label for operation in api.operations()} - api.succeeded == {UPLOAD}


def test_the_document_is_openapi(api):
    assert api.document["openapi"] == "3.1.0"
    api.schema.validate()
    api.document["paths"]["/api/user"]["get"]["responses"] = ["200"]
    with pytest.raises(Exception, match="200"):
        schemathesis.openapi.from_dict(api.document).validate()


def test_the_document_names_every_route_and_no_other(api, routes):
    documented = {path.rstrip("/") for path in api.document["paths"]}
    mounted = {
        re.sub(r"\{(\w+):[^{}]*\}", r"{\1}", pattern).rstrip("/")
        for pattern in routes(api.world)
        if pattern.startswith(("/api", "/admin", "/acct"))
    }
    assert mounted - {"/api/{asset}"} == documented


def test_what_the_document_does_not_name_is_405(api):
    values = {name: str(known[0]) for name, known in KNOWN.items()}
    values |= {"kind": "user", "right": "read", "role": "reader"}
    for path, described in api.document["paths"].items():
        documented = {method.upper() for method in described}
        for method in METHODS:
            answer = api.world.send(method, path.format(**values), "admin", "*")
            if method in documented:
                assert answer.status_int != 405, (method, path)
            else:
                assert answer.status_int == 405, (method, path)
                assert set(answer.headers["Allow"].split(", ")) - {"HEAD"} == documented, (method, path)
