from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypicloud_lite.kernel.errors import RangeNotSatisfiable
from pypicloud_lite.web.conditional import matches, parse_range

TAG = '"abc,1"'


@pytest.mark.parametrize(
    "header",
    [TAG, f"W/{TAG}", f'"x", {TAG}', f'"x",W/"y",W/{TAG} , "z"', "*", " * ", f"{TAG},", f',"", {TAG}'],
)
def test_09_a_current_etag_matches(header: str) -> None:
    assert matches(header, TAG)
    assert matches(header, f"W/{TAG}")


@pytest.mark.parametrize("header", [None, "", '"abc"', "abc,1", '"ABC,1"', '"abc,1', "W/", '"*"', "*, x", '"abc","1"'])
def test_09_another_etag_does_not_match(header: str | None) -> None:
    assert not matches(header, TAG)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-99", (0, 100)),
        ("bytes=100-", (100, 1000)),
        ("bytes=-100", (900, 1000)),
        ("bytes=0-0", (0, 1)),
        ("bytes=999-999", (999, 1000)),
        ("bytes=999-", (999, 1000)),
        ("bytes=900-5000", (900, 1000)),
        ("bytes=0-" + "9" * 100, (0, 1000)),
        ("bytes=-" + "9" * 100, (0, 1000)),
        ("bytes=-1000", (0, 1000)),
        ("bytes=-10000", (0, 1000)),
        ("bytes=007-008", (7, 9)),
        (" BYTES= 1-2 ", (1, 3)),
    ],
)
def test_33_ranges(header: str, expected: tuple[int, int]) -> None:
    assert parse_range(header, 1000, None, TAG) == expected


@pytest.mark.parametrize(
    "header",
    [
        *(
            None,
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-4",
            "bytes=1--2",
            "bytes=--1",
            "bytes=1",
        ),
        *(
            "items=0-1",
            "bytes 0-1",
            "bytes=0-1,5-6",
            "bytes=0-1,",
            "bytes=1 - 2",
            "bytes=+1-2",
            "bytes=1_0-20",
        ),
        *("bytes=0x1-2", "bytes=1.0-2", "bytes=0-1\n", "bytes=2000-1999", "bytes=\u0661-\u0662"),
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_33_what_is_no_single_range_is_the_whole_file(header: str | None) -> None:
    assert parse_range(header, 1000, None, TAG) is None


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("bytes=1000-", 1000),
        ("bytes=1000-1001", 1000),
        ("bytes=" + "9" * 100 + "-", 1000),
        ("bytes=-0", 1000),
        ("bytes=0-", 0),
        ("bytes=0-0", 0),
        ("bytes=-0", 0),
    ],
)
def test_33_out_of_range(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable, match=f"{size} bytes") as refusal:
        parse_range(header, size, None, TAG)
    assert refusal.value.size == size


def test_33_the_tail_of_an_empty_file_is_the_whole() -> None:
    assert parse_range("bytes=-5", 0, None, TAG) is None


@pytest.mark.parametrize(
    ("if_range", "etag", "expected"),
    [
        (TAG, TAG, (500, 1000)),
        (f" {TAG} ", TAG, (500, 1000)),
        ('"other"', TAG, None),
        (f"W/{TAG}", TAG, None),
        (f"W/{TAG}", f"W/{TAG}", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", TAG, None),
        ("", TAG, None),
        ("*", TAG, None),
    ],
)
def test_38_a_resume_continues_only_the_same_bytes(if_range: str, etag: str, expected: tuple[int, int] | None) -> None:
    assert parse_range("bytes=500-", 1000, if_range, etag) == expected


def test_38_a_resume_of_other_bytes_is_never_416() -> None:
    assert parse_range("bytes=5000-", 1000, '"other"', TAG) is None


DIGITS = st.just("") | st.integers(0, 1 << 60).map(str) | st.integers(0, 20).map(str)
RANGES = st.builds("bytes={}-{}".format, DIGITS, DIGITS) | st.text(max_size=40)
SIZES = st.integers(0, 20) | st.integers(0, 1 << 50)


@given(RANGES, SIZES, st.none() | st.text(max_size=20))
def test_33_f28_any_header_is_a_valid_span_the_whole_or_416(header: str, size: int, if_range: str | None) -> None:
    assert not matches(header, TAG) or header.strip() == "*" or TAG in header
    try:
        span = parse_range(header, size, if_range, TAG)
    except RangeNotSatisfiable:
        span = None
    assert span is None or 0 <= span[0] < span[1] <= size
