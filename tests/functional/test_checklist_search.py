"""Line 89 of the interoperability checklist: XML-RPC ``search``, and a fault for whatever else comes as XML."""

from __future__ import annotations

import hashlib
import xmlrpc.client
from datetime import UTC, datetime

import pytest

from pypicloud_lite.catalog.model import FileRecord, ProjectStatus
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.digests import Digests
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import ProjectName, StorageKey
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import basic

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ADDRESSES = ["/pypi", "/pypi/", "/RPC2", "/", "/simple/", "/simple"]
SUMMARIES = {
    "web-app": "Serve PAGES, 100% of them",
    "Web.Lib": "Übersicht aller snake_case Seiten",
    "tool": 'it\'s a "tool" <for> pages & more',
    "plain": None,
}


def record(world, name, version):
    filename = f"{name}-{version}.tar.gz"
    sha256 = hashlib.sha256(filename.encode()).hexdigest()
    key = StorageKey(f"root/main/{name}/{sha256[:8]}-0123456789abcdef/{filename}")
    parsed = Filename.parse(filename, ProjectName(name))
    digests = Digests(sha256, sha256, sha256[:32])
    return FileRecord(world.services.index, ProjectName(name), parsed, 100, digests, key, key, WHEN, summary="pages")


def send(world, body, user="reader", path="/pypi", status=200, kind="text/xml", **headers):
    headers = {**({"Authorization": basic(user)} if user else {}), "Content-Type": kind, **headers}
    return world.app.post(path, body, headers=headers, status=status)


def call(world, *parameters, method="search", **options):
    """The result, or the code of the fault."""
    body = xmlrpc.client.dumps(parameters, method).encode()
    return result(send(world, body, **options))


def result(answer):
    assert answer.status_int == 200
    assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    try:
        (value,), method = xmlrpc.client.loads(answer.body)
    except xmlrpc.client.Fault as raised:
        fault = raised
    else:
        assert method is None
        return value
    assert fault.faultString
    assert "\n" not in fault.faultString
    return fault.faultCode


def names(world, *words, operator="or", user="reader", field=None):
    fields = {"name": list(words), "summary": list(words)} if field is None else {field: list(words)}
    return [hit["name"] for hit in call(world, fields, operator, user=user)]


@pytest.fixture(scope="module")
def shared(make_shared_world):
    """Only read."""
    world = make_shared_world({"package.hidden-web.user.somebody": "rw"})
    for name, summary in {**SUMMARIES, "hidden-web": "hidden pages"}.items():
        world.upload(build_wheel(name, "1.0", summary=summary), "admin")
    return world


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("kind", ["text/xml", "application/xml", "Text/XML; charset=utf-8"])
def test_89_a_result_as_pip_reads_it(shared, path, kind):
    found = call(shared, {"name": ["web"], "summary": ["web"]}, "or", path=path, kind=kind)
    assert found == [
        {"name": "web-app", "summary": SUMMARIES["web-app"], "version": "1.0"},
        {"name": "Web.Lib", "summary": SUMMARIES["Web.Lib"], "version": "1.0"},
    ]
    assert call(shared, {"name": ["plain"]}, "or", path=path, kind=kind) == [
        {"name": "plain", "summary": "", "version": "1.0"}
    ]


@pytest.mark.parametrize(
    ("words", "any_of", "each_of"),
    [
        (["WEB"], ["web-app", "Web.Lib"], ["web-app", "Web.Lib"]),
        (["pages"], ["tool", "web-app"], ["tool", "web-app"]),
        (["web", "app"], ["web-app", "Web.Lib"], ["web-app"]),
        (["pages", "more"], ["tool", "web-app"], ["tool"]),
        # each word in one and the same field, as pypicloud has it
        (["web", "pages"], ["tool", "web-app", "Web.Lib"], []),
        (["übersicht"], ["Web.Lib"], ["Web.Lib"]),
        (["ÜBERSICHT ALLER"], ["Web.Lib"], ["Web.Lib"]),
        (["ubersicht"], [], []),
        # names as they are normalised
        (["web_lib"], ["Web.Lib"], ["Web.Lib"]),
        (["Web--Lib"], ["Web.Lib"], ["Web.Lib"]),
        (["nothing-like-it"], [], []),
        ([""], ["plain", "tool", "web-app", "Web.Lib"], ["plain", "tool", "web-app", "Web.Lib"]),
        ([], ["plain", "tool", "web-app", "Web.Lib"], ["plain", "tool", "web-app", "Web.Lib"]),
    ],
)
def test_89_words_in_either_case_by_or_and_by_and(shared, words, any_of, each_of):
    assert names(shared, *words) == any_of
    assert names(shared, *words, operator="and") == each_of


def test_89_and_is_what_no_operator_means(shared):
    assert [hit["name"] for hit in call(shared, {"name": ["web", "app"]})] == ["web-app"]
    assert [hit["name"] for hit in call(shared, {"name": "app"})] == ["web-app"]


