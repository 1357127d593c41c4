"""Versions as PEP 440 orders and normalises them."""

from __future__ import annotations

from functools import lru_cache

from packaging.version import InvalidVersion, Version

from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.names import shown

_MAX_VERSION = 100


@lru_cache(maxsize=20_000)
def parse_version(text: str) -> Version:
    """Read any PEP 440 spelling; :class:`InvalidName` for anything else."""
    if len(text) > _MAX_VERSION:
        raise InvalidName(f"Version {shown(text)} is longer than {_MAX_VERSION} characters")
    try:
        return Version(text)
    except InvalidVersion:
        raise InvalidName(
            f"{shown(text)} is not a valid version: write it as PEP 440 says, such as 1.0, 1.0rc1 or 1.0.post1"
        ) from None


def is_version(text: str) -> bool:
    """Whether this is a PEP 440 version in any spelling."""
    try:
        parse_version(text)
    except InvalidName:
        return False
    return True


def normalised_version(text: str) -> str:
    """The one spelling of a version that is stored: trailing zeros stay, ``1.0-RC1`` becomes ``1.0rc1``."""
    return str(parse_version(text))


def preference(version: str, *, yanked: bool) -> tuple[bool, bool, Version]:
    """A key by which the greatest is the release to offer first: not yanked, then no pre-release, then the version."""
    parsed = parse_version(version)
    return not yanked, not parsed.is_prerelease, parsed
