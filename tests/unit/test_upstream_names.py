"""Lists of all projects, as indexes write them and as nobody should."""

from __future__ import annotations

import contextlib
import json
import random
from itertools import chain, repeat

import pytest

from pypicloud_lite.kernel.errors import UpstreamNonsense, UpstreamTooLarge
from pypicloud_lite.upstream.names import read_names
from pypicloud_lite.upstream.packed import Packer, merged, names_in, unpack
from pypicloud_lite.upstream.port import Freshness, Validator

JSON, HTML = "application/vnd.pypi.simple.v1+json", "text/html; charset=utf-8"


def read(body, kind=JSON, step=None):
    data = body if isinstance(body, bytes) else body.encode()
    pieces = [data] if step is None else (data[at : at + step] for at in range(0, len(data), step))
    return read_names(pieces, kind, Freshness(Validator("x")))


def projects(*entries, **more):
    return json.dumps({"meta": {"api-version": "1.0"}, "projects": list(entries), **more})


def named(*names):
    return projects(*({"name": name} for name in names))


def links(*names):
    return "".join(f'<a href="{name}/">{name}</a>\n' for name in names)


@pytest.mark.parametrize(("kind", "write"), [(JSON, named), (HTML, links)])
def test_names_are_normalised_in_order_and_each_once(kind, write):
    found = read(write("zebra", "Apple_Pie", "apple.pie", "apple--pie", "0", "a" * 128), kind)
    assert list(found.names) == ["0", "a" * 128, "apple-pie", "zebra"]
    assert (found.names.count, found.dropped, found.freshness.validator.etag) == (4, 2, "x")


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize(("kind", "write"), [(JSON, named), (HTML, links)])
def test_it_does_not_matter_in_which_pieces_a_list_comes(kind, write, step):
    names = [f"project-{number}" for number in range(300)]
    assert list(read(write(*names), kind, step).names) == sorted(names)


@pytest.mark.parametrize(
    "bad", ["", "-a", "a-", "<script>", "../etc", "a/b", "a b", "a\n", "x" * 129, "ä", "\u212aelvin", "a\0", "\ud800"]
)
@pytest.mark.parametrize("kind", [JSON, HTML])
def test_what_is_no_name_is_dropped(kind, bad):
    body = named("good", bad) if kind == JSON else links("good") + links(bad).encode("utf-8", "replace").decode()
    found = read(body, kind)
    assert list(found.names) == ["good"]
    assert found.dropped == 1


# JSON


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ('{"projects": []}', []),
        ('\ufeff {"projects" : [ ] , "meta": {"api-version": "1.99"}}\n', []),
        (
            '{"meta":null,"projects":[{"name":"a"},{"name":"b","_last-serial":7},{"x":[{"name":"c"}],"name":"d"}]}',
            ["a", "b", "d"],
        ),
        (r'{"projects":[{"name":"\u0061"},{"name":"x},{"},{"name":"b"}], "more": [{"name": "c"}]}', "ab"),
        ('{"name":"z","projects":[{"name":"a"},7,null,[],"b",{"title":"c"},{"name":["d"]}],"n":1}', "a"),
        ('{"projects":[{"name":"a","more":"]},{}"},{"name":"b"}],"name":{"projects":[{"name":"c"}]}}', "ab"),
    ],
)
@pytest.mark.parametrize("step", [None, 3])
def test_json(body, names, step):
    assert list(read(body, step=step).names) == list(names)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "{}",
        "<html></html>",
        '{"message": "log in"}',
        '{"projects": null}',
        '{"projects": {"name": "a"}}',
        '{"projects": [1, 2, 3]}',
        '{"projects": [{"name": "a"}]',
        '{"projects": [{"name": "a"},]}',
        '{"projects": [{"name": "a"} {"name": "b"}]}',
        '{"projects": [{"name": "a"}]} x',
        '{"projects": [{"name": "a"}]}{"projects": [{"name": "a"}]}',
        '{"projects": [], "projects": []}',
        '{"projects": [{"name": "a"}], "meta": {"api-version": "2.0"}}',
        '{[]: 1, "projects": []}',
        '{"projects": [{"name": "a"}, NaN, infinity]}',
        '{"projects": [{"name": "a"}], "x": ' + "9" * 5000 + "}",
        '{"projects": ' + "[" * 200_000,
        '{"x": ' + '{"x":' * 100_000,
        '{"projects": [{"name": "a"}], "x": "' + "y" * 1_000_000,
        b'{"projects": [{"name": "\xff"}]}',
        b'{"projects": [{"name": "a"}]}\xc3',
        '{"projects": [{"name": "a"}]}'.encode("utf-16"),
    ],
)
@pytest.mark.parametrize("step", [None, 1000])
def test_json_that_lists_no_projects(body, step):
    with pytest.raises(UpstreamNonsense):
        read(body, step=step)


def test_every_cut_of_a_json_list_is_noticed():
    whole = named("a", "b-c", "d") + "\n"
    for end in range(len(whole) - 1):
        with pytest.raises(UpstreamNonsense):
            read(whole[:end])
    assert read(whole).names.count == 3


def test_what_json_says_is_what_the_standard_library_reads():
    chance = random.Random(7)
    for _ in range(300):
        values = [{"name": "a"}, {}, 7, "},{", {"name": "b", "x": "]},{"}, [{"name": "c"}], {"y": {"name": "d"}}, 1.5e3]
        entries = [*chance.choices(values, k=chance.randint(1, 6)), {"name": "z"}]
        text = json.dumps({"a": entries, "projects": entries, "b": 1}, indent=chance.choice([None, 1]))
        found = read(text, step=chance.randint(1, 40))
        expected = {one["name"] for one in entries if isinstance(one, dict) and "name" in one}
        assert set(found.names) == expected
        assert found.dropped == len(entries) - len(expected)


