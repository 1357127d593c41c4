"""What the index holds while it is measured."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pypicloud_lite.catalog.model import FileRecord, IndexRow, ManifestState, ProjectRecord
from pypicloud_lite.indexes.layout import new_home
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.digests import digests_of
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.testing.artifacts import BuiltArtifact, build_wheel
from pypicloud_lite.testing.upstream_server import FakeIndex
from pypicloud_lite.wiring import Services, build, load_settings, prepare

BIG = 30 * 1000 * 1000
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def small_wheel() -> BuiltArtifact:
    """A wheel of about 1.3 kB."""
    return build_wheel("small", "1.0", summary="A small one", requires_python=">=3.9", body=bytes(range(256)) * 2)


def big_wheel() -> BuiltArtifact:
    """A wheel of 30 MB, which no compression makes smaller."""
    return build_wheel("big", "1.0", body=random.Random(30).randbytes(BIG))


def fill_upstream(index: FakeIndex) -> BuiltArtifact:
    """Projects of 10 and 2,000 files at an upstream, as :func:`fill` has them here; the one file that has bytes."""
    real = build_wheel("mirrored", "0.0", body=bytes(range(256)) * 2)
    for name, count in (("mirrored", 10), ("mirrored-fat", 2000)):
        for number in range(count):
            filename = f"{name.replace('-', '_')}-{number // 2}.{number % 2}.0-py3-none-any.whl"
            sha256 = digests_of(filename.encode()).sha256
            told = {
                "requires_python": ">=3.9",
                "upload_time": "2026-01-02T03:04:05Z",
                "core_metadata": {"sha256": sha256},
            }
            index.add(name, filename, b"", hashes={"sha256": sha256}, size=1000 + number, **told)
    index.add("mirrored", real.filename, real.data)
    return real


def upload_form(artifact: BuiltArtifact) -> tuple[dict[str, str], bytes]:
    """Headers and body of an upload as twine sends it."""
    boundary = "0123456789abcdef0123456789abcdef"
    name, version = artifact.filename.split("-")[:2]
    fields = {":action": "file_upload", "protocol_version": "1", "name": name, "version": version}
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="content"; filename="{artifact.filename}"\r\n\r\n'
    body = b"".join([*parts, head.encode(), artifact.data, f"\r\n--{boundary}--\r\n".encode()])
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body


def fill(config: Path, sizes: Mapping[str, int], *, height: int = 0) -> None:
    """Catalogue projects of so many files, and a stack of indexes; their bytes are never asked for."""
    settings = load_settings(config)
    prepare(settings)
    services = build(settings)
    services.first_rebuild().settle_trivial()
    for name, count in sizes.items():
        _catalogue(services, services.index, name, range(count))
    if height:
        _stack(services, height)
    services.database.dispose()


def _stack(services: Services, height: int) -> None:
    """``ci/top`` on so many indexes, one on the other; of ten files of ``ten`` each has one."""
    below: list[str] = []
    for number in range(height):
        name = IndexName("ci", f"base{number}")
        with services.catalog.write(Author("bench")) as catalog:
            catalog.define_index(IndexRow(name, "stage", {"bases": below}))
        _catalogue(services, name, "ten", range(number, number + 1))
        below = [str(name)]
    with services.catalog.write(Author("bench")) as catalog:
        catalog.define_index(IndexRow(IndexName("ci", "top"), "stage", {"bases": below}))


def _catalogue(services: Services, index: IndexName, name: str, numbers: range) -> None:
    project = ProjectName(name)
    rows = []
    for number in numbers:
        filename = Filename.parse(f"{name}-{number // 2}.{number % 2}.0-py3-none-any.whl")
        digests = digests_of(str(filename).encode())
        home = new_home(index, project, str(filename), digests.sha256)
        rows.append(
            FileRecord(
                index,
                project,
                filename,
                1000 + number,
                digests,
                home,
                home,
                WHEN,
                uploader="bench",
                requires_python=">=3.9",
                metadata_sha256=digests.sha256,
                manifest=ManifestState.DONE,
            )
        )
    with services.catalog.write(Author("bench")) as catalog:
        catalog.restore_project(ProjectRecord(index, project, name, 0, 0), [(row, {}) for row in rows], ())
