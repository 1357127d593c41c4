"""Strategies for the bodies of upload requests: forms that are nearly right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from hypothesis import strategies as st

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.fuzzed_archives import Archive, edits, mutated

_BOUNDARY = b"0123456789abcdef"
_GOOD = [build_wheel("acme-widget", "1.0"), build_sdist("acme-widget", "1.0")]
_FIELDS = {
    b":action": ["file_upload", "submit", "verify", "doc_upload", "x", ""],
    b"protocol_version": ["1", "2", "\u0661"],
    b"name": ["acme-widget", "Acme_Widget", "other", "../x", "UNKNOWN", "caf\u00e9"],
    b"version": ["1.0", "1", "v1.0", "2", "latest", "UNKNOWN"],
    b"filetype": ["bdist_wheel", "sdist", "bdist_egg", "exe"],
    b"sha256_digest": [_GOOD[0].sha256, _GOOD[1].sha256, _GOOD[0].sha256.upper(), "0" * 64, "x"],
    b"md5_digest": ["0" * 32],
    b"blake2_256_digest": ["0" * 64, "0" * 128],
    b"classifiers": ["A :: B", "x" * 3000],
    b"description": ["UNKNOWN", "\u0000", "\ud7ff", "text\r\n--0123456789abcdef"],
    b"comment": [""],
}
_DISPOSITIONS = [
    b'form-data; name="%s"',
    b"form-data; name=%s",
    b'form-data; name="%s"; name="x"',
    b'attachment; name="%s"',
    b"%s",
]
_FILENAMES = [
    *(b"acme_widget-1.0-py3-none-any.whl", b"acme_widget-1.0.tar.gz", b"../acme_widget-1.0.tar.gz", b"C:\\acme_widget-1.0.tar.gz"),
    *(b"", b".", b"x", b"caf\xc3\xa9-1.0.tar.gz", b"a\xff-1.0.tar.gz", b"a" * 300 + b"-1.0.tar.gz", b'a\\"b-1.0.tar.gz', b"%2e%2e%2fx"),
]  # fmt: skip
_MORE_HEADERS = [
    b"Content-Type: text/plain",
    b"Content-Transfer-Encoding: base64",
    b"X: " + b"y" * 5000,
    b"no colon",
    b" folded",
    b"\xff: x",
    b"Content-Length: 3",
]
_TYPES = [
    *("multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "b" * 300, "multipart/mixed; boundary=x"),
    *("application/x-www-form-urlencoded", "application/json", "text/xml", "", "multipart/form-data; boundary=\u00ff", ";;;==\"'"),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body; ``length`` is what Content-Length says, None for a chunked one."""

    content_type: str
    data: bytes
    length: int | None


def upload(archive: Archive) -> Body:
    """The form that twine sends for a file."""
    name, data = archive
    fields = [
        (b":action", b"file_upload"),
        (b"protocol_version", b"1"),
        (b"name", b"acme-widget"),
        (b"version", b"1.0"),
    ]
    parts = [_part([b'Content-Disposition: form-data; name="%s"' % key], value) for key, value in fields]
    parts.append(_part([b'Content-Disposition: form-data; name="content"; filename="%s"' % name.encode()], data))
    body = b"".join(parts) + b"--" + _BOUNDARY + b"--\r\n"
    return Body(f"multipart/form-data; boundary={_BOUNDARY.decode()}", body, len(body))


def bodies() -> st.SearchStrategy[Body]:
    """Multipart forms for the most part, some url-encoded ones, some noise."""
    return st.one_of(_multipart(), _multipart(), _multipart(), _multipart(), _urlencoded(), _odd())


def _part(headers: list[bytes], value: bytes) -> bytes:
    return b"\r\n".join([b"--" + _BOUNDARY, *headers, b"", value, b""])


