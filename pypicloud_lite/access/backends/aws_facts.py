"""A document that is fetched from elsewhere, as facts: kept for a while, asked for in the background."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from types import MappingProxyType

import structlog

from pypicloud_lite.access.acl_document import AclDocument, parse
from pypicloud_lite.access.facts import Facts, FactsAccess, KnownUser
from pypicloud_lite.access.grants import NO_RULES, GrantTable, Kind, Rule
from pypicloud_lite.access.model import NO_ROLE_HOLDERS, Right, Role, RoleHolders
from pypicloud_lite.access.passwords import PasswordHasher, identify
from pypicloud_lite.kernel.errors import AccessUnavailable, InvalidRequest
from pypicloud_lite.kernel.names import shown

_log = structlog.get_logger("pypicloud_lite.access")

_PATIENCE = 3.0
"""Seconds for which a caller waits for an answer; the question itself may go on."""

_PAUSE = 5.0
"""Seconds after a failure for which nobody asks again."""

_EARLY = 0.75
"""The part of the cache's time after which the next caller has it asked for anew, and goes on with what is known."""


@dataclass(frozen=True, slots=True)
class _Known:
    facts: Facts
    warnings: tuple[str, ...]
    since: float


class FollowedSecret:
    """What ``fetch`` gives, as :class:`~pypicloud_lite.access.facts.Facts`, at most ``cache_seconds`` old.

    One thread asks, whoever waits. ``AccessUnavailable`` within :data:`_PATIENCE` when there is no answer, and at once
    for :data:`_PAUSE` after a failure. A text that was good and is no document any more changes nothing, and the log
    says why; one that never was good is an outage.
    """

    def __init__(
        self,
        fetch: Callable[[], str],
        name: str,
        cache_seconds: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._name = shown(name)
        self._cache_seconds = cache_seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: _Known | None = None
        self._asking: Future[Facts] | None = None
        self._pid = os.getpid()
        self._began = 0.0
        self._why = ""
        self._retry_at = 0.0
        self._complaint = ""

    def __call__(self) -> Facts:
        now = self._monotonic()
        known = self._known
        age = float("inf") if known is None else now - known.since
        if known is not None and age < self._cache_seconds * _EARLY:
            return known.facts
        with self._lock:
            if self._pid != os.getpid():
                # A thread that asked when this process was forked is not in it.
                self._pid, self._asking = os.getpid(), None
            asking, why = self._asking, self._why
            if asking is None and (not why or now >= self._retry_at):
                asking = self._ask(now)
            patience = self._began + _PATIENCE - now
        if known is not None and age < self._cache_seconds:
            return known.facts
        if asking is None:
            raise AccessUnavailable(why)
        return self._awaited(asking, patience)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The users who cannot log in by this document; none where it cannot be had."""
        try:
            self()
        except AccessUnavailable:
            return ()
        return () if self._known is None else self._known.warnings

    def _awaited(self, asking: Future[Facts], patience: float) -> Facts:
        try:
            return asking.result(max(0.0, patience))
        except TimeoutError:
            raise AccessUnavailable(f"The secret {self._name} was not there within {_PATIENCE:.0f} s") from None

    def _ask(self, now: float) -> Future[Facts]:
        self._began = now
        future: Future[Facts] = Future()
        self._asking = future
        threading.Thread(target=self._answer, args=(future,), daemon=True, name="secret").start()
        return future

    def _answer(self, future: Future[Facts]) -> None:
        try:
            known = self._asked()
        except Exception as error:  # noqa: BLE001  whatever it is, those who wait must hear of it
            failure = error if isinstance(error, AccessUnavailable) else self._unexpected(error)
            with self._lock:
                if not self._why:
                    _log.error("users cannot be read from the secret", secret=self._name, why=failure.message)
                self._why, self._retry_at, self._asking = failure.message, self._monotonic() + _PAUSE, None
            future.set_exception(failure)
        else:
            with self._lock:
                if self._why:
                    _log.info("users are read from the secret again", secret=self._name)
                self._known, self._why, self._asking = known, "", None
            future.set_result(known.facts)

    def _asked(self) -> _Known:
        began = self._monotonic()
        try:
            document = parse(self._fetch())
        except InvalidRequest as error:
            complaint = f"The secret {self._name} is no document of users: {error.message}"
            if self._known is None:
                raise AccessUnavailable(complaint) from None
            if complaint != self._complaint:
                _log.error("the changed secret is wrong, what it said before holds", why=complaint)
            self._complaint = complaint
            return _Known(self._known.facts, self._known.warnings, began)
        self._complaint = ""
        facts, warnings = as_facts(document, f"secret {self._name}")
        if self._known is not None and self._known.facts.serial == facts.serial:
            facts = self._known.facts
        return _Known(facts, warnings, began)

    def _unexpected(self, error: Exception) -> AccessUnavailable:
        return AccessUnavailable(f"The secret {self._name} cannot be read ({type(error).__name__})")


def as_facts(document: AclDocument, source: str) -> tuple[Facts, tuple[str, ...]]:
    """The document as facts, and a warning for each user whose hash cannot be used, who is left out.

    ``source`` is where it stands, as an administrator finds it. Pending users are nobody yet.
    """
    users = {
        user.username: KnownUser(user.password_hash)
        for user in document.users
        if user.password_hash is not None and identify(user.password_hash) is not None
    }
    admins = {user.username: frozenset({Role.ADMIN}) for user in document.users if user.is_admin}
    tables: tuple[tuple[Kind, Mapping[tuple[str, str], frozenset[Right]]], ...] = (
        ("user", document.user_rights),
        ("group", document.group_rights),
    )
    rules = [
        Rule(project, kind, who, rights, f"{source}: {kind} {who} of {project} = {' '.join(sorted(rights))}")
        for kind, table in tables
        for (project, who), rights in table.items()
    ]
    warnings = tuple(
        f"{source}: user {shown(user.username)} has no hash that can be used: set a password anew with ppc-gen-password"
        for user in document.users
        if user.username not in users
    )
    facts = Facts(
        users=MappingProxyType(users),
        groups=document.groups,
        holders=RoleHolders(MappingProxyType(admins)) if admins else NO_ROLE_HOLDERS,
        book=GrantTable(rules) if rules else NO_RULES,
    )
    return facts, warnings


class SecretAccess(FactsAccess):
    """An :class:`~pypicloud_lite.access.port.AccessBackend` over a document that is edited elsewhere."""

    def __init__(self, secret: FollowedSecret, hasher: PasswordHasher) -> None:
        super().__init__(secret, hasher)
        self._secret = secret

    @property
    def warnings(self) -> tuple[str, ...]:
        """Of the document as it is now."""
        return self._secret.warnings
