"""An upstream over HTTP."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urldefrag

from pypicloud_lite.kernel.errors import (
    UpstreamDigestMismatch,
    UpstreamError,
    UpstreamNonsense,
    UpstreamTooLarge,
    UpstreamWithoutRanges,
)
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.upstream import bodies, pages
from pypicloud_lite.upstream.addresses import Resolver, resolve
from pypicloud_lite.upstream.deadline import Deadline
from pypicloud_lite.upstream.exchange import Answer, Exchange
from pypicloud_lite.upstream.hashes import Comparison, known
from pypicloud_lite.upstream.hops import named
from pypicloud_lite.upstream.names import read_names
from pypicloud_lite.upstream.port import (
    Absent,
    Fetched,
    Freshness,
    Link,
    NotModified,
    Part,
    Sink,
    UpstreamNames,
    UpstreamPage,
    Validator,
)
from pypicloud_lite.upstream.settings import Peer
from pypicloud_lite.upstream.targets import Target

_OK, _PARTIAL, _NOT_MODIFIED, _NOT_SATISFIABLE = 200, 206, 304, 416
_MISSING = frozenset({404, 410})
_METADATA_BYTES = 2 * 1024 * 1024
_SPAN_BYTES = 8 * 1024 * 1024
_IDENTITY = {"Accept-Encoding": "identity"}
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII | re.IGNORECASE)
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=\"?(\d+)", re.ASCII | re.IGNORECASE)
_NEVER = re.compile(r"(?:^|[,\s])no-(?:store|cache)(?:$|[,\s])", re.ASCII | re.IGNORECASE)
_COUNT = re.compile(r"\d{1,18}", re.ASCII)
_YEAR = 365 * 86400
_LONGEST_VALIDATOR = 1024


class HttpUpstream:
    """An :class:`~pypicloud_lite.upstream.port.Upstream` that keeps its connections.

    Making it reads certificates and asks nobody. A page takes ``peer.page_seconds`` at most. ``via`` gives the ``Via``
    of what is asked now.
    """

    def __init__(
        self,
        peer: Peer,
        resolver: Resolver = resolve,
        *,
        via: Callable[[], str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._peer = peer
        self._exchange = Exchange(peer, resolver, via=via, monotonic=monotonic, sleep=sleep)

    @property
    def name(self) -> str:
        """As the port says."""
        return str(self._peer.index)

    @property
    def is_shut(self) -> bool:
        """Whether it is left alone now, after failures or as it asked."""
        return self._exchange.is_shut()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._exchange.close()

    def project(self, name: ProjectName, validator: Validator | None = None) -> UpstreamPage | NotModified | Absent:
        """As the port says."""
        target = self._peer.index.joined(f"{name}/")
        headers = {"Accept": pages.ACCEPT, "Accept-Encoding": bodies.ACCEPTED, **_conditions(validator)}
        with self._named(f"the page of {name}"), self._page(target, headers) as answer:
            freshness, came_by = _freshness(answer), named(answer.header("Via"))
            if answer.status in _MISSING:
                self._refuse_wrong_place(answer)
                return Absent(freshness, came_round=answer.header("X-Mirror") == "round")
            if answer.status == _NOT_MODIFIED:
                return replace(_unchanged(freshness, validator), came_by=came_by)
            body = self._body(answer, self._peer.page_bytes)
            document = pages.Document(body, answer.header("Content-Type"), str(answer.target))
            page = pages.read_page(document, name, freshness, _number(answer.header("X-PyPI-Last-Serial")))
            return replace(page, came_by=came_by)

    def names(self, validator: Validator | None = None) -> UpstreamNames | NotModified | Absent:
        """As the port says; takes ``peer.names_seconds`` at most, and no page is larger than ``peer.names_bytes``."""
        headers = {"Accept": pages.ACCEPT, "Accept-Encoding": bodies.ACCEPTED, **_conditions(validator)}
        deadline, limit = Deadline(self._peer.names_seconds), self._peer.names_bytes
        with (
            self._named("its list of projects"),
            self._exchange.get(self._peer.index, headers, deadline, "page") as answer,
        ):
            freshness = _freshness(answer)
            if answer.status in _MISSING:
                self._refuse_wrong_place(answer)
                return Absent(freshness)
            if answer.status == _NOT_MODIFIED:
                return _unchanged(freshness, validator)
            _ok(answer)
            answer.refuse_longer(limit)
            pieces = bodies.bounded(answer.chunks(), answer.header("Content-Encoding"), limit)
            return read_names(pieces, answer.header("Content-Type"), freshness)

    def fetch(self, link: Link, sink: Sink, *, by_length: bool = False) -> Fetched:
        """As the port says; no file is larger than ``peer.file_bytes``."""
        has_hash = bool(known(link.hashes))
        if not has_hash and not by_length:
            raise UpstreamNonsense(
                f"{self.name} lists {link.filename} without a hash that is known here: nothing would tell a wrong file"
            )
        limit = self._peer.file_bytes
        if (link.size or 0) > limit:
            raise UpstreamTooLarge(f"{link.filename} has {link.size} bytes; {limit} may be")
        deadline = Deadline(self._peer.file_seconds, self._peer.file_rate)
        with self._named(str(link.filename)), self._exchange.get(_target(link), _IDENTITY, deadline, "file") as answer:
            _ok(answer)
            answer.refuse_longer(limit)
            if not has_hash and link.size is None and answer.length is None:
                raise UpstreamNonsense("It has neither a hash nor a length: nothing would tell a file that broke off")
            return _transfer(answer, link, sink, limit)

    def metadata(self, link: Link) -> bytes | Absent:
        """As the port says."""
        target = _target(link)
        path, mark, query = target.resource.partition("?")
        target = Target(target.scheme, target.host, target.port, f"{path}.metadata{mark}{query}")
        what = f"{link.filename}.metadata"
        with self._named(what), self._page(target, {"Accept-Encoding": bodies.ACCEPTED}) as answer:
            if answer.status in _MISSING:
                return Absent(_freshness(answer))
            body = self._body(answer, _METADATA_BYTES)
            comparison = Comparison(link.core_metadata or {})
            comparison.update(body)
            comparison.finish("It")
            return body

    def span(self, link: Link, first: int, last: int) -> Part:
        """As the port says."""
        if not 0 <= first <= last < first + _SPAN_BYTES:
            raise ValueError(f"not a span: {first} to {last}")
        headers = {**_IDENTITY, "Range": f"bytes={first}-{last}"}
        with self._named(f"a part of {link.filename}"), self._page(_target(link), headers) as answer:
            if answer.status == _OK:
                raise UpstreamWithoutRanges("It sends files as a whole only")
            if answer.status == _NOT_SATISFIABLE:
                raise UpstreamNonsense("There is no such part of it")
            if answer.status != _PARTIAL:
                raise _unexpected(answer)
            match = _CONTENT_RANGE.fullmatch(answer.header("Content-Range").strip())
            got_first, got_last, size = map(int, match.groups()) if match else (-1, -1, -1)
            if got_first != first or got_last != min(last, size - 1) or (link.size or size) != size:
                raise UpstreamNonsense("It sends another part than was asked for")
            count = got_last - first + 1
            data = bodies.whole(answer.chunks(), answer.header("Content-Encoding"), count)
            if len(data) != count:
                raise UpstreamNonsense("It sends less than it says")
            return Part(data, size)

    def _refuse_wrong_place(self, answer: Answer) -> None:
        """Below an index of devpi nothing is there but in one place: not asking there would hide all that it has."""
        index = str(self._peer.index)
        if answer.header("X-Devpi-Server-Version") and not index.endswith("/+simple/"):
            raise UpstreamNonsense(f"It is devpi: write its address as {index.removesuffix('simple/')}+simple/")

    @contextmanager
    def _page(self, target: Target, headers: Mapping[str, str]) -> Iterator[Answer]:
        with self._exchange.get(target, headers, Deadline(self._peer.page_seconds), "page") as answer:
            yield answer

    def _body(self, answer: Answer, limit: int) -> bytes:
        _ok(answer)
        answer.refuse_longer(limit)
        return bodies.whole(answer.chunks(), answer.header("Content-Encoding"), limit)

    @contextmanager
    def _named(self, what: str) -> Iterator[None]:
        """Say in an error's message what was asked for, and of whom."""
        try:
            yield
        except UpstreamError as error:
            error.message = f"{self.name} was asked for {what}: {error.message}"
            error.args = (error.message, *error.args[1:])
            raise


