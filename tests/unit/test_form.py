from __future__ import annotations

import io
import tracemalloc
from typing import TYPE_CHECKING, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.fields import RequestField
from urllib3.filepost import encode_multipart_formdata

from pypicloud_lite.kernel.digests import Digests, Hasher, digests_of
from pypicloud_lite.kernel.errors import InsufficientStorage, InvalidRequest, PpcError, TooLarge
from pypicloud_lite.publish.form import FormLimits, UploadForm, read_form
from pypicloud_lite.storage.port import CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from pypicloud_lite.storage.port import Spool

MIB = 1024 * 1024
WHEEL = b"PK\x03\x04" + bytes(range(256)) * 40 + b"\r\n--bound\r\n--\r\r\n"
B = "bound"
TYPE = f"multipart/form-data; boundary={B}"
DISTUTILS = "-" * 14 + "SomeWordsOfOldPythons0123456789SomeWordsOfOldPythons"
TEXTS = (
    (":action", "file_upload"),
    ("protocol_version", "1"),
    ("name", "Foo.Bar"),
    ("classifiers", "A :: B"),
    ("classifiers", "C :: D"),
    ("summary", "caf\u00e9"),
)


class HashingSpool:
    """Keeps digests and size, and the bytes when they are few."""

    def __init__(self, room: int = 1 << 40) -> None:
        self._hasher = Hasher()
        self._kept = io.BytesIO()
        self._room = room
        self.closed = 0

    @property
    def size(self) -> int:
        return self._hasher.size

    @property
    def digests(self) -> Digests:
        return self._hasher.digests()

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self._hasher.update(chunk)
        if self.size > self._room:
            raise InsufficientStorage("The storage is full: remove something")
        if self.size <= MIB:
            self._kept.write(chunk)

    def reader(self) -> io.BytesIO:
        return io.BytesIO(self._kept.getvalue())

    def close(self) -> None:
        self.closed += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Spools:
    """A factory that remembers what it made, and for which size."""

    def __init__(self, room: int = 1 << 40) -> None:
        self.made: list[HashingSpool] = []
        self.expected: list[int | None] = []
        self._room = room

    def __call__(self, expected: int | None) -> Spool:
        self.expected.append(expected)
        self.made.append(HashingSpool(self._room))
        return self.made[-1]