@st.composite
def _text_part(draw: Callable[..., Any]) -> bytes:
    # What comes first is right, and most parts are: whoever is refused at the door sees no more than the door.
    name = draw(st.sampled_from(list(_FIELDS)[: draw(st.sampled_from([4, 4, 4, len(_FIELDS)]))]))
    value = draw(st.sampled_from(_FIELDS[name][: draw(st.sampled_from([1, 1, 1, 10]))])).encode(
        "utf-8", "surrogatepass"
    )
    if draw(st.integers(0, 19)) == 0:
        name, value = draw(st.binary(max_size=6)), draw(st.binary(max_size=40))
    return _part(draw(_headers(name)), value)


@st.composite
def _file_part(draw: Callable[..., Any]) -> bytes:
    good = draw(st.sampled_from(_GOOD))
    filename, data = good.filename.encode(), good.data
    if draw(st.integers(0, 4)) == 0:
        filename = draw(st.sampled_from(_FILENAMES))
    if draw(st.integers(0, 3)) == 0:
        data = mutated(data, draw(edits()))
    headers = draw(_headers(draw(st.sampled_from([b"content"] * 8 + [b"gpg_signature", b"x"]))))
    spellings = [b'; filename="%s"'] * 8 + [b"; filename=%s", b"; filename*=UTF-8''%s"]
    headers[0] += draw(st.sampled_from(spellings)) % filename
    return _part(headers, data)


@st.composite
def _headers(draw: Callable[..., Any], name: bytes) -> list[bytes]:
    if draw(st.integers(0, 11)):
        return [b"Content-Disposition: " + _DISPOSITIONS[0] % name]
    disposition = b"Content-Disposition: " + draw(st.sampled_from(_DISPOSITIONS)) % name
    return [disposition, *draw(st.lists(st.sampled_from(_MORE_HEADERS), max_size=3))]


@st.composite
def _multipart(draw: Callable[..., Any]) -> Body:
    parts = draw(st.lists(_text_part(), max_size=6))
    for _ in range(draw(st.sampled_from([1, 1, 1, 1, 0, 2]))):
        parts.insert(draw(st.integers(0, len(parts))), draw(_file_part()))
    if draw(st.integers(0, 60)) == 0:
        parts *= 300
    end = draw(
        st.sampled_from(
            [b"--" + _BOUNDARY + b"--\r\n"] * 4 + [b"", b"--" + _BOUNDARY, b"--" + _BOUNDARY + b"--epilogue"]
        )
    )
    body = draw(st.sampled_from([b""] * 8 + [b"\r\n", b"\n", b"preamble\r\n"])) + b"".join(parts) + end
    if draw(st.integers(0, 19)) == 0:
        body = body.replace(b"\r\n", b"\n")
    if draw(st.integers(0, 2)) == 0:
        body = mutated(body, draw(edits()))
    return Body(f"multipart/form-data; boundary={_BOUNDARY.decode()}", body, draw(_length(body)))


def _length(body: bytes) -> st.SearchStrategy[int | None]:
    right = len(body)
    return st.sampled_from([right] * 12 + [None] * 4 + [right + 7, max(right - 7, 0), 0, 2**50])


@st.composite
def _urlencoded(draw: Callable[..., Any]) -> Body:
    names = st.sampled_from([name.decode() for name in _FIELDS] + ["content", "gpg_signature", ""])
    body = urlencode(
        draw(st.lists(st.tuples(names, st.text(max_size=10)), max_size=5)), errors="surrogatepass"
    ).encode()
    body = mutated(body, draw(edits())) if draw(st.booleans()) else body * draw(st.sampled_from([1, 1, 1, 1500]))
    return Body("application/x-www-form-urlencoded", body, draw(_length(body)))


@st.composite
def _odd(draw: Callable[..., Any]) -> Body:
    body = draw(st.binary(max_size=200)) if draw(st.booleans()) else upload((_GOOD[0].filename, _GOOD[0].data)).data
    kind = draw(
        st.sampled_from(_TYPES) | st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=80)
    )
    return Body(kind, body, draw(_length(body)))
