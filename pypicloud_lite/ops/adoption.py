"""Taking over files that pypicloud or pypiserver wrote: the file and what lies beside it are the truth.

Their bytes stay where they are; our manifest and ``.metadata`` go to our own layout and name the old key, so
that the next rebuild need not read the file again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from pypicloud_lite.artifacts.model import CoreMetadata
from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.catalog.model import Author
from pypicloud_lite.indexes.incoming import Adopted
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.kernel.errors import InvalidRequest, PpcError
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.ops.inventory import Foreign
from pypicloud_lite.storage.port import BlobInfo, BlobNotFound, Storage


class Adoption:
    """Reads a foreign file once and enters it into an index."""

    def __init__(self, storage: Storage, ingest: Ingest, index: IndexName, author: Author) -> None:
        self._storage = storage
        self._ingest = ingest
        self._index = index
        self._author = author

    def adopt(self, foreign: Foreign) -> str | None:
        """Catalogue one file; a text where something about it deserves a look.

        :class:`FilenameTaken` when another file of that name is there. Costs one read of the whole file.
        """
        info = self._storage.stat(foreign.info.key)
        facts = {**info.attributes, **self._sidecar(info)}
        with self._storage.spool() as spool:
            with self._storage.open(info.key) as reader:
                for chunk in reader:
                    spool.write(chunk)
            archive = spool.reader()
            metadata: CoreMetadata | None = None
            remark = None
            try:
                metadata = read_artifact(archive, foreign.filename)
            except InvalidRequest as error:
                remark = f"{info.key}: taken over by its filename alone: {error.message}"
            finally:
                archive.close()
            digests, size = spool.digests, spool.size
        claimed = facts.get("hash-sha256")
        if claimed and claimed.lower() != digests.sha256:
            remark = f"{info.key}: its recorded sha256 is not that of its bytes: it may be damaged"
        self._ingest.adopt(
            Adopted(
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
            ),
            self._author,
        )
        return remark

    def _sidecar(self, info: BlobInfo) -> Mapping[str, str]:
        """pypicloud's ``<file>.meta`` of its file store; nothing where there is none."""
        document: Any = None
        with contextlib.suppress(BlobNotFound, PpcError, ValueError):
            document = json.loads(self._storage.read(info.key.sibling(".meta")))
        if not isinstance(document, dict):
            return {}
        return {str(name).replace("_", "-"): value for name, value in document.items() if isinstance(value, str)}
