"""Connections to a directory: the one module that knows python-ldap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from pypicloud_lite.access.backends.ldap_settings import LdapSettings
from pypicloud_lite.access.outages import Unreachable
from pypicloud_lite.kernel.errors import AccessUnavailable, ConfigError

MOST_LISTED = 10_000
"""Entries that one listing gives at most."""

_PAGE = 500
_TLS_1_2 = 0x303


@dataclass(frozen=True, slots=True)
class Entry:
    """A DN as the server spells it, and the values that were asked for; attributes in lower case."""

    dn: str
    values: Mapping[str, tuple[bytes, ...]]

    def texts(self, attribute: str) -> tuple[str, ...]:
        """The values that are UTF-8."""
        texts = []
        for value in self.values.get(attribute.lower(), ()):
            try:
                texts.append(value.decode())
            except UnicodeDecodeError:
                continue
        return tuple(texts)


def require_driver() -> None:
    """ConfigError unless python-ldap is there."""
    try:
        import ldap  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"pypi.auth: ldap needs python-ldap ({error}): pip install 'pypicloud_lite[ldap]', which is compiled (on "
            "Debian first apt-get install gcc python3-dev libldap-dev libsasl2-dev)"
        ) from None


def in_filter(text: str) -> str:
    """Escaped for a filter (RFC 4515)."""
    from ldap.filter import escape_filter_chars

    return str(escape_filter_chars(text))


def in_dn(text: str) -> str:
    """Escaped for a value in a DN (RFC 4514)."""
    from ldap.dn import escape_dn_chars

    return str(escape_dn_chars(text))


def comparable(dn: str) -> str:
    """A DN in lower case without what does not matter; the text itself where it is none."""
    from ldap import DECODING_ERROR
    from ldap.dn import dn2str, str2dn

    try:
        return str(dn2str(str2dn(dn))).lower()
    except DECODING_ERROR:
        return dn


class Connection:
    """One connection, bound as somebody; every method raises AccessUnavailable when the server fails."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def read(self, dn: str, attributes: Sequence[str], matching: str = "(objectClass=*)") -> Entry | None:
        """The entry of that DN where it is visible and matches."""
        import ldap

        with _translated():
            try:
                found = self._raw.search_ext_s(dn, ldap.SCOPE_BASE, matching, list(attributes))
            except (ldap.NO_SUCH_OBJECT, ldap.INVALID_DN_SYNTAX):
                return None
        return next(iter(_entries(found)), None)

    def search(self, base: str, matching: str, attributes: Sequence[str], *, most: int) -> list[Entry] | None:
        """Every entry below the base that matches; None when they are more than ``most``."""
        import ldap

        with _translated():
            try:
                found = self._raw.search_ext_s(base, ldap.SCOPE_SUBTREE, matching, list(attributes), sizelimit=most)
            except ldap.SIZELIMIT_EXCEEDED:
                return None
        return _entries(found)

    def list(self, base: str, matching: str, attributes: Sequence[str]) -> tuple[list[Entry], bool]:
        """Entries page by page, ``MOST_LISTED`` of them, and whether those are all."""
        import ldap
        from ldap.controls import SimplePagedResultsControl

        entries: list[Entry] = []
        control = SimplePagedResultsControl(True, size=_PAGE, cookie="")
        while True:
            with _translated():
                asked = self._raw.search_ext(
                    base, ldap.SCOPE_SUBTREE, matching, list(attributes), serverctrls=[control]
                )
                _kind, found, _asked, controls = self._raw.result3(asked)
            entries += _entries(found)
            control.cookie = next(
                (one.cookie for one in controls if one.controlType == SimplePagedResultsControl.controlType), b""
            )
            if not control.cookie or len(entries) >= MOST_LISTED:
                return entries[:MOST_LISTED], not control.cookie and len(entries) <= MOST_LISTED


