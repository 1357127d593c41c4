"""Clients that cost little themselves: prepared bytes over connections that stay open."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reply:
    """Status, headers in lower case, and the body as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Answers:
    """How many came, how many bytes they had, and how long each took in seconds."""

    count: int = 0
    size: int = 0
    seconds: list[float] = field(default_factory=list)


class Connection:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def ask(self, request: bytes, *, keep: bool = False) -> tuple[int, Mapping[str, str], bytes, int]:
        """Status, headers, the body if it is to be kept, and its length."""
        self._socket.sendall(request)
        head = self._rest
        while b"\r\n\r\n" not in head:
            piece = self._socket.recv(65536)
            if not piece:
                raise ConnectionError(f"the server hung up after {head!r}")
            head += piece
        head, _, body = head.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split()[1])
        length = 0 if status == 304 else int(headers.get("content-length", "0"))
        kept = [body[:length]] if keep else []
        missing = length - len(body)
        self._rest = body[length:]
        while missing > 0:
            piece = self._socket.recv(min(missing, 1 << 20))
            if not piece:
                raise ConnectionError("the body broke off")
            missing -= len(piece)
            if keep:
                kept.append(piece)
        return status, headers, b"".join(kept), length

    def close(self) -> None:
        self._socket.close()


def request(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def fetch(port: int, path: str, headers: Mapping[str, str]) -> Reply:
    """One answer, whole."""
    connection = Connection(port)
    status, found, body, _length = connection.ask(request("GET", path, headers), keep=True)
    connection.close()
    return Reply(status, found, body)


def for_seconds(port: int, message: bytes, seconds: float, expected: int) -> Answers:
    """The same request again and again over one connection."""
    connection, answers = Connection(port), Answers()
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        status, _headers, _body, length = connection.ask(message)
        assert status == expected, status
        answers.seconds.append(time.monotonic() - began)
        answers.count += 1
        answers.size += length
    connection.close()
    return answers


def each_once(port: int, messages: Sequence[bytes], at_once: int) -> Answers:
    """Each request once, over so many connections at the same time."""
    answers, lock, todo = Answers(), threading.Lock(), iter(messages)

    def work() -> None:
        connection = Connection(port)
        while (message := _next(todo, lock)) is not None:
            began = time.monotonic()
            status, _headers, _body, length = connection.ask(message)
            took = time.monotonic() - began
            assert status == 200, status
            with lock:
                answers.count += 1
                answers.size += length
                answers.seconds.append(took)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _next(todo: Iterable[bytes], lock: threading.Lock) -> bytes | None:
    with lock:
        return next(iter(todo), None)
