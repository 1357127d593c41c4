"""What lies in a storage, sorted by what it is: one listing, no other request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from pypicloud_lite.indexes.layout import Place, read_attached, read_place, read_project_document
from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey
from pypicloud_lite.storage.port import BlobInfo

# What other servers leave beside their files: pypicloud's sidecar, signatures, a htpasswd, an OS's own.
_COMPANIONS = (".meta", ".asc", ".sig", ".metadata", ".provenance")


@dataclass(frozen=True, slots=True)
class Foreign:
    """A distribution that another server or a person put there; ``signed`` with a signature beside it."""

    info: BlobInfo
    filename: Filename
    signed: bool = False


@dataclass(slots=True)
class OwnProject:
    """What lies of one project in our own layout: the homes that have a manifest, and ``project.json``.

    ``attached`` are those of its attachments.
    """

    manifests: list[StorageKey] = field(default_factory=list)
    attached: list[StorageKey] = field(default_factory=list)
    document: StorageKey | None = None


@dataclass(slots=True)
class Inventory:
    """``sizes`` has every file by key (sidecars left out); ``strays`` are keys that nothing explains.

    ``signatures`` are the keys of signatures beside foreign files, ``attached`` the sizes of attachments by key.
    """

    own: dict[tuple[IndexName, ProjectName], OwnProject] = field(default_factory=dict)
    foreign: list[Foreign] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    attached: dict[str, int] = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)
    signatures: set[str] = field(default_factory=set)

    def project(self, index: IndexName, project: ProjectName) -> OwnProject:
        """The entry of a project, made where needed."""
        return self.own.setdefault((index, project), OwnProject())


def take_inventory(blobs: Iterable[BlobInfo], progress: Callable[[int], None] = lambda _count: None) -> Inventory:
    """Sort every blob of a listing; ``progress`` is told the count after each thousand."""
    inventory = Inventory()
    for count, info in enumerate(blobs, 1):
        _sort(inventory, info)
        if count % 1000 == 0:
            progress(count)
    inventory.foreign = [
        replace(one, signed=True) if one.info.key.value + ".asc" in inventory.signatures else one
        for one in inventory.foreign
    ]
    return inventory


def _sort(inventory: Inventory, info: BlobInfo) -> None:
    key = info.key
    document = read_project_document(key)
    if document is not None:
        inventory.project(*document).document = key
        return
    place = read_place(key)
    if place is not None:
        if place.sidecar == ".manifest.json":
            inventory.project(place.index, place.project).manifests.append(place.home)
        elif place.sidecar is None:
            inventory.sizes[key.value] = info.size
        return
    attached = read_attached(key)
    if attached is not None:
        _sort_attached(inventory, info, attached)
        return
    if key.filename.endswith(_COMPANIONS):
        if key.filename.endswith(".asc"):
            inventory.signatures.add(key.value)
        return
    try:
        filename = Filename.parse(key.filename, _folder_project(key))
    except InvalidName:
        inventory.strays.append(key.value)
        return
    inventory.sizes[key.value] = info.size
    inventory.foreign.append(Foreign(info, filename))


def _sort_attached(inventory: Inventory, info: BlobInfo, place: Place) -> None:
    if place.sidecar == ".manifest.json":
        inventory.project(place.index, place.project).attached.append(place.home)
    elif place.sidecar is None:
        inventory.attached[info.key.value] = info.size


def _folder_project(key: StorageKey) -> ProjectName | None:
    """The project that pypicloud's folders name, where they do and the filename agrees with it."""
    for segment in reversed(key.value.split("/")[:-1]):
        try:
            project = ProjectName.parse(segment)
            Filename.parse(key.filename, project)
        except InvalidName:
            continue
        return project
    return None
