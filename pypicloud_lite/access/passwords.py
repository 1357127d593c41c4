"""Password hashes: the one module that knows passlib (from the distribution libpass) and argon2-cffi."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

import argon2
from passlib import hash as passlib_hash

from pypicloud_lite.kernel.errors import InvalidRequest, TooManyRequests

T = TypeVar("T")

MAX_PASSWORD = 4096
"""Bytes of UTF-8. Longer ones are wrong before anything is hashed."""

EMPTY_PASSWORD = "empty"  # noqa: S105  no hash either
"""Stored for a user who was given an empty password on purpose: the only one for whom that is right."""

_STAND_IN = b"stand-in"
"""Hashed in place of a password that the scheme cannot take: the time does not tell which scheme it is."""

_ARGON2_MEMORY = 31 * 1024
"""KiB for one new argon2id hash, with t=3 and p=1.

Chosen by measurement: 60 ms on one core, half of the 150 ms that an uncached check may take, above the usual
minimum (19 MiB, t=2), and a worker that hashes on every core stays within tens of MiB. Below 32 MiB, as up to there
glibc keeps the room for the next hash of the same thread; above it every hash has the kernel clear new pages, which
is a quarter of what it costs. One lane, because checks run in parallel with each other: more lanes would only make
them wait for one another.
"""


@dataclass(frozen=True, slots=True)
class _Scheme:
    """``handler`` is passlib's; ``rounds`` in its own unit (log2 for bcrypt); ``longest`` in bytes.

    ``characters`` of a whole hash, where the handler takes a part of one too.
    """

    handler: Any
    prefixes: tuple[str, ...]
    rounds: int
    fewest: int
    most: int
    longest: int = MAX_PASSWORD
    takes_nul: bool = True
    characters: int | None = None

    def refusal(self, secret: bytes) -> str | None:
        """Why this scheme cannot take the password whole; None when it can."""
        if len(secret) > self.longest:
            return f"is longer than the {self.longest} bytes that {self.handler.name} takes"
        if b"\0" in secret and not self.takes_nul:
            return f"contains a NUL, which {self.handler.name} does not take"
        return None


# The default costs take about 100 ms. The crypt schemes get slower with every byte of the password (10 ms
# become 210 ms at 4 KiB), which 1 KiB keeps within bounds.
_SCHEMES = MappingProxyType(
    {
        "argon2": _Scheme(passlib_hash.argon2, ("$argon2id$", "$argon2i$", "$argon2d$"), 3, 1, 50),
        "bcrypt": _Scheme(passlib_hash.bcrypt, ("$2b$", "$2a$", "$2y$"), 11, 4, 16, longest=72, takes_nul=False),
        "sha512_crypt": _Scheme(
            passlib_hash.sha512_crypt, ("$6$",), 200_000, 1000, 10_000_000, longest=1024, takes_nul=False
        ),
        "sha256_crypt": _Scheme(
            passlib_hash.sha256_crypt, ("$5$",), 200_000, 1000, 10_000_000, longest=1024, takes_nul=False
        ),
        "pbkdf2_sha512": _Scheme(passlib_hash.pbkdf2_sha512, ("$pbkdf2-sha512$",), 210_000, 1000, 10_000_000),
        "pbkdf2_sha256": _Scheme(passlib_hash.pbkdf2_sha256, ("$pbkdf2-sha256$",), 600_000, 1000, 10_000_000),
    }
)
_ALIASES = MappingProxyType({"sha": "sha512_crypt", "pbkdf2": "pbkdf2_sha512"})

# Of Apache's files. Verified where they stand already, and never made: a stolen one is guessed by the billion.
_READ_ONLY = MappingProxyType(
    {
        "apr1": _Scheme(passlib_hash.apr_md5_crypt, ("$apr1$",), 1000, 1000, 1000, longest=1024, takes_nul=False),
        "ldap_sha1": _Scheme(passlib_hash.ldap_sha1, ("{SHA}",), 1, 1, 1, characters=33),
    }
)
_READABLE = MappingProxyType({**_SCHEMES, **_READ_ONLY})


def canonical_scheme(name: str) -> str:
    """The scheme behind a name or alias; ValueError lists the valid ones."""
    scheme = _ALIASES.get(name, name)
    if scheme not in _SCHEMES:
        raise ValueError(f"{name[:40]!a} is not a password scheme: use one of {', '.join([*_SCHEMES, *_ALIASES])}")
    return scheme


def check_rounds(scheme: str, rounds: int) -> None:
    """ValueError when ``rounds`` is not a cost that one login can be made to pay."""
    known = _SCHEMES[canonical_scheme(scheme)]
    if not known.fewest <= rounds <= known.most:
        raise ValueError(f"{scheme} takes {known.fewest} to {known.most} rounds, not {rounds}")


def hash_password(password: str, scheme: str = "argon2", rounds: int | None = None) -> str:
    """A salted hash, about 100 ms of work at the default cost; for argon2 ``rounds`` is the time cost.

    InvalidRequest when the scheme cannot take the password whole: nothing is ever truncated.
    """
    name = canonical_scheme(scheme)
    known = _SCHEMES[name]
    if rounds is not None:
        check_rounds(name, rounds)
    secret = _secret(password)
    if secret is None:
        raise InvalidRequest(f"A password has 1 to {MAX_PASSWORD} bytes of valid UTF-8: choose another password")
    refusal = known.refusal(secret)
    if refusal is not None:
        raise InvalidRequest(f"The password {refusal}: choose another password or the scheme argon2")
    return _hash(name, secret, known.rounds if rounds is None else rounds)


def derive_hash(password: str, owner: str) -> str:
    """The argon2id hash whose salt follows from ``owner``: every process derives the same one.

    For a password that is configured in clear text and so has no stored hash with a salt of its own.
    """
    secret = _secret(password)
    if secret is None:
        raise InvalidRequest(f"A password has 1 to {MAX_PASSWORD} bytes of valid UTF-8")
    salt = hashlib.sha256(b"pypicloud_lite derived salt\0" + owner.encode(errors="surrogatepass")).digest()[:16]
    return _argon2(_SCHEMES["argon2"].rounds).hash(secret, salt=salt)


def verify_password(password: str, stored: str) -> bool:
    """Whether ``stored`` is a hash of the password; False for anything odd about either, never an exception.

    A password that the hash's scheme cannot take costs as much as a wrong one.
    """
    secret, name = _secret(password), identify(stored)
    if secret is None or name is None:
        return False
    known = _READABLE[name]
    takes = known.refusal(secret) is None
    try:
        right = bool(known.handler.verify(secret if takes else _STAND_IN, stored))
    except ValueError:
        # Well-formed, with parameters that cannot be computed here (memory that the machine does not have).
        return False
    return right and takes


def identify(stored: str) -> str | None:
    """The scheme of a complete, well-formed hash; None for anything else.

    ``apr1`` and ``ldap_sha1`` (Apache's ``$apr1$`` and ``{SHA}``) are no schemes for new hashes: see :func:`is_weak`.
    """
    for name, known in _READABLE.items():
        if stored.startswith(known.prefixes):
            try:
                parsed = known.handler.from_string(stored)
            except (ValueError, TypeError, NotImplementedError):
                return None
            whole = known.characters in {None, len(stored)}
            return name if whole and parsed.checksum is not None else None
    return None


def is_weak(stored: str) -> bool:
    """Whether a hash is of a scheme that is fast to guess: still verified, and never made here."""
    return identify(stored) in _READ_ONLY


def is_of_nothing(stored: str) -> bool:
    """Whether a well-formed hash is that of the empty password, which is right nowhere here. Costs one hash."""
    name = identify(stored)
    try:
        return name is not None and bool(_READABLE[name].handler.verify(b"", stored))
    except ValueError:
        return False


def _secret(password: str) -> bytes | None:
    """UTF-8, or None for a password that no scheme takes: empty, too long or with a lone surrogate."""
    if not password or len(password) > MAX_PASSWORD:
        return None
    try:
        secret = password.encode()
    except UnicodeEncodeError:
        return None
    return secret if len(secret) <= MAX_PASSWORD else None


def _argon2(rounds: int) -> argon2.PasswordHasher:
    return argon2.PasswordHasher(time_cost=rounds, memory_cost=_ARGON2_MEMORY, parallelism=1)


def _hash(scheme: str, secret: bytes, rounds: int) -> str:
    if scheme == "argon2":
        return _argon2(rounds).hash(secret)
    return str(_SCHEMES[scheme].handler.using(rounds=rounds).hash(secret))


ADMITTED = 10
"""How many requests of a process may be at a password hash, or wait for one.

Eight people who log in at once may all have come to one worker. With those that may wait for an upstream (half of the
threads of a worker, ``cli/gunicorn_settings.py``) they are fewer than all: a flood of logins leaves some to the rest.
"""


class PasswordHasher:
    """Hashes and verifies with at most ``cores`` at a time (default: as many as the machine has).

    Thread-safe. Wiring owns one per process: more threads than that would only make each other slower, and
    every argon2 hash takes 31 MiB, which its thread keeps for the next. With ``admitted`` no more than so many run and
    wait together: every method then raises TooManyRequests at once where one more would wait.
    """

    def __init__(
        self,
        scheme: str = "argon2",
        rounds: int | None = None,
        *,
        cores: int | None = None,
        admitted: int | None = None,
    ) -> None:
        self._scheme = canonical_scheme(scheme)
        if rounds is not None:
            check_rounds(self._scheme, rounds)
        self._rounds = rounds
        self._cores = cores or os.cpu_count() or 1
        self._places = None if admitted is None else threading.BoundedSemaphore(admitted)
        # A process that is forked off has none of its parent's threads.
        self._pools: dict[int, ThreadPoolExecutor] = {}

    def _compute(self, do: Callable[[], T]) -> T:
        """In the threads for it, when it is its turn."""
        if self._places is not None and not self._places.acquire(blocking=False):
            raise TooManyRequests("Too many logins at the same time: wait 1 second, then try again", 1)
        try:
            return self._pool().submit(do).result()
        finally:
            if self._places is not None:
                self._places.release()

    def _pool(self) -> ThreadPoolExecutor:
        pool = self._pools.get(os.getpid())
        if pool is None:
            # Atomic: of two threads that come here at once, both get the same one; the other's has no thread yet.
            pool = self._pools.setdefault(os.getpid(), ThreadPoolExecutor(self._cores, "password"))
        return pool

    def hash(self, password: str) -> str:
        """As :func:`hash_password`, with the scheme and cost chosen for new hashes."""
        return self._compute(partial(hash_password, password, self._scheme, self._rounds))

    def verify(self, password: str, stored: str) -> bool:
        """As :func:`verify_password`."""
        return self._compute(partial(verify_password, password, stored))

    def verify_dummy(self, password: str) -> None:
        """Cost as much as verifying a hash that :meth:`hash` made: for users who have none.

        Where stored hashes come from elsewhere, verify against one of those instead and drop the result.
        """
        secret = _secret(password)
        if secret is None:
            return
        known = _SCHEMES[self._scheme]
        computed = secret if known.refusal(secret) is None else _STAND_IN
        self._compute(partial(_hash, self._scheme, computed, known.rounds if self._rounds is None else self._rounds))
