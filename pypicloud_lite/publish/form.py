"""An upload's form, read in one pass: the file into a spool, the rest into a little memory.

What breaks a rule is refused while it arrives, and the spool is closed then; the unread rest of the body is
the caller's to drain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType, TracebackType
from typing import Literal, Protocol, Self
from urllib.parse import unquote_to_bytes

from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from pypicloud_lite.kernel.errors import InvalidRequest, TooLarge
from pypicloud_lite.kernel.names import shown
from pypicloud_lite.storage.port import CHUNK, Spool

_CONTENT = "content"
_SIGNATURE = "gpg_signature"
_ABSENT = frozenset({"", "UNKNOWN"})
_BOUNDARY = re.compile(r"[\x20-\x7e]{0,199}[\x21-\x7e]", re.ASCII)
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_MAX_CONTENT_TYPE = 1024
_MAX_HEADERS = 8
_BARE_LF_BYTES = 64 * 1024
_NOT_A_FILE = (
    "Form field 'content' came as text: send the distribution as a file part of multipart/form-data, with a filename"
)

SpoolFactory = Callable[[int | None], Spool]


class Readable(Protocol):
    """The body of a request."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; ``b""`` at the end."""


@dataclass(frozen=True, slots=True)
class FormLimits:
    """What one form may cost, in bytes and parts; beyond it is :class:`TooLarge`.

    ``max_bytes`` is for the whole body. ``max_header_bytes`` is for the headers of one part;
    ``max_framing_bytes`` for all headers and boundaries together, which bounds the time that parsing takes.
    """

    max_bytes: int
    max_parts: int = 1000
    max_header_bytes: int = 8 * 1024
    max_framing_bytes: int = 512 * 1024
    max_text_bytes: int = 4 * 1024 * 1024
    max_signature_bytes: int = 64 * 1024
    max_urlencoded_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class UploadForm:
    """What was sent; leaving it as a context manager closes the spool.

    ``fields`` holds every text field as sent, values in their order. ``content_filename`` is one plain name
    without a path, yet not checked to be a distribution's.
    """

    fields: Mapping[str, tuple[str, ...]]
    content: Spool | None = None
    content_filename: str | None = None
    signature: bytes | None = None

    def one(self, name: str) -> str | None:
        """Return the first value that says something: old clients send ``UNKNOWN`` or ``""`` for absent."""
        return next(iter(self.all(name)), None)

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value that says something."""
        return tuple(value for value in self.fields.get(name, ()) if value not in _ABSENT)

    def close(self) -> None:
        """Remove the spool's temporary, unless it was stored."""
        if self.content is not None:
            self.content.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_form(
    stream: Readable,
    content_type: str,
    content_length: int | None,
    *,
    spool_factory: SpoolFactory,
    limits: FormLimits,
) -> UploadForm:
    """Read a form (RFC 7578, or url-encoded without a file) from ``stream``, in constant memory.

    ``content_length`` is None for a chunked body, which is read to its end. ``spool_factory`` is called when
    the file's part begins, with the body's length as the upper bound of the file's. Raises
    :class:`InvalidRequest`, :class:`TooLarge`, and what the spool raises.
    """
    if len(content_type) > _MAX_CONTENT_TYPE:
        raise InvalidRequest(f"The Content-Type header is longer than {_MAX_CONTENT_TYPE} characters")
    media_type, options = parse_options_header(content_type)
    body = _Body(stream, content_length, limits.max_bytes)
    parts = _Parts(spool_factory, content_length, limits)
    if media_type == "application/x-www-form-urlencoded":
        _read_urlencoded(body, parts, limits)
        return parts.form()
    if media_type != "multipart/form-data":
        raise InvalidRequest(f"A form is sent as multipart/form-data, not as {shown(media_type)}")
    boundary = options.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise InvalidRequest(
            "The Content-Type multipart/form-data needs a boundary of 1 to 200 printable ASCII characters"
        )
    try:
        _read_multipart(body, boundary.encode(), parts, limits)
    except BaseException:
        parts.close()
        raise
    return parts.form()


