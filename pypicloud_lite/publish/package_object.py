"""pypicloud's JSON form of one file, in upload replies and listings."""

from __future__ import annotations

from typing import Any

from pypicloud_lite.catalog.model import FileRecord
from pypicloud_lite.indexes.layout import file_path


def package_object(record: FileRecord, base_url: str) -> dict[str, Any]:
    """The keys of pypicloud 1.3, with ``size``, ``yanked`` and ``yanked_reason`` added.

    ``base_url`` has no slash at its end.
    """
    sha256 = record.digests.sha256
    metadata = {
        "requires_python": record.requires_python,
        "summary": record.summary,
        "hash_sha256": sha256,
        "hash_md5": record.digests.md5,
        "uploader": record.uploader,
    }
    return {
        "name": str(record.project),
        "filename": str(record.filename),
        "last_modified": int(record.uploaded_at.timestamp()),
        "version": record.version,
        "url": f"{base_url}/{file_path(record)}#sha256={sha256}",
        "summary": record.summary,
        "metadata": {name: value for name, value in metadata.items() if value is not None},
        "size": record.size,
        "yanked": record.yanked,
        "yanked_reason": record.yanked_reason,
    }
