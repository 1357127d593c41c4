"""Bodies of answers, unpacked under a limit: what comes out is counted as it comes out."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol

from pypicloud_lite.kernel.errors import UpstreamNonsense, UpstreamTooLarge
from pypicloud_lite.kernel.names import shown

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ACCEPTED = "zstd, gzip"
"""``Accept-Encoding`` for what :func:`unpacked` understands."""

_STEP = 256 * 1024
# What the decoder may be made to allocate before it says a word: browsers' limit too.
_ZSTD_WINDOW_LOG = 23
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class _Decoder(Protocol):
    """Gives at most so many bytes, and keeps what it was not asked for."""

    def step(self, data: bytes) -> bytes: ...

    @property
    def has_more(self) -> bool: ...

    @property
    def at_end(self) -> bool: ...

    @property
    def has_leftovers(self) -> bool: ...


class _Zlib:
    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._full = False

    def step(self, data: bytes) -> bytes:
        piece = self._decoder.decompress(self._decoder.unconsumed_tail + data, _STEP)
        self._full = len(piece) == _STEP
        return piece

    @property
    def has_more(self) -> bool:
        return not self.at_end and (self._full or bool(self._decoder.unconsumed_tail))

    @property
    def at_end(self) -> bool:
        return self._decoder.eof

    @property
    def has_leftovers(self) -> bool:
        return bool(self._decoder.unused_data)


class _Zstd:
    def __init__(self) -> None:
        self._decoder = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})

    def step(self, data: bytes) -> bytes:
        return self._decoder.decompress(data, _STEP)

    @property
    def has_more(self) -> bool:
        return not self.at_end and not self._decoder.needs_input

    @property
    def at_end(self) -> bool:
        return self._decoder.eof

    @property
    def has_leftovers(self) -> bool:
        return bool(self._decoder.unused_data)


_DECODERS: dict[str, type[_Zlib | _Zstd]] = {"gzip": _Zlib, "x-gzip": _Zlib, "deflate": _Zlib, "zstd": _Zstd}


def whole(chunks: Iterable[bytes], encoding: str, limit: int) -> bytes:
    """Everything, unpacked; ``UpstreamTooLarge`` beyond ``limit`` bytes, as it comes or unpacked."""
    body = bytearray()
    for piece in bounded(chunks, encoding, limit):
        body += piece
    return bytes(body)


def bounded(chunks: Iterable[bytes], encoding: str, limit: int) -> Iterator[bytes]:
    """The pieces, unpacked; ``UpstreamTooLarge`` before any goes beyond ``limit`` bytes, as it comes or unpacked."""
    count = 0
    for piece in unpacked(_counted(chunks, limit), encoding):
        count += len(piece)
        if count > limit:
            raise UpstreamTooLarge(f"It is larger than {limit} bytes when unpacked")
        yield piece


def unpacked(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The pieces of a body whose ``Content-Encoding`` is this, at most 256 KiB each where it is packed."""
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        yield from chunks
        return
    if name not in _DECODERS:
        raise UpstreamNonsense(f"Its encoding is {shown(name)}, which was not asked for")
    decoder: _Decoder = _DECODERS[name]()
    for chunk in chunks:
        try:
            if decoder.at_end:
                raise UpstreamNonsense("There is more behind its packed form")
            yield decoder.step(chunk)
            while decoder.has_more:
                yield decoder.step(b"")
        except (zlib.error, zstd.ZstdError, EOFError):
            raise UpstreamNonsense(f"Its {name} form is damaged") from None
    if not decoder.at_end or decoder.has_leftovers:
        raise UpstreamNonsense(f"Its {name} form is cut short, or there is more behind it")


def _counted(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    count = 0
    for chunk in chunks:
        count += len(chunk)
        if count > limit:
            raise UpstreamTooLarge(f"It is larger than {limit} bytes")
        if chunk:
            yield chunk
