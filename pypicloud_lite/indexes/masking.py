"""The login in a mirror's address, which nobody is shown: others may read what the index is told."""

from __future__ import annotations

from pypicloud_lite.kernel.errors import InvalidRequest

_MASK = "***"


def masked(url: str) -> str:
    """The address with ``***`` for the login that it holds; as it is, where it holds none."""
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    login, at, host = place.rpartition("@")
    return f"{scheme}://{_MASK}@{host}{slash}{path}" if at and login else url


def unmasked(given: str, current: str | None) -> str:
    """The address that is meant: who sends back what was shown changes nothing.

    InvalidRequest for a mask in another address: its login would go to another server.
    """
    if f"://{_MASK}@" not in given:
        return given
    if current is None or given.strip() != masked(current.strip()):
        raise InvalidRequest(f"mirror_url: write the login of the new address instead of {_MASK}, or leave it out")
    return current
