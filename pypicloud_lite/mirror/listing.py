"""The files of an upstream's project as our own pages list them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

from pypicloud_lite.indexes.layout import DIGEST_IN_PATH
from pypicloud_lite.indexes.page_file import PageFile
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.mirror.codec import Known, KnownPage
from pypicloud_lite.mirror.rules import Curation
from pypicloud_lite.mirror.terms import Terms
from pypicloud_lite.upstream.hashes import known

_NO_METADATA: dict[str, str] = {}
_TERMS = Terms()


def listed(
    page: KnownPage,
    curation: Curation,
    now: datetime,
    index: Callable[[Known], IndexName | None],
    terms: Terms = _TERMS,
) -> Iterator[PageFile]:
    """Those that may be shown, under our own addresses in the index that ``index`` gives, or for None the upstream's.

    A file without any hash is left out, but where the terms are otherwise: nothing would tell it from a wrong one.
    """
    for file in page.files:
        link = file.link
        is_sound = terms.takes_unhashed or bool(known(link.hashes))
        if is_sound and curation.refusal(link.filename, file.uploaded_at, now) is None:
            yield page_file(as_taken(file, terms), index(file))


def as_taken(file: Known, terms: Terms) -> Known:
    """A file as its mirror is to know it: without the METADATA that it is told not to ask for."""
    if terms.takes_metadata or file.link.core_metadata is None:
        return file
    return replace(file, link=replace(file.link, core_metadata=None))


def page_file(file: Known, index: IndexName | None) -> PageFile:
    """One of them, whatever the rules are."""
    link = file.link
    metadata = link.core_metadata
    if not known(link.hashes) and index is not None:
        # Only the whole file could tell, and that costs as much as installing it.
        metadata = None
    elif metadata is None and index is not None and link.filename.is_wheel:
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
