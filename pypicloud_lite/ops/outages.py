"""Telling an outage from one key that cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pypicloud_lite.kernel.errors import PpcError, StorageUnavailable
from pypicloud_lite.storage.port import Storage

T = TypeVar("T")


class Refused(PpcError):
    """The storage works, and cannot give what lies at one key."""


def insist(storage: Storage, read: Callable[[], T]) -> T:
    """Call ``read``, once more where it failed and the storage answers; :class:`Refused` when it fails again.

    An outage (``StorageUnavailable``) is raised as such: taken for a missing file, it would free names that are in use.
    """
    try:
        return read()
    except StorageUnavailable:
        storage.probe()
    try:
        return read()
    except StorageUnavailable as error:
        raise Refused(error.message) from error
