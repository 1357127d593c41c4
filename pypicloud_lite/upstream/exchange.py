"""One question to an upstream: redirects by hand, few retries, and every failure under one name."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from math import ceil
from threading import BoundedSemaphore

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as Urllib3Timeout

from pypicloud_lite.kernel.errors import (
    UpstreamError,
    UpstreamNonsense,
    UpstreamRefused,
    UpstreamTimedOut,
    UpstreamTooLarge,
    UpstreamUnavailable,
    UpstreamUnreachable,
)
from pypicloud_lite.upstream.addresses import Doors, Resolver
from pypicloud_lite.upstream.breaker import Breaker, Breakers, ServerFailed
from pypicloud_lite.upstream.connections import Connections
from pypicloud_lite.upstream.deadline import Deadline
from pypicloud_lite.upstream.settings import Peer
from pypicloud_lite.upstream.targets import Target

_AGENT = "pypicloud_lite (a private package index)"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_CHUNK = 64 * 1024
_FEW = 64 * 1024
"""Bytes of a body that nobody wants, which are read so that the connection can be used again."""
_PATIENCE = 2.0
"""Seconds to wait before asking again; who asks for more is left alone, and so is everybody's time."""
_BACKOFF = 0.1
_REFUSALS = frozenset({401, 403, 407})
_BUSY = frozenset({429, 503})
_SERVER_ERROR = 500
_COUNT = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(slots=True)
class Answer:
    """An answer whose body is still to be read; use it within the context that gave it."""

    target: Target
    status: int
    headers: Mapping[str, str]
    deadline: Deadline
    _response: BaseHTTPResponse = field(repr=False)
    _name: str = ""

    def header(self, name: str) -> str:
        """One header; empty where it is not there."""
        return self.headers.get(name) or ""

    @property
    def length(self) -> int | None:
        """``Content-Length``, where it is said and is a number."""
        text = self.header("Content-Length").strip()
        return int(text) if _COUNT.fullmatch(text) else None

    def refuse_longer(self, limit: int) -> None:
        """``UpstreamTooLarge`` at once where the head says that the body is."""
        if (self.length or 0) > limit:
            raise UpstreamTooLarge(f"{self._name} answers with {self.length} bytes; {limit} may be")

    def chunks(self) -> Iterator[bytes]:
        """The body as it comes, packed if it is; it never ends early in silence."""
        with _translated(self.target):
            stream = self._response.stream(_CHUNK, decode_content=False)
        while True:
            # Only what reading raises: what the caller raises over a chunk is its own.
            with _translated(self.target):
                chunk = next(stream, b"")
            if not chunk:
                return
            self.deadline.arrived(len(chunk))
            yield chunk