# HTML


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("<a href=demo/>demo</a>", ["demo"]),
        ("<A HREF='/x/simple/demo/' rel=internal>  Demo\n</A >", ["demo"]),
        ("<a title='>' data-x=\"<a href='no/'>no\" href=\"demo\">demo", ["demo"]),
        ("<a href='https://index.example.com/simple/My.Tool/#x?y'>my_tool</a>", ["my-tool"]),
        ("<a href='demo/index.html'>demo</a><a href=index.html>index.html</a>", ["demo"]),
        ("<a href='%64emo/?format=x'>demo</a>", ["demo"]),
        ("<!-- <a href=no/>no</a> --><a href=demo/>demo</a><!--SERIAL 7-->", ["demo"]),
        ("<!--><a href=demo/>demo</a>", ["demo"]),
        ("<a href=demo/>demo</a><!-- <a href=no/>no</a>", ["demo"]),
        ("<script>x = \"<a href='no/'>no</a>\" < 3</SCRIPT ><a href=demo/>demo</a>", ["demo"]),
        ("<style>a</style><a name=top></a><a href='../'>..</a><a href=demo/>demo</a>", ["demo"]),
        ("<p>1 < 2 <3 <a href=demo/>demo</a> < <a href=b/>b</a", ["b", "demo"]),
        ("<a href=demo/><b>demo</b></a><a href=b/>b</a>", ["b"]),
        ("<a href=other/>demo</a><a href=/login>Login here</a><a href=b/>b</a>", ["b"]),
        ("<html><h1>Simple index</h1></html>", []),
        ("<meta name='pypi:repository-version' content='1.3'><a href='/'>back</a><form>", []),
        ("<meta content=1.0 name=pypi:repository-version><a href=demo/>demo</a><form>", ["demo"]),
    ],
)
@pytest.mark.parametrize("step", [None, 3])
def test_html(body, names, step):
    assert list(read(body, HTML, step).names) == names


@pytest.mark.parametrize(
    "body",
    [
        "<form action=/login><input name=user></form>",
        "<form action=/login></form><a href=help/>help</a>",
        "<a href=/index.html>home</a>",
        "<meta name=pypi:repository-version content=2.0><a href=demo/>demo</a>",
        "<meta name=pypi:repository-version content=''><a href=/>demo</a>",
        "<a href=demo/>demo</a>".encode("utf-16"),
    ],
)
def test_html_that_lists_no_projects(body):
    try:
        found = read(body, HTML)
    except UpstreamNonsense:
        return
    # Another encoding has no tags at all: a page without links may be one of an index without projects.
    assert isinstance(body, bytes)
    assert found.names.count == 0


def test_no_type():
    assert list(read(links("demo"), "").names) == ["demo"]
    for body in (b'{"projects": []}', b"demo\n", b""):
        with pytest.raises(UpstreamNonsense):
            read(body, "")


@pytest.mark.parametrize("kind", ["text/plain", "application/vnd.pypi.simple.v2+json", "image/png"])
def test_other_types(kind):
    with pytest.raises(UpstreamNonsense):
        read(links("demo"), kind)


# Time and memory


@pytest.mark.parametrize(
    "unit",
    [
        "<",
        "<a",
        "<a ",
        "<a '",
        '<a "',
        "<a href='x' ",
        "<a '\"<b \"' ",
        "<a href=",
        "<!--",
        "<!-->",
        "<!--x-->",
        "<script>",
        "</script>",
        "<a>",
        "&amp;",
        "'\"",
        "<meta name=x ",
        " ",
        "hrefhref",
        "<a href=x/>x",
        "<a x='\n'<",
    ],
)
@pytest.mark.timeout(100)
def test_hostile_html_ends(unit):
    """Were the time to grow with the square of the length, this would take days."""
    with contextlib.suppress(UpstreamNonsense):
        read_names(repeat((unit * (65536 // len(unit))).encode(), 16), HTML, Freshness())


def test_repeated_names_take_no_room():
    found = read_names(
        chain([b'{"projects":[{"name":"b"}'], repeat(b',{"name":"A"}' * 1000, 200), [b"]}"]), JSON, Freshness()
    )
    assert (list(found.names), found.dropped) == (["a", "b"], 199_999)


def test_names_that_take_too_much_room_are_too_large():
    pieces = (b',{"name":"%064d%064d"}' % (number, number) for number in range(320_000))
    with pytest.raises(UpstreamTooLarge):
        read_names(chain([b'{"projects":[1'], pieces, [b"]}"]), JSON, Freshness())


# What is kept of them


def test_packing():
    names = [f"p{number:06}" for number in range(123_456)]
    shuffled = random.Random(3).sample(names, len(names)) + names[:1000]
    packer = Packer()
    for name in shuffled:
        packer.add(name)
    packed = packer.finish()
    assert list(packed) == list(names_in(packed.to_bytes())) == names
    assert packed.count == len(names)
    assert sum(map(len, packed.blocks)) < 2 * len(names)
    assert max(len(unpack(block)) for block in packed.blocks) <= 4096
    again = Packer()
    for name in names:
        again.add(name)
    assert again.finish() == packed


def test_nothing_to_pack():
    packed = Packer().finish()
    assert (list(packed), packed.blocks, packed.count) == ([], (), 0)
    assert list(names_in(packed.to_bytes())) == []


def test_merging():
    assert list(merged([["a", "c"], [], ["a", "b", "c", "d"]])) == ["a", "b", "c", "d"]
