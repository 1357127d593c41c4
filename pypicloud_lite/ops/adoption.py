"""Taking over files that pypicloud or pypiserver wrote: the file and what lies beside it are the truth.

Their bytes stay where they are; our manifest and ``.metadata`` go to our own layout and name the old key, so
that the next rebuild need not read the file again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pypicloud_lite.artifacts.model import CoreMetadata
from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.catalog.model import FileRecord
from pypicloud_lite.indexes.incoming import Adopted
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import InvalidArtifact, InvalidRequest, PpcError
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.ops.inventory import Foreign
from pypicloud_lite.storage.port import BlobInfo, BlobNotFound, BlobTooLarge, Spool, Storage

_MAX_SIGNATURE = 64 * 1024


class StillChanging(PpcError):
    """Somebody is writing the file: it is to be looked at again later."""

    code = "still-changing"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file, and texts where something about it deserves a look."""

    is_new: bool
    is_replaced: bool
    remarks: tuple[str, ...]


class Adoption:
    """Reads a foreign file once and enters it into an index."""

    def __init__(self, storage: Storage, ingest: Ingest, index: IndexName, author: Author) -> None:
        self._storage = storage
        self._ingest = ingest
        self._index = index
        self._author = author

    def adopt(self, foreign: Foreign, *, instead_of: FileRecord | None = None, whole_only: bool = False) -> Outcome:
        """Catalogue one file, or what a person put in the place of one that was catalogued.

        With ``whole_only`` an artifact that cannot be read is :class:`InvalidArtifact`; else it is taken over by its
        filename alone. :class:`StillChanging` when it changed while it was read, :class:`FilenameTaken` when another
        file of that name is there. Costs one read of the whole file.
        """
        info = self._storage.stat(foreign.info.key)
        facts = {**info.attributes, **self._sidecar(info)}
        remarks: list[str] = []
        with self._storage.spool() as spool:
            with self._storage.open(info.key) as reader:
                for chunk in reader:
                    spool.write(chunk)
            self._check_unchanged(info)
            metadata = self._metadata(foreign, spool, remarks, whole_only=whole_only)
            digests, size = spool.digests, spool.size
        claimed = facts.get("hash-sha256")
        if claimed and claimed.lower() != digests.sha256:
            remarks.append(f"{info.key}: its recorded sha256 is not that of its bytes: it may be damaged")
        adopted = Adopted(
            index=self._index,
            filename=foreign.filename,
            key=info.key,
            size=size,
            digests=digests,
            uploaded_at=info.modified,
            uploader=facts.get("uploader"),
            display_name=metadata.display_name if metadata else str(foreign.filename.project),
            core=metadata.values if metadata else {},
            requires_python=metadata.requires_python if metadata else facts.get("requires-python"),
            summary=metadata.summary if metadata else facts.get("summary"),
            metadata=metadata.raw if metadata and foreign.filename.is_wheel else None,
            signature=self._signature(foreign),
        )
        self._ingest.adopt(adopted, self._author, instead_of)
        if instead_of is not None and instead_of.digests != digests:
            remarks.append(f"{info.key}: other content lies there now, as sha256 {digests.sha256[:16]}...: listed anew")
        return Outcome(instead_of is None, instead_of is not None, tuple(remarks))

    def _check_unchanged(self, before: BlobInfo) -> None:
        after = self._storage.stat(before.key)
        if (after.size, after.modified) != (before.size, before.modified):
            raise StillChanging(f"{before.key} changes while it is read")

    def _metadata(self, foreign: Foreign, spool: Spool, remarks: list[str], *, whole_only: bool) -> CoreMetadata | None:
        archive = spool.reader()
        try:
            return read_artifact(archive, foreign.filename)
        except InvalidRequest as error:
            if whole_only:
                raise InvalidArtifact(error.message) from error
            remarks.append(f"{foreign.info.key}: taken over by its filename alone: {error.message}")
            return None
        finally:
            archive.close()

    def _signature(self, foreign: Foreign) -> bytes | None:
        if not foreign.signed:
            return None
        with contextlib.suppress(BlobNotFound, BlobTooLarge):
            return self._storage.read(foreign.info.key.sibling(".asc"), _MAX_SIGNATURE)
        return None

    def _sidecar(self, info: BlobInfo) -> Mapping[str, str]:
        """pypicloud's ``<file>.meta`` of its file store; nothing where there is none."""
        document: Any = None
        with contextlib.suppress(BlobNotFound, PpcError, ValueError):
            document = json.loads(self._storage.read(info.key.sibling(".meta")))
        if not isinstance(document, dict):
            return {}
        return {str(name).replace("_", "-"): value for name, value in document.items() if isinstance(value, str)}
