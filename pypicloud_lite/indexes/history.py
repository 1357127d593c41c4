"""How a file came where it is: uploaded, brought from another index, over what was there before."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pypicloud_lite.catalog.model import FileRecord
from pypicloud_lite.kernel.clock import iso_utc
from pypicloud_lite.kernel.names import IndexName

_MOST = 100
"""Events that are kept of one file, the first and the last ones."""


def events(record: FileRecord) -> Sequence[Mapping[str, Any]]:
    """What became of it, in order: each has ``what`` (upload, push, overwrite), ``who``, ``when``; ``src``, ``dst``.

    ``count`` is how often an overwrite has happened. Of a file without a history it is the upload.
    """
    return list(json.loads(record.history)) if record.history else [_upload(record)]


def pushed(source: FileRecord, target: IndexName, who: str | None, at: datetime) -> str:
    """The history of a copy in another index."""
    push = {"what": "push", "who": who, "when": iso_utc(at), "src": str(source.index), "dst": str(target)}
    return _dumped([*(one for one in events(source) if one["what"] != "overwrite"), push])


def overwritten(old: FileRecord, new: FileRecord, at: datetime) -> str:
    """The history of a file that takes the place of another one."""
    count = next((int(one["count"]) for one in events(old) if one["what"] == "overwrite"), 0) + 1
    overwrite = {"what": "overwrite", "who": None, "when": iso_utc(at), "count": count}
    return _dumped([overwrite, *events(new)])


def _upload(record: FileRecord) -> Mapping[str, Any]:
    when = iso_utc(record.uploaded_at)
    return {"what": "upload", "who": record.uploader, "when": when, "dst": str(record.index)}


def _dumped(told: Sequence[Mapping[str, Any]]) -> str:
    kept = told if len(told) <= _MOST else [*told[: _MOST // 2], *told[-_MOST // 2 :]]
    return json.dumps(kept, sort_keys=True)
