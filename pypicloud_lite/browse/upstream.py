"""What pages tell of the index upstream, to which a project belongs in part or as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.kernel.errors import NotFound, UpstreamError
from pypicloud_lite.mirror.service import Listing, Mirror
from pypicloud_lite.serve.projects import Whole

HASH_WORDS = {
    "sha256": "SHA-256",
    "sha512": "SHA-512",
    "sha384": "SHA-384",
    "blake2b": "BLAKE2b",
    "blake2b_256": "BLAKE2b-256",
    "md5": "MD5",
}
"""As people write the names of hashes; the best to know a file by come first."""


@dataclass(frozen=True, slots=True)
class OfUpstream:
    """What a page tells of an upstream. ``name`` is its address without credentials.

    ``error`` is why it last gave no answer, ``failed`` whether there is nothing of it to show by that, ``unread`` why
    the description could not be read.
    """

    name: str
    checked_at: datetime | None = None
    is_stale: bool = False
    error: str | None = None
    failed: bool = False
    unread: str | None = None


def nothing_to_show(whole: Whole) -> NotFound:
    """Of an upstream's project without a file that is shown: why."""
    name, reason = whole.project.name, whole.project.status_reason
    if whole.project.status is ProjectStatus.QUARANTINED:
        told = f": {reason}" if reason else ""
        return NotFound(f"Project {name} is in quarantine at the index upstream, which lists no files{told}")
    return NotFound(
        f"The index upstream has project {name}, and no file of it that this index passes on: ask an administrator "
        "which rules it has for files from elsewhere"
    )


def of_upstream(mirror: Mirror, listing: Listing | None, failure: UpstreamError | None = None) -> OfUpstream:
    """What a page tells of where a listing is from."""
    first = mirror.upstreams[0].name
    if listing is None:
        error = failure.message if failure is not None else None
        return OfUpstream(first, error=error, failed=failure is not None)
    return OfUpstream(listing.upstream or first, listing.checked_at, listing.is_stale, listing.error)
