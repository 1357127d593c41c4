"""Where what is taken over goes."""

from __future__ import annotations

from dataclasses import dataclass, field

from pypicloud_lite.catalog.model import ProjectRecord
from pypicloud_lite.kernel.digests import Digests
from pypicloud_lite.kernel.names import IndexName, ProjectName


@dataclass(frozen=True, slots=True)
class Place:
    """A project of an index; ``known`` is what it was before this run.

    ``there`` are its listed files by name, those that this run has brought, or would bring, too.
    """

    index: IndexName
    project: ProjectName
    known: ProjectRecord | None
    there: dict[str, Digests] = field(default_factory=dict)
