"""From credentials to an identity: the cheap way first, one password hash when it must be."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from pypicloud_lite.access.model import Account, Identity
from pypicloud_lite.access.port import AccessBackend
from pypicloud_lite.access.proofs import Proofs
from pypicloud_lite.access.throttle import LoginThrottle
from pypicloud_lite.kernel.errors import AuthenticationRequired


def parse_basic(header_value: str) -> Sequence[tuple[str, str]]:
    """The readings of an ``Authorization`` header as (username, password): UTF-8, then Latin-1 if different.

    pip sends non-ASCII passwords in Latin-1, other clients in UTF-8, and nothing says which. Empty for
    anything that is not HTTP Basic with a colon in it.
    """
    scheme, _, token = header_value.strip().partition(" ")
    if scheme.lower() != "basic":
        return ()
    try:
        decoded = base64.b64decode(token.strip(), validate=True)
    except ValueError:
        return ()
    if b":" not in decoded:
        return ()
    texts = []
    for encoding in ("utf-8", "latin-1"):
        try:
            texts.append(decoded.decode(encoding))
        except UnicodeDecodeError:
            continue
    pairs = [text.partition(":") for text in dict.fromkeys(texts)]
    return tuple((username, password) for username, _, password in pairs)


class Authenticator:
    """Proves credentials against a backend. Thread-safe.

    Every call looks the account up, so its groups, its admin flag and its existence are current; the password
    is hashed only when no proof of it is at hand.
    """

    def __init__(self, backend: AccessBackend, proofs: Proofs, throttle: LoginThrottle) -> None:
        self._backend = backend
        self._proofs = proofs
        self.throttle = throttle

    def identify(self, username: str, password: str, address: str | None = None) -> Identity:
        """The caller behind the credentials.

        AuthenticationRequired reads the same for an unknown user and a wrong password; TooManyRequests after
        too many failures from this address; AccessUnavailable when the backend cannot say.
        """
        return self.identify_any(((username, password),), address)

    def identify_any(self, readings: Sequence[tuple[str, str]], address: str | None = None) -> Identity:
        """As :meth:`identify`, for one set of credentials in several readings (:func:`parse_basic`).

        Costs one hash a reading, and counts as one attempt however many there are.
        """
        for username, password in readings:
            account = self._backend.lookup(username)
            if account is not None and self._proofs.known(username, password, account.version):
                return _identity(account)
        counted = False
        for username, password in readings:
            account = self._proved(username, password, address or "", counted=counted)
            if account is not None:
                return _identity(account)
            counted = True
        raise AuthenticationRequired(
            "Wrong user name or password: check both, and send them with HTTP Basic authentication"
        )

    def _proved(self, username: str, password: str, address: str, *, counted: bool) -> Account | None:
        account = self._backend.lookup(username)
        version = "" if account is None else account.version
        if self._proofs.known(username, password, version) is False:
            if not counted:
                self.throttle.attempt(username, address)
            return None

        def check() -> str | None:
            if counted:
                return self._version(username, password)
            return self._judged(username, password, address)

        if not self._proofs.prove(username, password, version, check):
            return None
        # Once more, because the account may have changed while the hash was computed: then that proves nothing of it.
        account = self._backend.lookup(username)
        return account if account is not None and self._proofs.known(username, password, account.version) else None

    def _judged(self, username: str, password: str, address: str) -> str | None:
        self.throttle.attempt(username, address)
        failed = False
        try:
            version = self._version(username, password)
            failed = version is None
        finally:
            if not failed:
                self.throttle.withdraw(username, address)
        return version

    def _version(self, username: str, password: str) -> str | None:
        account = self._backend.authenticate(username, password)
        return None if account is None else account.version


def _identity(account: Account) -> Identity:
    return Identity(account.username, account.groups, account.roles, credential="password")
