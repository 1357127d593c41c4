"""The composition root: the one place that constructs backends and services."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from pypicloud_lite.access.acl_document import AclDocument
from pypicloud_lite.access.administration import Administration
from pypicloud_lite.access.authentication import Authenticator
from pypicloud_lite.access.directory import Directory
from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.login_settings import LoginSettings
from pypicloud_lite.access.login_tokens import LoginTokens
from pypicloud_lite.access.logins import Logins
from pypicloud_lite.access.passwords import ADMITTED, PasswordHasher
from pypicloud_lite.access.port import AccessContext
from pypicloud_lite.access.profiles import Profiles
from pypicloud_lite.access.proofs import Proofs
from pypicloud_lite.access.recollection import Recollection
from pypicloud_lite.access.registration import Registration
from pypicloud_lite.access.sessions import Sessions
from pypicloud_lite.access.settings import AccessSettings
from pypicloud_lite.access.signup import SignupTokens
from pypicloud_lite.access.tokens import Tokens
from pypicloud_lite.access.transfer import exported
from pypicloud_lite.browse.files.contents import Contents
from pypicloud_lite.catalog.port import Catalog
from pypicloud_lite.catalog.sql import SqlCatalog
from pypicloud_lite.db.engine import Database
from pypicloud_lite.db.migrate import check, upgrade
from pypicloud_lite.db.settings import DatabaseSettings
from pypicloud_lite.devpi.login import DevpiLogin
from pypicloud_lite.devpi.settings import DevpiSettings
from pypicloud_lite.devpi.users import Users
from pypicloud_lite.downloads.counter import DownloadCounter
from pypicloud_lite.downloads.counts import DownloadCounts
from pypicloud_lite.downloads.thinning import Thinning
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.indexes.belongings import IndexesOfUsers
from pypicloud_lite.indexes.copying import Copying
from pypicloud_lite.indexes.ingest import Ingest
from pypicloud_lite.indexes.lasting import keep_names
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.indexes.settings import IndexSettings
from pypicloud_lite.journal.model import Author
from pypicloud_lite.journal.refusals import Refusals
from pypicloud_lite.journal.sql import append
from pypicloud_lite.kernel.clock import Clock, system_clock
from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.manage.listing import Listings
from pypicloud_lite.mirror.eviction import Eviction
from pypicloud_lite.mirror.overview import MirrorOverview
from pypicloud_lite.mirror.registry import Mirrors
from pypicloud_lite.mirror.service import Mirror
from pypicloud_lite.mirror.settings import MirrorSettings
from pypicloud_lite.ops.first_rebuild import FirstRebuild
from pypicloud_lite.ops.housekeeping import Housekeeping
from pypicloud_lite.ops.leftovers import Leftovers
from pypicloud_lite.ops.mirror_room import MirrorRoom
from pypicloud_lite.ops.report import Report
from pypicloud_lite.ops.rescan import Rescan
from pypicloud_lite.ops.resync import Progress, Resync
from pypicloud_lite.ops.running import Run, TaskRunner
from pypicloud_lite.ops.search_filling import SearchFilling
from pypicloud_lite.ops.tasks import Task, Tasks
from pypicloud_lite.publish.attachments import Attachments
from pypicloud_lite.publish.promotion import Promotion
from pypicloud_lite.publish.removal import Removals
from pypicloud_lite.publish.sending import Sending
from pypicloud_lite.publish.settings import PublishSettings
from pypicloud_lite.publish.sources import Sources
from pypicloud_lite.publish.status import Statuses
from pypicloud_lite.publish.upload import Uploads
from pypicloud_lite.publish.yanking import Yanking
from pypicloud_lite.readme.readmes import Readmes
from pypicloud_lite.serve.cache import PageCache
from pypicloud_lite.serve.describe.descriptions import Descriptions
from pypicloud_lite.serve.describe.project_documents import ProjectDocuments
from pypicloud_lite.serve.docs.sites import Documentation
from pypicloud_lite.serve.downloads import Downloads
from pypicloud_lite.serve.mirrored import MirroredDownloads
from pypicloud_lite.serve.project_files import ProjectLookup
from pypicloud_lite.serve.projects import Projects
from pypicloud_lite.serve.resolving import Resolver
from pypicloud_lite.serve.settings import ServeSettings
from pypicloud_lite.serve.simple import SimpleApi
from pypicloud_lite.settings.load import Loaded
from pypicloud_lite.storage.backends.local_turns import turn_in_folder
from pypicloud_lite.storage.port import Storage
from pypicloud_lite.web.health import Health
from pypicloud_lite.wiring.folders import disk_of, folder_of
from pypicloud_lite.wiring.indexing import build_indexes, registry_of
from pypicloud_lite.wiring.loading import load_raw as load_raw
from pypicloud_lite.wiring.loading import load_settings as load_settings
from pypicloud_lite.wiring.loading import storage_of
from pypicloud_lite.wiring.mirroring import build_mirrors, mirror_chores, uploader
from pypicloud_lite.wiring.people import create_root, directory, import_users, warn_without_admin

PROVED_SECONDS = 60.0
"""How long a password that was right is not hashed again, nor a directory or another server asked about it.