class _Body:
    """The bytes of a request, cut off and refused where its length or the limit says so."""

    def __init__(self, stream: Readable, length: int | None, limit: int) -> None:
        if length is not None and length < 0:
            raise InvalidRequest("Content-Length is a count of bytes: it cannot be negative")
        self.count = 0
        self.length = length
        self._stream = stream
        self._limit = limit
        self._check(length or 0)

    def _check(self, count: int) -> None:
        if count > self._limit:
            raise TooLarge(f"The upload is larger than the {self._limit} bytes that this server accepts")

    def read(self, size: int = CHUNK) -> bytes:
        if self.length is not None:
            size = min(size, self.length - self.count)
        if size <= 0:
            return b""
        try:
            piece = self._stream.read(size)
        except OSError as error:
            raise InvalidRequest(
                f"The body broke off after {self.count} bytes: send it again from the start"
            ) from error
        if not piece and self.length is not None:
            raise InvalidRequest(
                f"The body ended after {self.count} of the {self.length} bytes that Content-Length named: "
                "send it again from the start"
            )
        self.count += len(piece)
        self._check(self.count)
        return piece

    def up_to(self, size: int) -> bytes:
        """Exactly ``size`` bytes, or fewer at the end of the body."""
        pieces = []
        while size > 0 and (piece := self.read(size)):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def pieces(self) -> Iterator[bytes]:
        while piece := self.read():
            yield piece


class _Parts:
    """The parts that came so far."""

    def __init__(self, spool_factory: SpoolFactory, expected: int | None, limits: FormLimits) -> None:
        self.payload = 0
        self.rewritten = False
        self._spool_factory = spool_factory
        self._expected = expected
        self._limits = limits
        self._fields: dict[str, list[str]] = {}
        self._text_bytes = 0
        self._content: Spool | None = None
        self._filename: str | None = None
        self._signature: bytes | None = None
        self._name = ""
        self._kind: Literal["content", "signature", "text"] = "text"
        self._memory = bytearray()

    def take(self, event: MultipartSegment | bytes | bytearray | None) -> None:
        """One event of the parser: a part begins, some of its bytes, or (None) its end."""
        if event is None:
            self._end()
        elif isinstance(event, bytes | bytearray):
            self.payload += len(event)
            self._write(event)
        else:
            self._begin(event)

    def _begin(self, segment: MultipartSegment) -> None:
        limit = self._limits.max_header_bytes
        if sum(len(key) + len(value) for key, value in segment.headerlist) > limit:
            raise TooLarge(f"The headers of a form part take more than {limit} bytes")
        name = segment.name
        self._name = name
        self._memory = bytearray()
        if name == _CONTENT:
            self._kind = "content"
            self._begin_content(segment)
        elif name == _SIGNATURE and segment.filename is not None:
            self._kind = "signature"
            self._begin_file(self._signature)
        else:
            self._kind = "text"
            _check_name(name)

    def _begin_content(self, segment: MultipartSegment) -> None:
        if not segment.filename:
            raise InvalidRequest(_NOT_A_FILE)
        self._begin_file(self._content)
        # The parser cuts a Windows path down to its last name; any path is refused, so the header decides.
        header = segment.header("Content-Disposition", "")
        name = segment.filename
        if not name.isprintable() or "/" in name or "\\" in header or name in {".", ".."}:
            raise InvalidRequest(
                f"The filename {shown(name)} of form field 'content' must be one plain name: without '/', "
                "'\\' and control characters"
            )
        self._filename = name
        self._content = self._spool_factory(self._expected)

    def _begin_file(self, earlier: object) -> None:
        if earlier is not None:
            raise InvalidRequest(f"Form field '{self._name}' came twice: send one file per request")
        if self.rewritten:
            raise InvalidRequest(
                f"Form field '{self._name}' is a file in a body with bare line feeds, which cannot carry one "
                "unchanged: end the lines of multipart/form-data with CRLF"
            )

    def _write(self, chunk: bytes | bytearray) -> None:
        if self._kind == "content" and self._content is not None:
            self._content.write(chunk)
            return
        if self._kind == "signature":
            limit, used, what = (
                self._limits.max_signature_bytes,
                len(self._memory),
                f"Form field '{_SIGNATURE}'",
            )
        else:
            limit, used, what = self._limits.max_text_bytes, self._text_bytes, "All text fields together"
            self._text_bytes += len(chunk)
        if used + len(chunk) > limit:
            raise TooLarge(f"{what} may have at most {limit} bytes")
        self._memory += chunk

    def _end(self) -> None:
        if self._kind == "signature":
            self._signature = bytes(self._memory)
        elif self._kind == "text":
            self.add(self._name, bytes(self._memory))

    def add(self, name: str, raw: bytes) -> None:
        """One text field; its value's bytes are counted by the caller."""
        self._fields.setdefault(name, []).append(_text(name, raw))

    def form(self) -> UploadForm:
        fields = MappingProxyType({name: tuple(values) for name, values in self._fields.items()})
        return UploadForm(fields, self._content, self._filename, self._signature)

    def close(self) -> None:
        if self._content is not None:
            self._content.close()