class Exchange:
    """Asks one upstream and the servers that it leads to; thread-safe. Making it reads certificates and asks nobody.

    ``via`` gives the ``Via`` of what is asked now.
    """

    def __init__(
        self,
        peer: Peer,
        resolver: Resolver,
        *,
        via: Callable[[], str] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._peer = peer
        self._via = via
        self._doors = Doors(peer.index, peer.file_hosts, peer.is_trusted)
        self._connections = Connections(peer, self._doors, resolver)
        self._breakers = Breakers(peer.failures, peer.pause, monotonic)
        self._sleep = sleep
        self._slots = {"page": BoundedSemaphore(peer.pages_at_once), "file": BoundedSemaphore(peer.files_at_once)}

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._connections.close()

    def is_shut(self) -> bool:
        """Whether the index's own server is left alone now."""
        return self._breakers.of(self._peer.index.server).is_open

    @contextmanager
    def get(self, target: Target, headers: Mapping[str, str], deadline: Deadline, kind: str) -> Iterator[Answer]:
        """Ask, follow, and give the first answer that is no redirect, no refusal and no failure.

        ``kind`` is ``page`` or ``file``: which of the upstream's slots this takes while it is open. Whatever happens
        within, failing to read the body too, becomes an ``UpstreamError``; the caller's own errors pass through.
        """
        with ExitStack() as held:
            self._take_slot(kind, deadline, held)
            before: Target | None = None
            for _ in range(_MAX_REDIRECTS + 1):
                self._doors.check(target, before)
                with ExitStack() as asking:
                    answer = asking.enter_context(self._asked(target, headers, deadline))
                    if answer.status not in _REDIRECTS:
                        held.push(asking.pop_all())
                        yield answer
                        return
                    location = answer.header("Location")
                if not location:
                    raise UpstreamNonsense(f"{target.server} redirects to nowhere")
                before, target = target, target.joined(location)
            raise UpstreamNonsense(
                f"{self._peer.index.server} redirects more than {_MAX_REDIRECTS} times: it goes round"
            )

    def _take_slot(self, kind: str, deadline: Deadline, held: ExitStack) -> None:
        slots = self._slots[kind]
        try:
            # Whoever got in at the last moment could only time out, which would count against the server.
            free = slots.acquire(timeout=deadline.left() / 2)
        except TimeoutError:
            free = False
        if not free:
            raise UpstreamUnavailable(f"{self._peer.index.server} has too many {kind}s under way; try again later", 2)
        held.callback(slots.release)

    @contextmanager
    def _asked(self, target: Target, headers: Mapping[str, str], deadline: Deadline) -> Iterator[Answer]:
        """Ask one server until it answers, a few times at most; what goes wrong with the body counts against it too."""
        breaker = self._breakers.of(target.server)
        try:
            with breaker.asking():
                response = self._tried(target, headers, deadline)
                answer = Answer(target, response.status, response.headers, deadline, response, target.server)
                with _finished(response):
                    _judge(answer, breaker)
                    yield answer
        except ServerFailed as failed:
            if isinstance(failed.__cause__, UpstreamError):
                raise failed.__cause__ from failed.__cause__.__cause__
            raise

    def _tried(self, target: Target, headers: Mapping[str, str], deadline: Deadline) -> BaseHTTPResponse:
        for attempt in count(1):
            last = attempt >= self._peer.attempts
            wait = _BACKOFF * 2**attempt
            try:
                with _translated(target):
                    response = self._connections.get(target, self._headers(target, headers), deadline)
            except ServerFailed as failed:
                if last or isinstance(failed.__cause__, UpstreamTimedOut) or not deadline.covers(wait):
                    raise
            else:
                wait = max(wait, _retry_after(response.headers.get("Retry-After")) or 0.0)
                passing = response.status in _BUSY or response.status > _SERVER_ERROR
                if last or not passing or wait > _PATIENCE or not deadline.covers(wait):
                    return response
                _finish(response)
            self._sleep(wait)
        raise AssertionError("count() does not end")

    def _headers(self, target: Target, headers: Mapping[str, str]) -> dict[str, str]:
        own = target.server == self._peer.index.server
        login = self._peer.login.headers() if own and self._peer.login is not None else {}
        via = {"Via": self._via()} if self._via is not None else {}
        return {"User-Agent": _AGENT, "Accept": "*/*", **headers, **via, **login}


def _judge(answer: Answer, breaker: Breaker) -> None:
    """Raise for what is no answer of an index, but a redirect, and what each caller judges itself."""
    server, status = answer.target.server, answer.status
    if status in _REFUSALS:
        raise UpstreamRefused(f"{server} answers {status}: check the credentials that it is asked with")
    if status in _BUSY:
        asked_for = _retry_after(answer.header("Retry-After"))
        if asked_for is not None:
            wait = max(1, ceil(breaker.hold(asked_for)))
            raise UpstreamUnavailable(f"{server} answers {status} and asks for {wait} s of patience", wait)
    if status >= _SERVER_ERROR or status in _BUSY:
        raise ServerFailed from UpstreamUnreachable(f"{server} answers {status}: it fails")


@contextmanager
def _translated(target: Target) -> Iterator[None]:
    """urllib3's errors, and the deadline's, as ours, counting against the server."""
    try:
        yield
    except NewConnectionError as error:
        # urllib3 counts it among the timeouts.
        raise ServerFailed from _caused(UpstreamUnreachable(f"{target.server} takes no connection"), error)
    except (TimeoutError, Urllib3Timeout) as error:
        raise ServerFailed from _caused(UpstreamTimedOut(f"{target.server} takes too long"), error)
    except HTTPError as error:
        # The text of urllib3's errors may hold an address with a query.
        why = type(error).__name__
        raise ServerFailed from _caused(UpstreamUnreachable(f"{target.server} gives no whole answer: {why}"), error)


def _caused(error: UpstreamError, cause: BaseException) -> UpstreamError:
    error.__cause__ = cause
    return error


@contextmanager
def _finished(response: BaseHTTPResponse) -> Iterator[None]:
    try:
        yield
    except BaseException:
        response.close()
        response.release_conn()
        raise
    _finish(response)


def _finish(response: BaseHTTPResponse) -> None:
    """Use the connection again where little is left to read; else close it."""
    try:
        if response.read(_FEW, decode_content=False) and response.read(1, decode_content=False):
            response.close()
    except (HTTPError, OSError):
        response.close()
    response.release_conn()


def _retry_after(text: str | None) -> float | None:
    """Seconds; None where it does not say, or nothing that can be understood."""
    said = (text or "").strip()
    if _COUNT.fullmatch(said):
        return float(said)
    try:
        until = parsedate_to_datetime(said)
    except (ValueError, TypeError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
