from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypicloud_lite.serve.negotiation import Coding, Representation, choose_coding, negotiate

JSON, V1_HTML, HTML = Representation.JSON, Representation.V1_HTML, Representation.HTML
J = "application/vnd.pypi.simple.v1+json"
H = "application/vnd.pypi.simple.v1+html"
LATEST_J = "application/vnd.pypi.simple.latest+json"
LATEST_H = "application/vnd.pypi.simple.latest+html"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (f"{J}, {H}; q=0.1, text/html; q=0.01", JSON),  # pip, pdm, pipenv
        (f"{J}, {H};q=0.2, text/html;q=0.01", JSON),  # uv
        (f"{J}, */*;q=0.1", JSON),  # poetry
        (f"{J},*/*", JSON),
        (J.upper(), JSON),
        (f" {J} ; charset=utf-8", JSON),
    ],
)
def test_01_installers_get_json(accept: str, expected: Representation) -> None:
    assert negotiate(accept, None) is expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/html", HTML),  # pip 21.2 and older
        (H, V1_HTML),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),  # a browser
        (f"{H};q=0.5, text/html;q=0.5", V1_HTML),
        (f"text/html, {J}", JSON),
    ],
)
def test_02_html_by_name(accept: str, expected: Representation) -> None:
    assert negotiate(accept, None) is expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, HTML),
        ("", HTML),
        ("*/*", HTML),
        ("*/*;q=0.1", HTML),
        ("text/*", HTML),
        ("text/*, application/*", HTML),
        ("application/*", V1_HTML),
        (f"application/*, {H};q=0", JSON),
        ("*/*, text/html;q=0", V1_HTML),
        ("*/*, text/*;q=0, application/*;q=0.2", V1_HTML),
        (f"*/*;q=0.5, {J};q=0.2", HTML),
    ],
)
def test_03_wildcards_and_no_header_give_html(accept: str | None, expected: Representation) -> None:
    assert negotiate(accept, None) is expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (LATEST_J, JSON),
        (LATEST_H, V1_HTML),
        (f"{LATEST_J};q=0.1, {LATEST_H};q=0.2", V1_HTML),
        (f"{LATEST_J};q=0, {J}", JSON),
    ],
)
def test_04_latest_is_v1(accept: str, expected: Representation) -> None:
    assert negotiate(accept, None) is expected
    assert ".latest" not in negotiate(accept, None).value


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (f"text/html;q=0.9, {J};q=0.1", HTML),
        (f"{J};q=0.1, text/html;q=0.9", HTML),
        (f"{J};q=0.901, text/html;q=0.9", JSON),
        (f"{J};q=0, text/html;q=0.001", HTML),
        (f"{J} ; Q = 0.2 , {H};q=.3", V1_HTML),
        (f"{J};level=1;q=0.2;ext=q, {H};q=0.1", JSON),
        (f"{J};q=1.000, {H};q=0.999", JSON),
    ],
)
def test_05_q_values_decide(accept: str, expected: Representation) -> None:
    assert negotiate(accept, None) is expected


@pytest.mark.parametrize(
    "accept",
    [
        "image/png",
        "application/json",
        f"{J};q=0",
        f"{J};q=0, */*",
        "text/html;q=0",
        "*/*;q=0",
        "image/*, application/json",
        f"{J}x",
        f"x{J}",
    ],
)
def test_06_what_matches_nothing_is_html_never_json(accept: str) -> None:
    assert negotiate(accept, None) is HTML


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (J, JSON),
        (J.replace("+", " "), JSON),
        (LATEST_J, JSON),
        (H, V1_HTML),
        (LATEST_H, V1_HTML),
        ("text/html", HTML),
    ],
)
def test_07_format_wins_over_accept(value: str, expected: Representation) -> None:
    other = "text/html" if expected is JSON else J
    assert negotiate(other, value) is expected


@pytest.mark.parametrize(
    "value", [None, "", "json", "*/*", f"{J}, text/html", f"{J};q=1", "text/HTML", "text/*", "\x00"]
)
def test_07_an_unknown_format_is_ignored(value: str | None) -> None:
    assert negotiate(J, value) is JSON
    assert negotiate("text/html", value) is HTML


@pytest.mark.parametrize("accept", [",", ";", ";;,,;q", "=", "q=1", f"{J};q=2", f"{J};q=-1", f"{J};q=", f"{J};q=nan"])
def test_f28_malformed_elements_are_passed_over(accept: str) -> None:
    assert negotiate(accept, None) is HTML
    assert negotiate(f"{accept},{J};q=0.5", None) is JSON


def test_f28_an_overlong_header_is_not_read() -> None:
    assert negotiate(f"{J}," + "a/b," * 200, None) is JSON
    assert negotiate(f"{J}," + "a/b," * 1_000_000, None) is HTML
    assert choose_coding("gzip," * 1000) is None


@given(st.text(max_size=80) | st.text("*/;,=q.019 texhml", max_size=80), st.none() | st.text(max_size=20))
def test_f28_no_header_raises(header: str, format_parameter: str | None) -> None:
    assert negotiate(header, format_parameter) in Representation
    assert choose_coding(header) in {None, *Coding}


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        (None, None),
        ("", None),
        ("gzip", Coding.GZIP),
        ("GZIP", Coding.GZIP),
        ("x-gzip", Coding.GZIP),
        ("gzip, deflate", Coding.GZIP),  # pip, poetry
        ("gzip, deflate, br, zstd", Coding.ZSTD),  # a browser
        ("zstd,gzip,deflate", Coding.ZSTD),  # uv
        ("ZSTD", Coding.ZSTD),
        ("identity", None),
        ("identity, gzip;q=0.5", None),
        ("gzip, identity;q=0.5", Coding.GZIP),
        ("gzip;q=0.5, zstd;q=0.4", Coding.GZIP),
        ("gzip;q=0.4, zstd;q=0.5", Coding.ZSTD),
        ("gzip;q=0.5, zstd;q=0.5, identity;q=0.8", None),
        ("gzip;q=0.5, zstd;q=0.8, identity;q=0.7", Coding.ZSTD),
        ("gzip, identity", Coding.GZIP),
        ("gzip;q=0", None),
        ("gzip; q=0.000", None),
        ("zstd;q=0, gzip", Coding.GZIP),
        ("zstd, gzip;q=0", Coding.ZSTD),
        ("zstd;q=0", None),
        ("zstd;q=0, *", Coding.GZIP),
        ("gzip;q=0, *", None),
        ("*", Coding.GZIP),
        ("*;q=0.5, zstd;q=0.5", Coding.ZSTD),
        ("*;q=0.5, identity", None),
        ("*;q=0", None),
        ("*;q=0, gzip", Coding.GZIP),
        ("identity;q=0", None),
        ("br", None),
        ("deflate", None),
        ("gzipped", None),
        ("zstd2", None),
        ("gzip;q=x", None),
        ("gzip;q=x, zstd", Coding.ZSTD),
    ],
)
def test_choose_coding(accept_encoding: str | None, expected: Coding | None) -> None:
    assert choose_coding(accept_encoding) is expected
