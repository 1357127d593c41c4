"""XML-RPC text: whatever comes in is a call or a refusal, and what goes out any client can read."""

from __future__ import annotations

import xmlrpc.client

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypicloud_lite.serve.describe.search import MAX_WORD, MAX_WORDS, Query
from pypicloud_lite.serve.describe.xmlrpc import (
    NOT_OFFERED,
    UNKNOWN_METHOD,
    Refused,
    decode_call,
    encode_fault,
    encode_result,
    not_offered,
)

TAGS = (
    "methodCall",
    "methodName",
    "params",
    "param",
    "value",
    "array",
    "data",
    "struct",
    "member",
    "name",
    "nil",
    "int",
)
TAGS += (
    "string",
    "boolean",
    "double",
    "dateTime.iso8601",
    "base64",
    "fault",
    "methodResponse",
    "i8",
    "x",
    "!DOCTYPE x",
)
PIECES = st.sampled_from(
    [*(f"<{tag}>".encode() for tag in TAGS), *(f"</{tag}>".encode() for tag in TAGS), b"search", b"1", b"&amp;", b"&x;"]
)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def outcome(function, *arguments):
    """What it returns, or the refusal that it raises; anything else fails the test."""
    try:
        return function(*arguments)
    except Refused as refused:
        return refused


@given(st.binary(max_size=300) | st.lists(PIECES, max_size=30).map(b"".join))
def test_any_bytes_are_a_call_or_refused(body):
    found = outcome(decode_call, body)
    assert found.code in {-32700, -32600} if isinstance(found, Refused) else found.method


@given(st.lists(VALUES, max_size=3))
def test_any_call_is_read_and_any_parameters_are_a_query_or_refused(parameters):
    call = decode_call(xmlrpc.client.dumps(tuple(parameters), "search", allow_none=True).encode())
    assert (call.method, len(call.parameters)) == ("search", len(parameters))
    found = outcome(Query.parse, call.parameters)
    assert isinstance(found, Query) or found.code == -32602


@given(st.dictionaries(st.sampled_from(["name", "summary"]), st.lists(TEXT, max_size=MAX_WORDS)), st.booleans())
def test_a_query_keeps_its_words_in_lower_case(fields, every):
    query = Query.parse((fields, "and" if every else "or"))
    assert query.every is every
    assert list(query.summaries) == [word.lower() for word in fields.get("summary", []) if word]
    assert len(query.names) == len([word for word in fields.get("name", []) if word])


@pytest.mark.parametrize("field", ["name", "summary"])
def test_the_limits_of_a_query(field):
    Query.parse(({field: ["a" * MAX_WORD] * MAX_WORDS}, "or"))
    for words in (["a" * (MAX_WORD + 1)], ["a"] * (MAX_WORDS + 1)):
        with pytest.raises(Refused):
            Query.parse(({field: words}, "or"))


@given(st.text())
def test_any_fault_can_be_read(text):
    with pytest.raises(xmlrpc.client.Fault) as raised:
        xmlrpc.client.loads(encode_fault(-1, text))
    assert raised.value.faultCode == -1
    assert "\0" not in raised.value.faultString


@given(st.lists(st.dictionaries(TEXT, TEXT, max_size=3), max_size=3))
def test_any_result_can_be_read(result):
    (value,), _method = xmlrpc.client.loads(encode_result(result))
    normal = [{key.replace("\r", "\n"): text.replace("\r", "\n") for key, text in one.items()} for one in result]
    assert value == normal


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("release_data", NOT_OFFERED),
        ("changelog_last_serial", NOT_OFFERED),
        ("seek", UNKNOWN_METHOD),
        ("\0<", UNKNOWN_METHOD),
    ],
)
def test_a_method_that_is_not_offered(method, code):
    refused = not_offered(method)
    assert refused.code == code
    assert refused.message.isprintable()