def test_89_fields_are_apart_and_unknown_ones_mean_nothing(shared):
    assert names(shared, "pages", field="name") == []
    assert names(shared, "web", field="summary") == []
    assert [hit["name"] for hit in call(shared, {"name": ["tool"], "summary": ["snake"]}, "and")] == ["tool", "Web.Lib"]
    assert [hit["name"] for hit in call(shared, {"name": ["tool"], "author": ["x"], "keywords": 5}, "and")] == ["tool"]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("%", ["web-app"]),
        ("100%", ["web-app"]),
        ("1%", []),
        ("snake_case", ["Web.Lib"]),
        ("snakeXcase", []),
        ("s_ake", []),
        ("!", []),
        ("\\", []),
        ("it's", ["tool"]),
        ("' OR '1'='1", []),
        ("'); DROP TABLE files; --", []),
        ('"tool" <for>', ["tool"]),
        ("pages & more", ["tool"]),
        (":name_0", []),
        ("%(name_0)s", []),
        ("{0}", []),
        ("\U0001f600", []),
        ("é%", []),
    ],
)
def test_89_no_word_is_a_pattern_or_a_statement(shared, word, found):
    assert names(shared, word) == found
    assert names(shared, word, operator="and") == found


@pytest.mark.parametrize(
    ("versions", "yanked", "best"),
    [
        (["1.9", "1.10"], [], "1.10"),
        (["1.0", "2.0rc1"], [], "1.0"),
        (["1.0a1", "1.0b1"], [], "1.0b1"),
        (["1.0", "2.0"], ["2.0"], "1.0"),
        (["1.0", "2.0"], ["1.0", "2.0"], "2.0"),
    ],
)
def test_89_the_best_version_and_its_summary(world, change_file, versions, yanked, best):
    for version in versions:
        world.upload(build_wheel("demo", version, summary=f"this is {version}"))
    for version in yanked:
        change_file(world, build_wheel("demo", version).filename, yanked=True)
    assert call(world, {"name": ["demo"], "summary": []}, "or") == [
        {"name": "demo", "summary": f"this is {best}", "version": best}
    ]
    for version in versions:
        assert names(world, f"this is {version}") == (["demo"] if version == best else [])


def test_47_only_what_the_caller_may_read(shared):
    assert names(shared, "web", "pages", user="outsider") == []
    assert names(shared, "hidden") == []
    assert names(shared, "hidden", user="admin") == ["hidden-web"]


@pytest.mark.parametrize("path", ADDRESSES)
def test_41_a_caller_who_must_log_in_gets_401(shared, path):
    body = xmlrpc.client.dumps(({"name": ["web"]}, "or"), "search").encode()
    answer = send(shared, body, None, path, 401)
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="pypi"'
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    send(shared, body, None, path, 401, Authorization=basic("reader", "wrong"))


def test_where_anyone_may_read_anyone_may_search(make_world):
    world = make_world({"pypi.default_read": "everyone", "package.hidden.user.somebody": "rw"})
    world.upload(build_wheel("demo", "1.0"))
    world.upload(build_wheel("hidden-demo", "1.0"))
    world.upload(build_wheel("hidden", "1.0"), "admin")
    assert names(world, "d", user=None) == ["demo", "hidden-demo"]


def test_26_94_quarantined_and_leaving_projects_are_not_found(world, set_status):
    for name in ("demo-a", "demo-b", "demo-c"):
        world.upload(build_wheel(name, "1.0", summary="a demo"))
    set_status(world, "demo-a", ProjectStatus.QUARANTINED)
    with world.services.catalog.write(Author("tester")) as catalog:
        catalog.begin_removal(catalog.file(world.services.index, build_wheel("demo-b", "1.0").filename))
    assert names(world, "demo", user="admin") == ["demo-c"]


REMOVED = [
    "list_packages",
    "package_releases",
    "release_urls",
    "release_data",
    "changelog_since_serial",
    "package_roles",
]


@pytest.mark.parametrize("path", ADDRESSES)
def test_89_any_other_method_is_a_fault(shared, path):
    for method in REMOVED:
        assert call(shared, "demo", method=method, path=path) == -32500
    for method in ("nothing", "system.listMethods", "system.multicall", "__import__", "search.__class__", "a" * 999):
        assert call(shared, method=method, path=path) == -32601


@pytest.mark.parametrize(
    "parameters",
    [
        (),
        ("web",),
        ("web", "or"),
        ([], "or"),
        (5, "or"),
        ({}, "xor"),
        ({}, "OR"),
        ({}, 1),
        ({}, ["or"]),
        ({}, {}),
        ({}, "or", "more"),
        ({"name": 5}, "or"),
        ({"name": [5]}, "or"),
        ({"name": {"a": "b"}}, "or"),
        ({"summary": [["a"]]}, "or"),
        ({"summary": [True]}, "or"),
        ({"summary": xmlrpc.client.Binary(b"a")}, "or"),
        ({"summary": xmlrpc.client.DateTime("20260102T03:04:05")}, "or"),
        ({"name": ["a"] * 33}, "or"),
        ({"name": ["a" * 513]}, "or"),
    ],
)
def test_89_wrong_parameters_are_a_fault(shared, parameters):
    assert call(shared, *parameters) == -32602


