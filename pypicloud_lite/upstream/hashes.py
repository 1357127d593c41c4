"""Hashes as indexes name them, all compared in one pass."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pypicloud_lite.kernel.errors import UpstreamDigestMismatch

_MAKERS: Mapping[str, Callable[[], Any]] = {
    **{name: partial(hashlib.new, name) for name in ("sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_512")},
    "blake2b": hashlib.blake2b,
    "blake2b_256": partial(hashlib.blake2b, digest_size=32),
    # They prove transport, never identity; old indexes have nothing else.
    **{name: partial(hashlib.new, name, usedforsecurity=False) for name in ("sha1", "md5")},
}
_LENGTHS = {name: 2 * make().digest_size for name, make in _MAKERS.items()}
_HEX = re.compile(r"[0-9a-f]{8,256}", re.ASCII)
_NAME = re.compile(r"[a-z0-9_]{1,20}", re.ASCII)
_MOST = 16


def sound(hashes: Mapping[str, str]) -> dict[str, str]:
    """Those that can be hashes, in lower case: known ones of the right length, and others as they are."""
    spelled = [(name.lower(), value.lower()) for name, value in list(hashes.items())[:_MOST]]
    return {name: value for name, value in spelled if _is_sound(name, value)}


def _is_sound(name: str, value: str) -> bool:
    fits = _NAME.fullmatch(name) and _HEX.fullmatch(value)
    return bool(fits) and _LENGTHS.get(name, len(value)) == len(value)


def known(hashes: Mapping[str, str]) -> tuple[str, ...]:
    """The names of those that can be compared here."""
    return tuple(name for name in hashes if name in _MAKERS)


class Comparison:
    """Feed bytes, then ask whether they are what the hashes say."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._expected = {name: hashes[name] for name in known(hashes)}
        self._hashers = {name: _MAKERS[name]() for name in self._expected}

    def update(self, chunk: bytes) -> None:
        """Add the next bytes."""
        for hasher in self._hashers.values():
            hasher.update(chunk)

    def finish(self, what: str) -> tuple[str, ...]:
        """The names of all that were compared; ``UpstreamDigestMismatch`` names the first that differs."""
        for name, hasher in self._hashers.items():
            if hasher.hexdigest() != self._expected[name]:
                raise UpstreamDigestMismatch(
                    f"{what} does not have the {name} that its index promised: it was refused. Ask whoever runs "
                    "that index"
                )
        return tuple(self._expected)