class Pieces:
    """A body that arrives in given pieces; never more than was asked for."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""
        self.given = 0

    def read(self, size: int, /) -> bytes:
        if not self._rest:
            self._rest = next(self._pieces, b"")
        piece, self._rest = self._rest[:size], self._rest[size:]
        self.given += len(piece)
        return piece


def read(
    body: bytes,
    content_type: str = TYPE,
    *,
    length: int | None = -1,
    spools: Spools | None = None,
    limits: FormLimits | None = None,
) -> UploadForm:
    return read_form(
        io.BytesIO(body),
        content_type,
        len(body) if length == -1 else length,
        spool_factory=spools or Spools(),
        limits=limits or FormLimits(64 * MIB),
    )


def part(name: str, value: bytes, extra: str = "") -> bytes:
    head = f'--{B}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return head.encode("utf-8", "surrogateescape") + value + b"\r\n"


def file_part(value: bytes = WHEEL.replace(b"bound", b"other"), filename: str = "foo-1.0.tar.gz") -> bytes:
    return part("content", value, f'; filename="{filename}"')


def end(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{B}--\r\n".encode()


def twine_like() -> tuple[bytes, str]:
    fields = [RequestField(name, value.encode()) for name, value in TEXTS]
    fields.append(RequestField("content", WHEEL, filename="foo_bar-1.0-py3-none-any.whl"))
    fields.append(RequestField("gpg_signature", b"SIGNED", filename="foo_bar-1.0-py3-none-any.whl.asc"))
    for field in fields:
        field.make_multipart(content_type="application/octet-stream" if field.data == WHEEL else None)
    return encode_multipart_formdata(fields, boundary="0123456789abcdef")


def file_first() -> tuple[bytes, str]:
    fields = {
        "content": ("foo_bar-1.0-py3-none-any.whl", WHEEL, "application/octet-stream"),
        "gpg_signature": ("a.asc", b"SIGNED", "text/plain"),
    }
    texts = [(name, value.encode()) for name, value in TEXTS]
    return encode_multipart_formdata([*fields.items(), *texts])


def uv_like() -> tuple[bytes, str]:
    boundary = "0123456789abcdef-0123456789abcdef-0123456789abcdef-0123456789abcdef"
    lines = [f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in TEXTS]
    for name, filename in (("gpg_signature", "a.asc"), ("content", "foo_bar-1.0-py3-none-any.whl")):
        lines.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n\r\n')
        lines.append("SIGNED\r\n" if name == "gpg_signature" else "")
    return "".join(lines).encode() + WHEEL + f"\r\n--{boundary}--\r\n".encode(), (
        f"multipart/form-data; boundary={boundary}"
    )


def distutils_like() -> tuple[bytes, str]:
    """Begins with CRLF, the boundary is mostly dashes, and no part has a Content-Type."""
    body = b""
    for name, value in TEXTS:
        body += f'\r\n--{DISTUTILS}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
    for name, filename, data in (
        ("content", "foo_bar-1.0-py3-none-any.whl", WHEEL),
        ("gpg_signature", "foo.asc", b"SIGNED"),
    ):
        head = f'\r\n--{DISTUTILS}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n\r\n'
        body += head.encode() + data
    return body + f"\r\n--{DISTUTILS}--\r\n".encode(), f"multipart/form-data; boundary={DISTUTILS}"


def register_like(description: str) -> tuple[bytes, str]:
    """``setup.py register`` of Python 3.8: bare line feeds, one before the first boundary."""
    texts = ((":action", "submit"), ("name", "foo"), ("license", "UNKNOWN"), ("description", description))
    body = "".join(
        f'\n--{DISTUTILS}\nContent-Disposition: form-data; name="{name}"\n\n{value}' for name, value in texts
    )
    return f"{body}\n--{DISTUTILS}--\n".encode(), f"multipart/form-data; boundary={DISTUTILS}; charset=utf-8"


CLIENTS: list[Callable[[], tuple[bytes, str]]] = [twine_like, file_first, uv_like, distutils_like]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("client", CLIENTS)
def test_50_51_52_uploads_of_each_client(client: Callable[[], tuple[bytes, str]], chunked: bool) -> None:
    body, content_type = client()
    spools = Spools()
    length = None if chunked else len(body)
    with read(body, content_type, length=length, spools=spools) as form:
        assert form.fields["classifiers"] == ("A :: B", "C :: D")
        assert form.one("name") == "Foo.Bar"
        assert form.one("summary") == "caf\u00e9"
        assert form.content is spools.made[0]
        assert form.content_filename == "foo_bar-1.0-py3-none-any.whl"
        assert form.content.digests == digests_of(WHEEL)
        assert form.signature == b"SIGNED"
        assert spools.made[0].closed == 0
    assert spools.made[0].closed == 1
    assert spools.expected == [length]


def test_80_register_with_bare_line_feeds() -> None:
    body, content_type = register_like("two\nlines\r\nand a third")
    for length in (len(body), None):
        form = read(body, content_type, length=length)
        assert form.one(":action") == "submit"
        assert form.one("license") is None
        assert form.one("description") == "two\r\nlines\r\nand a third"
        assert form.content is None
        form.close()


@pytest.mark.parametrize("length", [-1, None])
def test_80_bare_line_feeds_only_in_small_bodies(length: int | None) -> None:
    body, content_type = register_like("x" * 64 * 1024)
    with pytest.raises(InvalidRequest, match="CRLF"):
        read(body, content_type, length=length)


def test_bare_line_feeds_never_alter_a_file() -> None:
    body = end(file_part(b"a\nb")).replace(b"\r\n", b"\n")
    spools = Spools()
    with pytest.raises(InvalidRequest, match="'content' is a file"):
        read(b"\n" + body, spools=spools)
    assert spools.made == []


def test_80_submit_as_urlencoded() -> None:
    body = b"%3Aaction=submit&name=a+b&classifiers=x&classifiers=y%3D%26&empty=&summary=caf%C3%A9&home=%E9&&k"
    form = read(body, "application/x-www-form-urlencoded; charset=utf-8")
    assert form.one(":action") == "submit"
    assert form.one("name") == "a b"
    assert form.all("classifiers") == ("x", "y=&")
    assert form.one("summary") == "caf\u00e9"
    assert form.one("home") == "\u00e9"
    assert form.fields["empty"] == form.fields["k"] == ("",)


def test_unknown_and_empty_values_are_absent() -> None:
    body = end(*(part("platform", value) for value in (b"", b"UNKNOWN", b"any", b"linux")), part("x", b"UNKNOWN"))
    form = read(body)
    assert form.one("platform") == "any"
    assert form.all("platform") == ("any", "linux")
    assert form.fields["platform"] == ("", "UNKNOWN", "any", "linux")
    assert (form.one("x"), form.all("x"), form.one("nothing")) == (None, (), None)


def test_text_that_is_not_utf8_is_latin1() -> None:
    assert read(end(part("author", b"Ren\xe9"))).one("author") == "Ren\u00e9"


def test_epilogue_and_an_empty_form_are_allowed() -> None:
    assert read(end(part("a", b"b")) + b"\r\nthe end").one("a") == "b"
    assert read(end()).fields == {}


@pytest.mark.parametrize(
    ("body", "content_type", "rule"),
    [
        (end(part("a", b"b")), "multipart/form-data", "boundary"),
        (end(part("a", b"b")), 'multipart/form-data; boundary=""', "boundary"),
        (end(part("a", b"b")), f"multipart/form-data; boundary={'b' * 201}", "boundary"),
        (end(part("a", b"b")), 'multipart/form-data; boundary="b\u00e9"', "boundary"),
        (end(part("a", b"b")), "multipart/form-data; boundary=other", "boundary"),
        (end(part("a", b"b")), "", "multipart/form-data"),
        (end(part("a", b"b")), "application/json", "application/json"),
        (end(part("a", b"b")), "multipart/mixed; boundary=bound", "multipart/mixed"),
        (end(part("a", b"b")), TYPE + "; x=" + "y" * 1024, "Content-Type"),
        (b"", TYPE, "Content-Length"),
        (b"preamble\r\n" + end(part("a", b"b")), TYPE, "does not begin"),
        (part("a", b"b"), TYPE, "end of multipart"),
        (end(part("a", b"b"))[:-4], TYPE, "end of multipart"),
        (b"--boundX\r\n\r\n", TYPE, "first boundary"),
        (b"--bound\nA: b\n\n", TYPE, "line break"),
        (b"--bound\r\nA: b\r\n\r\nx\r\n--bound--", TYPE, "Content-Disposition"),
        (b"--bound\r\nno colon\r\n\r\nx\r\n--bound--", TYPE, "header"),
        (b"--bound\r\nX: \xff\r\n\r\nx\r\n--bound--", TYPE, "decode"),
        (b"--bound\r\nContent-Disposition: form-data\r\n\r\nx\r\n--bound--", TYPE, "name"),
        (b"--bound\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nx\r\n--bound--", TYPE, "Content-Length"),
        (end(part("a\x00b", b"x")), TYPE, "field is named"),
        (end(part("a%0D%0Ab", b"x")), TYPE, "field is named"),
        (end(part("content", WHEEL[:20])), TYPE, "came as text"),
        (end(file_part(filename="")), TYPE, "came as text"),
        (b"content=PK", "application/x-www-form-urlencoded", "came as text"),
        (b"=x", "application/x-www-form-urlencoded", "field is named"),
        (b"a=%00", "application/x-www-form-urlencoded", "'a' holds a NUL"),
        (b"a=%ED%B0%80", "application/x-www-form-urlencoded", "'a' holds half of a surrogate"),
        (end(part("summary", b"a\x00b")), TYPE, "'summary' holds a NUL"),
        (end(part("summary", b"a\xed\xa0\x80b")), TYPE, "'summary' holds half of a surrogate"),
    ],
)
def test_f27_f28_malformed_bodies_are_invalid_requests(body: bytes, content_type: str, rule: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read(body, content_type)
    assert rule in refusal.value.message
    assert refusal.value.message.isprintable()


@pytest.mark.parametrize(
    "filename",
    [
        *("../a.whl", "/etc/passwd", "a/b.whl", "..", ".", "C:\\dir\\a.whl", "\\\\host\\a.whl", "a\\b.whl"),
        *("a\x00.whl", "a\tb.whl", "a%0D%0AX: y.whl", "a\x7f.whl", "a\x85.whl", "a\u202eb.whl", 'a\\".whl'),
    ],
)
def test_t27_a_filename_is_never_a_path_and_has_no_control_characters(filename: str) -> None:
    spools = Spools()
    with pytest.raises(InvalidRequest, match="one plain name"):
        read(end(file_part(filename=filename)), spools=spools)
    assert spools.made == []


@pytest.mark.parametrize("again", [file_part(), part("content", b"text")])
def test_a_second_content_is_refused_and_the_first_spool_closed(again: bytes) -> None:
    spools = Spools()
    with pytest.raises(InvalidRequest, match="content"):
        read(end(file_part(), again), spools=spools)
    assert [spool.closed for spool in spools.made] == [1]


def test_a_second_signature_is_refused() -> None:
    signature = part("gpg_signature", b"", '; filename="a.asc"')
    with pytest.raises(InvalidRequest, match="'gpg_signature' came twice"):
        read(end(signature, signature))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_f27_a_truncated_upload_is_refused_and_its_spool_closed(share: float) -> None:
    body = end(part("name", b"foo"), file_part(bytes(3 * MIB)))
    for length in (len(body), None):
        spools = Spools()
        with pytest.raises(InvalidRequest, match=r"ended after|end of multipart"):
            read(body[: int(len(body) * share)], length=length, spools=spools)
        assert [spool.closed for spool in spools.made] == [1]


def test_f27_a_connection_that_breaks_is_an_invalid_request() -> None:
    def pieces() -> Iterator[bytes]:
        yield file_part()
        raise ConnectionResetError

    spools = Spools()
    with pytest.raises(InvalidRequest, match="broke off"):
        read_form(Pieces(pieces()), TYPE, None, spool_factory=spools, limits=FormLimits(MIB))
    assert [spool.closed for spool in spools.made] == [1]


def test_f27_a_full_disk_closes_the_spool() -> None:
    spools = Spools(room=10)
    with pytest.raises(InsufficientStorage):
        read(end(file_part()), spools=spools)
    assert [spool.closed for spool in spools.made] == [1]


def test_f27_content_length_is_checked_before_reading() -> None:
    stream = Pieces(iter([b"x"]))
    for length, refusal in ((2 * MIB, TooLarge), (-5, InvalidRequest)):
        with pytest.raises(refusal):
            read_form(stream, TYPE, length, spool_factory=Spools(), limits=FormLimits(MIB))
    assert stream.given == 0


def test_f27_a_chunked_body_is_cut_off_at_the_limit() -> None:
    stream = Pieces(iter([file_part(bytes(MIB))] * 100))
    spools = Spools()
    with pytest.raises(TooLarge, match=str(MIB)):
        read_form(stream, TYPE, None, spool_factory=spools, limits=FormLimits(MIB))
    assert [spool.closed for spool in spools.made] == [1]
    assert stream.given < 2 * MIB


def test_f27_nothing_is_read_beyond_content_length() -> None:
    body = end(part("a", b"b"))
    stream = Pieces(iter([body + b"GET / HTTP/1.1"]))
    read_form(stream, TYPE, len(body), spool_factory=Spools(), limits=FormLimits(MIB))
    assert stream.given == len(body)


@pytest.mark.parametrize(
    ("body", "read_at_most"),
    [
        (end(*[part("a", b"")] * 1001), CHUNK),
        (end(*[part("a", b"")] * 100_000), CHUNK),
        (b"--bound\r\nX: " + b"a" * MIB, 2 * CHUNK),
        (end(part("a", b"x", "".join(f"\r\nX{n}: {'y' * 4000}" for n in range(3)))), CHUNK),
        (end(part("a", b"x", "".join(f"\r\nX{n}: y" for n in range(9)))), CHUNK),
        (end(*[part("a", b"x", "\r\nX: " + "y" * 4000)] * 200), 3 * CHUNK),
        (end(*[part("a", b"x", "\r\n x" * 2000)] * 500), 3 * CHUNK),
        (end(part("a", b"x")) + bytes(MIB), 3 * CHUNK),
        (end(part("a", bytes(8 * MIB))), 4 * MIB + CHUNK),
        (end(*[part("a", b"x" * MIB)] * 9), 4 * MIB + CHUNK),
        (end(part("gpg_signature", bytes(64 * 1024 + 1), '; filename="a.asc"')), CHUNK),
    ],
)
def test_t31_f27_limits(body: bytes, read_at_most: int) -> None:
    stream = Pieces(iter([body]))
    with pytest.raises(TooLarge):
        read_form(stream, TYPE, len(body), spool_factory=Spools(), limits=FormLimits(64 * MIB))
    assert stream.given <= read_at_most + 20


@pytest.mark.parametrize("body", [b"a=" + b"x" * 2 * MIB, b"&" * 1000])
def test_t31_limits_of_urlencoded_forms(body: bytes) -> None:
    with pytest.raises(TooLarge):
        read(body, "application/x-www-form-urlencoded")


def test_t31_what_just_fits_is_accepted() -> None:
    signature = part("gpg_signature", b"s" * 64 * 1024, '; filename="a.asc"')
    parts = [signature, *[part("a", b"x" * 4096)] * 998, part("b", b"x" * (4 * MIB - 998 * 4096))]
    form = read(end(*parts))
    assert len(form.fields["a"]) == 998
    assert len(form.signature or b"") == 64 * 1024


def test_f28_a_huge_name_in_a_message_is_cut() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read(end(part("\u202e" + "n" * 4000, b"\x00")))
    assert len(refusal.value.message) < 300
    assert refusal.value.message.isascii()


def test_66_memory_stays_flat_for_a_large_file() -> None:
    head, tail = end(part("name", b"foo"), file_part(b"@")).split(b"@")
    block = bytes(range(256)) * 4096

    def pieces() -> Iterator[bytes]:
        yield head
        for _ in range(64):
            yield block
        yield tail

    spools = Spools()
    tracemalloc.start()
    try:
        form = read_form(
            Pieces(pieces()),
            TYPE,
            len(head + tail) + 64 * MIB,
            spool_factory=spools,
            limits=FormLimits(100 * MIB),
        )
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert form.content is not None
    assert form.content.size == 64 * MIB
    assert peak < 8 * MIB


def outcome(body: bytes, sizes: list[int], length: int | None, content_type: str) -> object:
    def pieces() -> Iterator[bytes]:
        start = 0
        for size in sizes:
            yield body[start : start + size]
            start += size
        yield from (body[at : at + 7] for at in range(start, len(body), 7))

    spools = Spools()
    try:
        form = read_form(
            Pieces(pieces()),
            content_type,
            length,
            spool_factory=spools,
            limits=FormLimits(MIB, max_framing_bytes=2000),
        )
    except PpcError as error:
        assert all(spool.closed == 1 for spool in spools.made)
        return type(error), error.message
    content = form.content.digests if form.content else None
    return dict(form.fields), content, form.content_filename, form.signature


@settings(deadline=None)
@given(client=st.sampled_from(CLIENTS), sizes=st.lists(st.integers(1, 400), max_size=60), chunked=st.booleans())
def test_the_way_a_body_is_cut_makes_no_difference(
    client: Callable[[], tuple[bytes, str]], sizes: list[int], chunked: bool
) -> None:
    body, content_type = client()
    length = None if chunked else len(body)
    assert outcome(body, sizes, length, content_type) == outcome(body, [len(body)], len(body), content_type)


FRAGMENTS = [
    b"--bound",
    b"--bound--",
    b"\r\n",
    b"\n",
    b"\r",
    b"Content-Disposition: form-data",
    b'; name="content"',
]
FRAGMENTS += [
    b'; name="a"',
    b'; filename="b"',
    b"; filename=",
    b": ",
    b"\x00",
    b"\xed\xa0\x80",
    b"\xff",
    b" x",
    b"&=%",
]
FRAGMENTS += [part("a", b"b"), file_part(), b"Content-Length: 3\r\n", b'"', b"\\"]
BODIES = st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(FRAGMENTS), max_size=30).map(b"".join))
TYPES = st.sampled_from([TYPE, 'multipart/form-data; boundary="', "application/x-www-form-urlencoded"])


@settings(deadline=None)
@given(body=BODIES, content_type=st.one_of(TYPES, st.text(max_size=60)), length=st.none() | st.integers(-1, 400))
def test_f27_f28_any_body_is_read_or_refused(body: bytes, content_type: str, length: int | None) -> None:
    for start in (b"", b"--bound\r\n", b"\n--bound\n"):
        sent = start + body
        outcome(sent, [], length, content_type)
        outcome(sent, [], len(sent), content_type)