Those may not show when a password was changed; the change must count within a minute all the same.
"""

_REBUILD = "resync"


def _in_silence(_done: int, _total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a request or a command calls, made once per process; making it does no I/O."""

    settings: Loaded
    clock: Clock
    index: IndexName
    database: Database
    storage: Storage
    catalog: Catalog
    access: Directory
    hasher: PasswordHasher
    gate: Gate
    registry: Registry
    indexes: Indexes
    authenticator: Authenticator
    logins: Logins
    tokens: Tokens
    sessions: Sessions
    registration: Registration
    administration: Administration
    users: Users
    devpi_login: DevpiLogin
    refusals: Refusals
    readmes: Readmes
    ingest: Ingest
    uploads: Uploads
    attachments: Attachments
    documentation: Documentation
    removals: Removals
    sources: Sources
    promotion: Promotion
    sending: Sending
    yanking: Yanking
    statuses: Statuses
    listings: Listings
    simple: SimpleApi
    lookup: ProjectLookup
    projects: Projects
    descriptions: Descriptions
    documents: ProjectDocuments
    downloads: Downloads
    mirrors: Mirrors
    eviction: Eviction
    mirror_overview: MirrorOverview
    mirror_room: MirrorRoom
    mirrored: MirroredDownloads
    contents: Contents
    tasks: Tasks
    runner: TaskRunner
    counter: DownloadCounter
    counts: DownloadCounts

    @property
    def mirror(self) -> Mirror:
        """The built-in one."""
        return self.mirrors.built_in

    @property
    def warnings(self) -> tuple[str, ...]:
        """What in the configuration was understood and is probably a mistake."""
        return (*self.settings.warnings, *self.access.warnings, *self.settings.get(MirrorSettings).warnings)

    def resync(self, heartbeat: Callable[[], None] = lambda: None, progress: Progress = _in_silence) -> Report:
        """Rebuild the catalog from storage."""
        return Resync(self.storage, self.catalog, self.ingest, self.index, self.clock, heartbeat, progress).run()

    def export_people(self, author: Author) -> AclDocument:
        """Users with the hashes of their passwords, groups and rules; the journal says who took them."""
        with self.database.write() as connection:
            append(connection, self.clock(), author, "export people")
        return exported(self.access, self.administration)

    def start_rebuild(self, author: Author) -> None:
        """Rebuild in the background of this process; ``TaskRunning`` where any process does so already."""
        self.runner.start(_REBUILD, author, "rebuild", self._rebuild)

    def rebuild(self, author: Author) -> Mapping[str, Any]:
        """As :meth:`start_rebuild`, here and now; the report."""
        return self.runner.run(_REBUILD, author, "rebuild", self._rebuild)

    def rebuilds(self, limit: int) -> Sequence[Task]:
        """The last of them, of all processes, the newest first: one query."""
        return self.tasks.latest(_REBUILD, limit)

    def _rebuild(self, run: Run) -> Mapping[str, Any]:
        report = self.resync(run.check, run.progress)
        return {**report.counts(), "remarks": report.remarks}

    def first_rebuild(self, progress: Progress = _in_silence) -> FirstRebuild:
        """The very first rebuild."""
        return FirstRebuild(self.storage, self.catalog, self.clock, partial(self.resync, progress=progress))

    def resync_or_first(self, progress: Progress = _in_silence) -> Report:
        """Rebuild, announced as the first one where it is: the server then takes over if this process dies."""
        first = self.first_rebuild(progress)
        return first.run() if first.claim() else self.resync(progress=progress)

    def leftovers(self) -> Leftovers:
        """What interrupted uploads left in the storage."""
        return Leftovers(self.storage, self.catalog, self.clock)

    def health(self) -> Health:
        """What ``/health`` asks; the names are pypicloud's."""
        return Health({"access": self.access.probe, "cache": self.catalog.probe, "storage": self.storage.probe})

    def housekeeping(self) -> Housekeeping:
        """The background work of one process."""
        rebuild, settings = self.first_rebuild(), self.settings
        return Housekeeping(
            self.storage,
            self.ingest,
            rebuild,
            self.clock,
            lambda: prepare(settings),
            rescan=self.rescan(),
            chores={
                "write down refusals": self.refusals.write,
                "write down downloads": self.counter.write,
                "sum up old downloads": Thinning(self.database, self.clock).run,
                "clear what is left of removed indexes": self.indexes.clear_dropped,
                **mirror_chores(self.mirrors, self.eviction, settings.get(MirrorSettings)),
            },
            at_stop=self.runner.stop,
            filling=SearchFilling(self.catalog),
        )

    def catalog_serial(self) -> int:
        """Of the last change: one query."""
        with self.catalog.read(snapshot=False) as catalog:
            return catalog.state().serial

    def disk(self) -> tuple[int, int] | None:
        """Bytes that are free, and all, on the disk where files lie; None where they lie in no folder."""
        return disk_of(self.settings)

    def rescan(self) -> tuple[Rescan, float] | None:
        """What looks after a folder that people touch, and its interval in seconds; None where it is off."""
        folder = folder_of(self.settings)
        if folder is None or folder.rescan_seconds is None:
            return None
        seconds = float(folder.rescan_seconds)
        turn = partial(turn_in_folder, folder.dir, seconds, self.clock)
        return Rescan(self.storage, self.catalog, self.ingest, self.index, self.clock, turn), seconds