class LdapServer:
    """Makes a connection for each purpose; none is ever bound a second time."""

    def __init__(self, settings: LdapSettings) -> None:
        self._settings = settings

    @contextmanager
    def as_service(self) -> Iterator[Connection]:
        """Bound as ``auth.ldap.service_dn``, or as nobody where there is none."""
        import ldap

        password = self._settings.service_password
        with self._connected() as raw:
            with _translated():
                try:
                    raw.simple_bind_s(self._settings.service_dn, password.get_secret_value() if password else "")
                except ldap.INVALID_CREDENTIALS:
                    raise AccessUnavailable(
                        "The directory refuses auth.ldap.service_dn: check auth.ldap.service_password"
                    ) from None
            yield Connection(raw)

    @contextmanager
    def as_user(self, dn: str, password: str) -> Iterator[Connection | None]:
        """Bound as the user; None where the server refuses that password, or that user."""
        if not dn or not password:
            # Either is a bind as nobody, which succeeds.
            yield None
            return
        with self._connected() as raw:
            yield Connection(raw) if _is_accepted(raw, dn, password) else None

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        import ldap

        with _translated():
            raw = ldap.initialize(" ".join(self._settings.url))
        try:
            with _translated():
                self._configure(raw)
            yield raw
        finally:
            with suppress(ldap.LDAPError):
                raw.unbind_s()

    def _configure(self, raw: Any) -> None:
        import ldap

        settings = self._settings
        raw.protocol_version = 3
        # So that the second URL gets its turn in time.
        raw.network_timeout = settings.timeout / len(settings.url)
        raw.timeout = settings.timeout
        raw.set_option(ldap.OPT_REFERRALS, ldap.OPT_OFF if settings.ignore_referrals else ldap.OPT_ON)
        demand = ldap.OPT_X_TLS_NEVER if settings.ignore_cert else ldap.OPT_X_TLS_DEMAND
        raw.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, demand)
        raw.set_option(ldap.OPT_X_TLS_PROTOCOL_MIN, _TLS_1_2)
        if settings.ca_file:
            raw.set_option(ldap.OPT_X_TLS_CACERTFILE, settings.ca_file)
        raw.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        if settings.start_tls:
            raw.start_tls_s()


def _is_accepted(raw: Any, dn: str, password: str) -> bool:
    import ldap

    with _translated():
        try:
            raw.simple_bind_s(dn, password)
        except (
            ldap.INVALID_CREDENTIALS,
            ldap.INAPPROPRIATE_AUTH,
            ldap.NO_SUCH_OBJECT,
            ldap.INVALID_DN_SYNTAX,
            # How servers say that the account is locked or expired.
            ldap.CONSTRAINT_VIOLATION,
            ldap.INSUFFICIENT_ACCESS,
            ldap.UNWILLING_TO_PERFORM,
        ):
            return False
    return True


def _entries(found: Sequence[tuple[str | None, Any, *tuple[Any, ...]]]) -> list[Entry]:
    """Without the references to other servers, which have no DN."""
    return [
        Entry(row[0], {name.lower(): tuple(values) for name, values in row[1].items()})
        for row in found
        if row[0] is not None
    ]


@contextmanager
def _translated() -> Iterator[None]:
    import ldap

    try:
        yield
    except (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.TIMEOUT, ldap.BUSY, ldap.UNAVAILABLE) as error:
        raise Unreachable(f"The directory of auth.ldap.url does not answer: {_said(error)}") from error
    except ldap.NO_SUCH_OBJECT as error:
        raise AccessUnavailable(
            "The directory has nothing at auth.ldap.base_dn or auth.ldap.group_base_dn that auth.ldap.service_dn may "
            "see: check all three"
        ) from error
    except ldap.LDAPError as error:
        raise AccessUnavailable(f"The directory of auth.ldap.url fails: {_said(error)}") from error


def _said(error: Exception) -> str:
    told = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    texts = [str(told[key]) for key in ("desc", "info") if told.get(key)]
    return ascii(" / ".join(texts) or type(error).__name__)[1:-1]
