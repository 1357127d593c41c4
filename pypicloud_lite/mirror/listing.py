"""The files of an upstream's project as our own pages list them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import quote

from pypicloud_lite.indexes.layout import DIGEST_IN_PATH
from pypicloud_lite.indexes.page_file import PageFile
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.mirror.codec import Known, KnownPage
from pypicloud_lite.mirror.rules import Curation
from pypicloud_lite.upstream.hashes import known

_NO_METADATA: dict[str, str] = {}


def listed(page: KnownPage, curation: Curation, now: datetime, index: IndexName | None) -> Iterator[PageFile]:
    """Those that may be shown, under our own addresses in ``index``, or for None under the upstream's.

    A file without any hash is left out: nothing would tell it from a wrong one.
    """
    for file in page.files:
        link = file.link
        if known(link.hashes) and curation.refusal(link.filename, file.uploaded_at, now) is None:
            yield page_file(file, index)


def page_file(file: Known, index: IndexName | None) -> PageFile:
    """One of them, whatever the rules are."""
    link = file.link
    metadata = link.core_metadata
    if metadata is None and index is not None and link.filename.is_wheel:
        # We make it from the wheel.
        metadata = _NO_METADATA
    return PageFile(
        filename=link.filename,
        where=link.url if index is None else _path(index, file),
        hashes=link.hashes,
        requires_python=link.requires_python,
        yanked=link.yanked,
        yanked_reason=link.yanked_reason,
        size=link.size,
        uploaded_at=link.upload_time,
        metadata=metadata,
        provenance=link.provenance,
    )


def _path(index: IndexName, file: Known) -> str:
    """By digest where there is one that these addresses know; else by name, as nobody knows the digest yet."""
    filename = file.link.filename
    sha256 = file.link.hashes.get("sha256")
    digest = f"{sha256[:DIGEST_IN_PATH]}/" if sha256 else ""
    return f"packages/{index}/{filename.project}/{digest}{quote(filename.value, safe='')}"