def _transfer(answer: Answer, link: Link, sink: Sink, limit: int) -> Fetched:
    """Compare on the way; the last piece waits until all is known to be right."""
    comparison, size, held = Comparison(link.hashes), 0, b""
    expected = link.size if link.size is not None else answer.length
    for chunk in answer.chunks():
        size += len(chunk)
        if size > limit:
            raise UpstreamTooLarge(f"It has more than {limit} bytes")
        if expected is not None and size > expected:
            raise UpstreamDigestMismatch(f"It has more bytes than the {expected} that were promised")
        comparison.update(chunk)
        if held:
            sink(held)
        held = chunk
    if expected is not None and size != expected:
        raise UpstreamDigestMismatch(f"It has {size} bytes, not the {expected} that were promised")
    verified = comparison.finish("It")
    if held:
        sink(held)
    return Fetched(size, verified)


def _target(link: Link) -> Target:
    return Target.parse(urldefrag(link.url).url)


def _ok(answer: Answer) -> None:
    if answer.status != _OK:
        raise _unexpected(answer)


def _unexpected(answer: Answer) -> UpstreamNonsense:
    return UpstreamNonsense(f"{answer.target.server} answers {answer.status}")


def _conditions(validator: Validator | None) -> dict[str, str]:
    if validator is None:
        return {}
    if validator.etag:
        return {"If-None-Match": validator.etag}
    return {"If-Modified-Since": validator.last_modified} if validator.last_modified else {}


