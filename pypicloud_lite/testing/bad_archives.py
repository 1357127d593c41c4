"""Every archive that must be refused, each with the words of its reason: what the public PyPI refuses, and more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pypicloud_lite.testing.bad_tars import TAR_NAME, bad_tars
from pypicloud_lite.testing.bad_wheels import bad_wheels
from pypicloud_lite.testing.bad_zips import ZIP_NAME, bad_zips


@dataclass(frozen=True, slots=True)
class BadArchive:
    """One shape of release 1.0 of acme-widget; ``words`` are a part of the refusal."""

    id: str
    filename: str
    data: bytes
    words: str


def bad_archives() -> Iterator[BadArchive]:
    """One after the other: some are megabytes."""
    for kind, filename, shapes in (
        ("zip", ZIP_NAME, bad_zips()),
        ("wheel", ZIP_NAME, bad_wheels()),
        ("tar", TAR_NAME, bad_tars()),
    ):
        for key, words, data in shapes:
            yield BadArchive(f"{kind}-{key}", filename, data, words)
