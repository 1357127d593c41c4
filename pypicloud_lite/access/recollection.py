"""Accounts that were seen lately, for credentials that need no backend to be proved."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from pypicloud_lite.access.model import Account
from pypicloud_lite.kernel.errors import AccessUnavailable

_HOUR = 3600.0


class Lookup(Protocol):
    """What is asked of the access backends."""

    @property
    def knows_by_name(self) -> bool:
        """Whether somebody whom :meth:`lookup` does not know is nobody."""

    def lookup(self, username: str) -> Account | None:
        """The account, or None; AccessUnavailable."""


class Recollection:
    """Asks who somebody is; while that cannot be said, what was said within ``seconds`` holds.

    For tokens and sessions, which are proved by the server's own database: an outage of LDAP must not stop builds.
    Thread-safe, in this process only, bounded.
    """

    def __init__(
        self,
        directory: Lookup,
        *,
        seconds: float = _HOUR,
        max_entries: int = 10_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._seconds = seconds
        self._max_entries = max_entries
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, tuple[float, Account]] = OrderedDict()

    def account(self, username: str) -> Account | None:
        """The account, or None where there is none; AccessUnavailable where nobody can say and nothing is known."""
        try:
            account = self._directory.lookup(username)
        except AccessUnavailable:
            with self._lock:
                seen = self._seen.get(username)
            if seen is not None and self._monotonic() - seen[0] <= self._seconds:
                return seen[1]
            raise
        with self._lock:
            self._seen.pop(username, None)
            if account is not None:
                self._seen[username] = (self._monotonic(), account)
                if len(self._seen) > self._max_entries:
                    self._seen.popitem(last=False)
        return account