def _unchanged(freshness: Freshness, validator: Validator | None) -> NotModified:
    if validator is None or validator == Validator():
        raise UpstreamNonsense("It is said to be what it was, and nobody has it")
    return NotModified(_kept(freshness, validator))


def _kept(freshness: Freshness, before: Validator) -> Freshness:
    """An answer of 304 may leave out what has not changed."""
    now = freshness.validator
    kept = Validator(now.etag or before.etag, now.last_modified or before.last_modified)
    return Freshness(kept, freshness.max_age)


def _freshness(answer: Answer) -> Freshness:
    validator = Validator(_short(answer.header("ETag")), _short(answer.header("Last-Modified")))
    control = answer.header("Cache-Control")
    if _NEVER.search(control):
        return Freshness(validator, 0)
    said = _MAX_AGE.search(control)
    if said:
        return Freshness(validator, max(0, min(int(said[1][:12]), _YEAR) - (_number(answer.header("Age")) or 0)))
    return Freshness(validator, _until(answer.header("Expires"), answer.header("Date")))


def _until(expires: str, date: str) -> int | None:
    if not expires:
        return None
    try:
        end = parsedate_to_datetime(expires)
        begin = parsedate_to_datetime(date) if date else datetime.now(UTC)
        return max(0, int((end - begin).total_seconds()))
    except (ValueError, TypeError, OverflowError):
        # "Expires: 0" and the like: it has expired.
        return 0


def _short(text: str) -> str | None:
    return text if text and len(text) <= _LONGEST_VALIDATOR and text.isprintable() and text.isascii() else None


def _number(text: str) -> int | None:
    return int(text) if _COUNT.fullmatch(text.strip()) else None
