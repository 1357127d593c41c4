from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pypicloud_lite.settings.values import Duration, Size, format_duration, format_size

SIZE: TypeAdapter[int] = TypeAdapter(Size)
DURATION: TypeAdapter[int] = TypeAdapter(Duration)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1024", 1024),
        ("64 MiB", 64 * 2**20),
        ("64MiB", 64 * 2**20),
        ("64mib", 64 * 2**20),
        (" 64 m ", 64 * 2**20),
        ("100MB", 100_000_000),
        ("1.5 GiB", 3 * 2**29),
        ("1.5 kB", 1500),
        ("7 bytes", 7),
        ("2 TiB", 2**41),
    ],
)
def test_sizes(text, size):
    assert SIZE.validate_python(text) == size


@pytest.mark.parametrize("text", ["", "-1", "MiB", "1 XB", "1,5 MB", "1e3", "0.5", "0.3 KiB", "1 MiB/s", "٣", "nan"])
def test_what_is_no_size(text):
    with pytest.raises(ValidationError, match="must be whole bytes"):
        SIZE.validate_python(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60", 60),
        ("60 s", 60),
        ("10 min", 600),
        ("12h", 43200),
        ("1.5 h", 5400),
        ("3 days", 259200),
        ("1 Week", 604800),
    ],
)
def test_durations(text, seconds):
    assert DURATION.validate_python(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "1 m", "10 months", "0.5", "-3 s", "1:30"])
def test_what_is_no_duration(text):
    with pytest.raises(ValidationError, match="must be whole seconds"):
        DURATION.validate_python(text)


@given(st.integers(min_value=0, max_value=2**49))
def test_what_is_written_is_read_back(number):
    assert SIZE.validate_python(format_size(number)) == number
    assert DURATION.validate_python(format_duration(number)) == number


def test_the_written_form_is_the_shortest():
    assert [format_size(size) for size in (0, 1000, 2**20, 3 * 2**30)] == ["0", "1000", "1 MiB", "3 GiB"]
    assert [format_duration(s) for s in (0, 61, 600, 3600, 86400, 172800)] == [
        "0 s",
        "61 s",
        "10 min",
        "1 h",
        "1 day",
        "2 days",
    ]