def _read_multipart(body: _Body, boundary: bytes, parts: _Parts, limits: FormLimits) -> None:
    parser = PushMultipartParser(
        boundary,
        max_header_size=limits.max_header_bytes,
        max_header_count=_MAX_HEADERS,
        max_segment_count=limits.max_parts,
    )
    try:
        with parser:
            for piece in chain([_start(body, boundary, parts)], body.pieces()):
                for event in parser.parse(piece):
                    parts.take(event)
                if body.count - parts.payload > limits.max_framing_bytes:
                    raise TooLarge(f"The form's boundaries and headers take more than {limits.max_framing_bytes} bytes")
    except ParserLimitReached as error:
        raise TooLarge(
            f"The form is too large: {error.args[0]} (at most {limits.max_parts} parts, each with at most "
            f"{_MAX_HEADERS} headers of {limits.max_header_bytes} bytes)"
        ) from error
    except MultipartError as error:
        raise InvalidRequest(f"The body is not valid multipart/form-data: {error.args[0]}") from error


def _start(body: _Body, boundary: bytes, parts: _Parts) -> bytes:
    """Read the first bytes of the body, from its first boundary on."""
    start = body.up_to(len(boundary) + 4)
    if not start:
        raise InvalidRequest("The body is empty: send Content-Length and a form as multipart/form-data")
    if start.startswith(b"\n"):
        start = _with_crlf(start, body)
        parts.rewritten = True
    start = start.removeprefix(b"\r\n")
    if not start.startswith(b"--" + boundary):
        raise InvalidRequest(
            "The body is not valid multipart/form-data: it does not begin with the boundary that its Content-Type names"
        )
    return start


def _with_crlf(start: bytes, body: _Body) -> bytes:
    """Read a small body whole and end its lines in CRLF.

    ``setup.py register`` of Python 3.8 begins with a newline and ends lines with bare line feeds.
    """
    if body.length is None or body.length < _BARE_LF_BYTES:
        whole = start + body.up_to(_BARE_LF_BYTES - len(start))
        if len(whole) < _BARE_LF_BYTES:
            return whole.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    raise InvalidRequest(
        "The body is not valid multipart/form-data: it begins with a bare line feed; end its lines with CRLF"
    )


def _read_urlencoded(body: _Body, parts: _Parts, limits: FormLimits) -> None:
    limit = limits.max_urlencoded_bytes
    raw = body.up_to(limit + 1)
    if len(raw) > limit:
        raise TooLarge(f"A url-encoded form may have at most {limit} bytes: send multipart/form-data")
    if raw.count(b"&") >= limits.max_parts:
        raise TooLarge(f"The form has more than {limits.max_parts} fields")
    for pair in filter(None, raw.split(b"&")):
        key, _equals, value = (unquote_to_bytes(half.replace(b"+", b" ")) for half in pair.partition(b"="))
        name = _text("(a name)", key)
        _check_name(name)
        if name == _CONTENT:
            raise InvalidRequest(_NOT_A_FILE)
        parts.add(name, value)


def _check_name(name: str) -> None:
    if not name or not name.isprintable():
        raise InvalidRequest(f"A form field is named {shown(name)}: a name has one or more printable characters")


def _text(name: str, raw: bytes) -> str:
    """Decode a value: UTF-8, or Latin-1 from clients that never heard of it."""
    try:
        value = raw.decode()
    except UnicodeDecodeError:
        if _SURROGATE.search(raw):
            raise InvalidRequest(
                f"Form field {shown(name)} holds half of a surrogate pair: encode text as UTF-8"
            ) from None
        value = raw.decode("latin-1")
    if "\0" in value:
        raise InvalidRequest(f"Form field {shown(name)} holds a NUL character: remove it")
    return value