def test_89_as_many_and_as_long_words_as_are_taken(shared):
    assert names(shared, *["web"] * 31, "a" * 512) == ["web-app", "Web.Lib"]
    assert names(shared, *["%_!"] * 32, operator="and") == []


SEARCH = b"<?xml version='1.0'?><methodCall><methodName>search</methodName><params>%s</params></methodCall>"
BOMB = b"".join(
    [
        b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY l0 "lol">',
        *(b'<!ENTITY l%d "%s">' % (number, b"&l%d;" % (number - 1) * 10) for number in range(1, 10)),
        b"]><methodCall><methodName>&l9;</methodName></methodCall>",
    ]
)
EXTERNAL = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    b"<methodCall><methodName>search</methodName><params><param><value>&e;</value></param></params></methodCall>"
)
MALFORMED = [
    *(b"", b" ", b"\xff\xfe", b"not xml", b"<", b"<a>", b"<a/>", b"<methodCall>", b"<methodCall/>", b"\0" * 100),
    *(b"<methodCall></methodCall>", b"<methodCall><methodName>search</methodName>"),
    *(SEARCH % one for one in (b"<param>", b"<param><value><int>x</int></value></param>", b"<value><array></value>")),
    SEARCH % b"<param><value><int>%s</int></value></param>" % (b"9" * 50_000),
    SEARCH % b"<param><value><struct><member><name>a</name></member></struct></value></param>",
    SEARCH % b"<param><value><boolean>7</boolean></value></param>",
    SEARCH % b"<param><value><base64>\xff</base64></value></param>",
    SEARCH % b"<param><value>&#0;</value></param>",
    b"<?xml version='1.0' encoding='no-such'?><methodCall/>",
    b"<?xml version='1.0'?><methodResponse><fault><value><struct/></value></fault></methodResponse>",
    b"<methodResponse><params><param><value>search</value></param></params></methodResponse>",
    *(BOMB, EXTERNAL, BOMB.replace(b"&l9;", b"search"), b"<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x.dtd'><methodCall/>"),
    b"<!DOCTYPE methodCall><methodCall><methodName>search</methodName></methodCall>",
    b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\ndemo\r\n--b--\r\n',
]


@pytest.mark.parametrize("path", ["/pypi", "/RPC2", "/"])
@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_89_malformed_xml_is_a_fault(shared, path, body):
    assert result(send(shared, body, path=path)) in {-32700, -32600}
    assert result(send(shared, body, user=None, path=path)) in {-32700, -32600}


def test_89_deep_nesting_is_a_fault(shared):
    deep = b"<value><array><data>" * 1500 + b"</data></array></value>" * 1500
    assert result(send(shared, SEARCH % (b"<param>" + deep + b"</param>"))) in {-32700, -32600, -32602}


def test_T34_a_call_has_at_most_64_kib(shared):
    call_of = SEARCH % b"<param><value><struct/></value></param><param><value>or</value></param>"
    for size, expected in ((64 * 1024, list), (64 * 1024 + 1, int), (5_000_000, int)):
        found = result(send(shared, call_of.ljust(size)))
        assert type(found) is expected
        assert found == -32600 or expected is list


def test_89_a_post_elsewhere_is_no_html_either(shared):
    body = xmlrpc.client.dumps(({}, "or"), "search").encode()
    answer = send(shared, body, path="/legacy/", status=400)
    assert "/RPC2" in answer.text
    for path in ("/rpc2", "/RPC2/", "/pypi/web-app"):
        answer = send(shared, body, path=path, status="*")
        assert answer.status_int in {404, 405}
        assert answer.headers["Content-Type"].startswith("text/plain")
    shared.get("/RPC2", status=405)


def test_forms_are_still_uploads(world):
    for number, path in enumerate(("/", "/simple/", "/pypi/", "/pypi")):
        world.upload(build_wheel("demo", f"{number}.0"), path=path)
    assert len(world.project("demo")["files"]) == 4


def test_89_one_query_whatever_is_found(world, add_rows, queries):
    counts = []
    for start, stop in ((0, 1), (1, 300)):
        for number in range(start, stop):
            add_rows(world, f"p{number}", [record(world, f"p{number}", version) for version in range(1, 4)])
        with queries(world) as seen:
            assert len(names(world, "p", "pages")) == stop
        counts.append(len(seen))
    assert counts == [1, 1]


def test_what_xml_has_no_place_for_is_left_out_of_results(world, add_rows):
    add_rows(world, "odd", [record(world, "odd", 1)])
    with world.services.database.write() as connection:
        connection.exec_driver_sql("UPDATE files SET summary = 'a' || char(11) || char(27) || 'b ]]> &'")
    assert call(world, {"name": ["odd"]}, "or") == [{"name": "odd", "summary": "ab ]]> &", "version": "1"}]
