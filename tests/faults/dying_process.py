"""``python dying_process.py FOLDER ACTION``: do something again and again, each time dying one step later.

A step is one change: of the storage, or a committed transaction. Each try has a folder of its own, named by the
step after which it died, and ``steps`` in it names the steps that were done. The last try, which does not die,
ends this program.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from pypicloud_lite.access.model import Identity, Role
from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.indexes.attaching import Attaching, NewAttachment
from pypicloud_lite.indexes.changes import Selection
from pypicloud_lite.indexes.copying import Copying
from pypicloud_lite.indexes.ingest import Ingest, NewFile
from pypicloud_lite.indexes.options import Kind
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.ops.resync import Resync
from pypicloud_lite.publish.attachments import Attachments
from pypicloud_lite.publish.promotion import Promotion, PromotionRequest
from pypicloud_lite.publish.removal import Removals
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel, zip_bytes
from pypicloud_lite.wiring import build, load_raw, prepare

KEPT = build_sdist("demo", "0.9")
OLD = build_wheel("demo", "1.0", body=b"old")
NEW = build_wheel("demo", "1.0", body=b"new")
SECOND = build_sdist("demo", "1.0", body=b"second")
SOURCE = IndexName("root", "dev")
FOREIGN = build_wheel("demo", "0.5", body=b"foreign")
SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"
AUTHOR = Author("writer")
DEMO = ProjectName("demo")
REASON = "told so"
PAGES = zip_bytes({"index.html": b"pages"})


class Steps:
    """Counts changes, and ends the process without a word after the last one that it may make."""

    def __init__(self, last, log):
        self._left = last
        self._log = log

    def done(self, what):
        with self._log.open("a") as log:
            log.write(f"{what}\n")
        self._left -= 1
        if not self._left:
            os._exit(9)


class MortalStorage:
    def __init__(self, storage, steps):
        self._storage = storage
        self._steps = steps

    def __getattr__(self, name):
        method = getattr(self._storage, name)
        if name not in {"put", "copy", "write", "delete"}:
            return method

        def change(*arguments):
            method(*arguments)
            changed = arguments[1] if name == "copy" else arguments[0]
            self._steps.done(f"{name} {changed.filename}")

        return change


class MortalCatalog:
    def __init__(self, catalog, steps):
        self._catalog = catalog
        self._steps = steps
        self.read = catalog.read

    @contextmanager
    def write(self, author):
        with self._catalog.write(author) as writer:
            yield writer
        self._steps.done("commit")


def add(storage, ingest, index, artifact):
    filename = Filename.parse(artifact.filename)
    with storage.spool() as spool:
        spool.write(artifact.data)
        archive = spool.reader()
        metadata = read_artifact(archive, filename)
        archive.close()
        new = NewFile(
            index=index,
            filename=filename,
            display_name=metadata.display_name,
            core=metadata.values,
            metadata=metadata.raw if filename.is_wheel else None,
            signature=SIGNATURE if filename.is_wheel else None,
            uploader="writer",
        )
        ingest.add(new, spool, AUTHOR, lambda: True)


def prepare_promotion(services):
    """A release with documentation in an index of its own, of which one file replaces another and one is new."""
    services.indexes.create(SOURCE, Kind.STAGE, {}, Identity("root", roles=frozenset({Role.ADMIN})), AUTHOR)
    for artifact in (NEW, SECOND):
        add(services.storage, services.ingest, SOURCE, artifact)
    document(services.storage, services.ingest.changes.attached, SOURCE)


def document(storage, attaching: Attaching, index, pages=PAGES, version="1.0"):
    new = NewAttachment.documentation(index, DEMO, version, system_clock(), "writer")
    with storage.spool() as spool:
        spool.write(pages)
        return attaching.add(new, spool, AUTHOR, lambda: True).record


def act(action, folder, last):
    """Prepare what the action needs, then begin it; does not come back unless all of it was done."""
    loaded = load_raw({}, folder, {})
    prepare(loaded)
    services = build(loaded)
    plain = services.ingest, services.storage
    steps = Steps(last, folder / "steps")
    storage, catalog = MortalStorage(services.storage, steps), MortalCatalog(services.catalog, steps)
    ingest = Ingest(storage, catalog, system_clock)
    add(plain[1], plain[0], services.index, KEPT)
    if action != "upload":
        add(plain[1], plain[0], services.index, OLD)
    changes = ingest.changes
    if action == "remove":
        changes.remove(Selection(services.index, DEMO, OLD.filename), AUTHOR)
    elif action == "remove all":
        changes.remove(Selection(services.index, DEMO), AUTHOR)
    elif action == "yank":
        changes.yank(Selection(services.index, DEMO), AUTHOR, REASON, yanked=True)
    elif action == "status":
        changes.set_status(services.index, DEMO, ProjectStatus.ARCHIVED, REASON, AUTHOR, lambda _before: None)
    elif action == "forget":
        plain[0].changes.remove(Selection(services.index, DEMO), AUTHOR)
        changes.forget(services.index, DEMO, AUTHOR)
    elif action in {"promote", "move"}:
        prepare_promotion(services)
        promotion = Promotion(
            catalog,
            services.gate,
            services.registry,
            Copying(storage, catalog, changes, system_clock),
            services.uploads,
            Attachments(
                storage,
                catalog,
                services.gate,
                services.registry,
                services.indexes,
                changes.attached,
                system_clock,
            ),
            Removals(catalog, services.gate, changes),
            services.sources,
        )
        wanted = PromotionRequest(SOURCE, services.index, DEMO, "1.0", move=action == "move")
        promotion.promote(wanted, Identity("admin", roles=frozenset({Role.ADMIN})), AUTHOR)
    elif action == "resync":
        (folder / "data" / "packages" / FOREIGN.filename).write_bytes(FOREIGN.data)
        services.database.dispose()
        for path in (folder / "data").glob("catalog.sqlite*"):
            path.unlink()
        prepare(loaded)
        Resync(storage, catalog, ingest, services.index, system_clock).run()
    else:
        add(storage, ingest, services.index, NEW)
    services.database.dispose()


def main(root, action):
    for last in count(1):
        folder = root / str(last)
        folder.mkdir()
        child = os.fork()
        if not child:
            act(action, folder, last)
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 9:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
