"""One file as pages and documents describe it, and where it is: ours, an upstream's, or an upstream's that is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Self

from pypicloud_lite.catalog.model import FileRecord
from pypicloud_lite.indexes.page_file import PageFile
from pypicloud_lite.kernel.filenames import Filename


class Place(Enum):
    """Where a file is."""

    OURS = "ours"
    CACHED = "cached"
    UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True)
class ShownFile:
    """``page`` is what lists say of it; ``record`` what the catalog knows, None of one that is not here."""

    page: PageFile
    place: Place
    record: FileRecord | None = None

    @classmethod
    def ours(cls, record: FileRecord) -> Self:
        """One of the default index."""
        return cls(PageFile.of(record), Place.OURS, record)

    @classmethod
    def of_upstream(cls, page: PageFile, cached: FileRecord | None) -> Self:
        """One that an upstream lists; ``cached`` is what is kept of it here."""
        return cls(page, Place.UPSTREAM if cached is None else Place.CACHED, cached)

    @property
    def filename(self) -> Filename:
        """Its name, taken apart."""
        return self.page.filename

    @property
    def version(self) -> str:
        """The normalised version."""
        return self.page.filename.version

    @property
    def yanked(self) -> bool:
        """PEP 592."""
        return self.page.yanked

    @property
    def yanked_reason(self) -> str | None:
        """Why, where that is told."""
        return self.page.yanked_reason

    @property
    def requires_python(self) -> str | None:
        """The Pythons it is for."""
        return self.page.requires_python

    @property
    def summary(self) -> str | None:
        """One line about it, where it was read."""
        return self.record.summary if self.record is not None else None

    @property
    def uploader(self) -> str | None:
        """Who uploaded it here."""
        return self.record.uploader if self.record is not None and self.place is Place.OURS else None

    @property
    def size(self) -> int | None:
        """In bytes; None where nobody knows."""
        return self.record.size if self.record is not None else self.page.size

    @property
    def uploaded_at(self) -> datetime | None:
        """When it came to its index; None where that does not tell."""
        return self.page.uploaded_at

    @property
    def signed(self) -> bool:
        """Whether its signature is to be had beside it."""
        return self.place is Place.OURS and bool(self.page.signed)

    @property
    def metadata(self) -> Mapping[str, str] | None:
        """As :class:`PageFile` has it."""
        return self.page.metadata

    @property
    def digests(self) -> Mapping[str, str]:
        """Lower-case hex by the JSON API's names (``sha256``, ``blake2b_256``, ``md5``): those that are known."""
        if self.record is None:
            return self.page.hashes
        own = self.record.digests
        return {"blake2b_256": own.blake2b_256, "md5": own.md5, "sha256": own.sha256}