def build(settings: Loaded, clock: Clock = system_clock, follow: Path | None = None) -> Services:
    """Construct everything; no I/O but the hash of ``PPC_ADMIN_PASSWORD``.

    Users, groups, grants and default rights are read again when the file ``follow`` changes; all else needs a
    restart.
    """
    index = settings.get(IndexSettings).default
    database = Database(settings.get(DatabaseSettings))
    catalog = SqlCatalog(database, clock)
    storage = storage_of(settings)
    own = settings.get(AccessSettings)
    context = AccessContext(database, clock, PasswordHasher(own.scheme, own.rounds, admitted=ADMITTED))
    access = directory(settings, context, follow, load_settings)
    registry = registry_of(settings, catalog)
    gate = Gate(access, index, registry.rules_of)
    authenticator = Authenticator(access, Proofs(ttl=PROVED_SECONDS), own.throttle())
    login = settings.get(LoginSettings)
    recollection = Recollection(access)
    tokens = Tokens(database, clock, access, recollection)
    sessions = Sessions(database, clock, recollection, login.idle_time, login.cookie_secret)
    signup = SignupTokens(login.signup_secret, timedelta(seconds=login.signup_lifetime), clock)
    ingest = Ingest(storage, catalog, clock)
    indexes = build_indexes(settings, database, catalog, registry, gate, ingest.changes, access)
    belongings = IndexesOfUsers(indexes, registry)
    administration = Administration(database, clock, access, context.hasher, belongings)
    devpi = settings.get(DevpiSettings)
    login_tokens = LoginTokens(database, clock, access, timedelta(seconds=devpi.login_lifetime))
    pages = PageCache(settings.get(ServeSettings).page_cache)
    tasks = Tasks(database, clock)
    downloads = Downloads(catalog, gate)
    mirrors = build_mirrors(settings, index, database, catalog, storage, ingest, registry, clock)
    eviction, runner = Eviction(database, ingest.changes, mirrors.names), TaskRunner(tasks)
    projects = Projects(catalog, gate, mirrors, index)
    resolver = Resolver(registry, gate, mirrors)
    uploads = Uploads(catalog, gate, ingest, registry, strict=settings.get(PublishSettings).strict)
    removals = Removals(catalog, gate, ingest.changes)
    sources, copying = Sources(catalog, gate, registry, mirrors.of), Copying(storage, catalog, ingest.changes, clock)
    attachments = Attachments(storage, catalog, gate, registry, indexes, ingest.changes.attached, clock)
    return Services(
        settings=settings,
        clock=clock,
        index=index,
        database=database,
        storage=storage,
        catalog=catalog,
        access=access,
        hasher=context.hasher,
        gate=gate,
        registry=registry,
        indexes=indexes,
        authenticator=authenticator,
        logins=Logins(authenticator, tokens, sessions),
        tokens=tokens,
        sessions=sessions,
        registration=Registration(administration, signup, authenticator.throttle, database, clock),
        administration=administration,
        users=Users(
            access,
            administration,
            Profiles(database),
            indexes,
            gate,
            authenticator.throttle,
            clock,
            open_registration=devpi.open_registration,
        ),
        devpi_login=DevpiLogin(authenticator, access, login_tokens),
        refusals=Refusals(database, clock),
        readmes=Readmes(),
        ingest=ingest,
        uploads=uploads,
        attachments=attachments,
        documentation=Documentation(storage, catalog, gate, registry),
        removals=removals,
        sources=sources,
        promotion=Promotion(catalog, gate, registry, copying, uploads, attachments, removals, sources),
        sending=Sending(catalog, storage, sources, uploader(settings)),
        yanking=Yanking(gate, ingest.changes),
        statuses=Statuses(gate, ingest.changes),
        listings=Listings(catalog, gate),
        simple=SimpleApi(catalog, gate, pages, resolver, mirrors),
        lookup=ProjectLookup(catalog, gate, resolver),
        projects=projects,
        descriptions=Descriptions(catalog, gate, pages),
        documents=ProjectDocuments(projects, pages, index),
        downloads=downloads,
        mirrors=mirrors,
        eviction=eviction,
        mirror_overview=MirrorOverview(eviction, catalog, settings.get(MirrorSettings)),
        mirror_room=MirrorRoom(runner, tasks, eviction, settings.get(MirrorSettings).quota),
        mirrored=MirroredDownloads(catalog, gate, mirrors, downloads, index),
        contents=Contents(storage),
        tasks=tasks,
        runner=runner,
        counter=DownloadCounter(database, clock),
        counts=DownloadCounts(database, clock),
    )


def prepare(settings: Loaded) -> None:
    """What must be true before the first request: the storage is there, the database is of this version.

    Cheap when it is so already. :class:`ConfigError` says what to change. Leaves no connection open, so that a
    server may fork afterwards.
    """
    services = build(settings)
    services.storage.prepare()
    try:
        if settings.get(DatabaseSettings).migrate == "auto":
            upgrade(services.database)
        elif pending := check(services.database):
            raise ConfigError(f"db.migrate = check and the database lacks {', '.join(pending)}: run ppc-db upgrade")
        keep_names(services.catalog, services.registry)
        import_users(services.administration, services.settings)
        create_root(services.administration, services.access, services.settings)
        warn_without_admin(services.access, services.settings)
    finally:
        services.database.dispose()


def prepare_to_serve(settings: Loaded) -> None:
    """:func:`prepare`, and where catalog and storage are both new, say that there is nothing to rebuild.

    Before the workers start: else one of them would answer 503 while another one looks.
    """
    prepare(settings)
    services = build(settings)
    try:
        services.first_rebuild().settle_trivial()
    finally:
        services.database.dispose()
