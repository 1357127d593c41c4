"""The HTTP skin of the Simple API and of files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from pyramid.request import Request

from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.downloads.counter import DownloadCounter
from pypicloud_lite.kernel.clock import iso_utc
from pypicloud_lite.kernel.errors import InvalidName, NotFound, RangeNotSatisfiable
from pypicloud_lite.kernel.names import RESERVED_WORDS, IndexName, ProjectName, shown
from pypicloud_lite.mirror.transfers import HasCome
from pypicloud_lite.serve.cache import Page
from pypicloud_lite.serve.downloads import Download, Downloads, Part
from pypicloud_lite.serve.mirrored import Coming, MirroredDownloads
from pypicloud_lite.serve.names import send_names
from pypicloud_lite.serve.negotiation import Representation, negotiate
from pypicloud_lite.serve.sending import send_page
from pypicloud_lite.serve.settings import ServeSettings
from pypicloud_lite.serve.simple import Answer, Moved, SimpleApi
from pypicloud_lite.storage.port import BlobNotFound, Span, Storage
from pypicloud_lite.upstream.hops import came_by, written
from pypicloud_lite.web.conditional import matches, parse_range
from pypicloud_lite.web.responses import Headers, PlainResponse, not_modified, redirect, respond, stream

_YEAR = 31_536_000
_ROUNDS = 3
_log = structlog.get_logger("pypicloud_lite.serve")


class SimpleViews:
    """Pages for installers."""

    def __init__(self, simple: SimpleApi, identity: RequestIdentity, index: IndexName) -> None:
        self._simple = simple
        self._identity = identity
        self._index = index

    def projects(self, request: Request) -> PlainResponse:
        """The list of projects."""
        if not request.path_info.endswith("/"):
            return self.add_slash(request)
        form = _representation(request)
        page = self._simple.projects(self._identity(request), self._index, form)
        return self._send(request, page, form)

    def files(self, request: Request) -> PlainResponse:
        """Every file on one page, as pypiserver has it: for ``pip --find-links``."""
        if not request.path_info.endswith("/"):
            return redirect(f"packages/{_query(request)}", permanent=True)
        page = self._simple.files(self._identity(request), self._index)
        return self._send(request, page, Representation.HTML)

    def project(self, request: Request) -> PlainResponse:
        """The page of one project; any other spelling of its name redirects to it."""
        spelling = request.matchdict["project"]
        try:
            name = ProjectName.parse(spelling)
        except InvalidName:
            raise NotFound(f"There is no project {shown(spelling)} here") from None
        if spelling != name.value:
            return redirect(f"../{name}/{_query(request)}", permanent=True)
        depth = request.environ["PATH_INFO"].count("/") - 1
        form = _representation(request)
        with came_by(request.environ.get("HTTP_VIA")):
            found = self._simple.project(self._identity(request), self._of(request), name, form, "../" * depth)
            via = self._simple.came_by(found)
        if isinstance(found, Moved):
            return redirect(found.url, permanent=False)
        return self._send(request, found.page, form, [*_told(found), *([("Via", written(via))] if via else [])])

    def named_projects(self, request: Request) -> PlainResponse:
        """The list of projects of an index that is named: of a mirror what its upstream lists."""
        index, identity = self._of(request), self._identity(request)
        if not request.path_info.endswith("/"):
            # No project's name, and so not to be normalised.
            return redirect(f"{request.path_info.rpartition('/')[2]}/{_query(request)}", permanent=True)
        form = _representation(request)
        with came_by(request.environ.get("HTTP_VIA")):
            listed = self._simple.upstream_names(identity, index)
        if listed is None:
            return self._send(request, self._simple.projects(identity, index, form), form)
        revision, names = listed
        return send_names(request.environ, revision, names, form, _CONTENT_TYPES[form])

    def root_project(self, request: Request) -> PlainResponse:
        """The page of a project at the root, where reserved words win over project names."""
        if request.matchdict["project"].lower() in RESERVED_WORDS:
            raise NotFound("There is nothing at this address: check its spelling")
        return self.named_project(request)

    def named_project(self, request: Request) -> PlainResponse:
        """The page of a project at an address that may lack its slash."""
        return self.project(request) if request.path_info.endswith("/") else self.add_slash(request)

    def add_slash(self, request: Request) -> PlainResponse:
        """Send to the same address with a slash, the project's name normalised."""
        last = request.path_info.rpartition("/")[2]
        try:
            last = str(ProjectName.parse(last))
        except InvalidName:
            raise NotFound(f"There is no project {shown(last)} here") from None
        return redirect(f"{last}/{_query(request)}", permanent=True)

    def _of(self, request: Request) -> IndexName:
        match = request.matchdict
        return _index(match["owner"], match["index"]) if "owner" in match else self._index

    def _send(self, request: Request, page: Page, form: Representation, more: Headers = ()) -> PlainResponse:
        return send_page(
            request.environ,
            page,
            _CONTENT_TYPES[form],
            private=self._identity(request).is_authenticated,
            vary="Accept, Accept-Encoding, Authorization, Cookie",
            more=[("X-PyPI-Last-Serial", str(page.serial)), *more],
        )


def _told(answer: Answer) -> Headers:
    """How far what is shown of an upstream can be believed."""
    listing = answer.listing
    if listing is None:
        return [("X-Mirror", "unavailable")] if answer.failed else []
    checked = iso_utc(listing.checked_at.replace(microsecond=0)) if listing.checked_at is not None else "never"
    state = "stale" if listing.is_stale else "fresh"
    return [("X-Mirror", f"{state}; checked={checked}")]


_CONTENT_TYPES = {
    Representation.JSON: "application/vnd.pypi.simple.v1+json",
    Representation.V1_HTML: "application/vnd.pypi.simple.v1+html",
    Representation.HTML: "text/html; charset=utf-8",
}


class FileViews:
    """Files and what lies beside them."""

    def __init__(
        self,
        downloads: Downloads,
        mirrored: MirroredDownloads,
        counter: DownloadCounter,
        storage: Storage,
        identity: RequestIdentity,
        index: IndexName,
        settings: ServeSettings,
    ) -> None:
        self._downloads = downloads
        self._mirrored = mirrored
        self._counter = counter
        self._storage = storage
        self._identity = identity
        self._index = index
        self._settings = settings

    def by_digest(self, request: Request) -> PlainResponse:
        """Bytes that never change under this URL."""
        match = request.matchdict
        index = _index(match["owner"], match["index"])
        return self._answer(request, self._finder(request, index, match["digest"]), f"max-age={_YEAR}, immutable")

    def by_name(self, request: Request) -> PlainResponse:
        """The current bytes of that name."""
        match = request.matchdict
        return self._by_name(request, _index(match["owner"], match["index"]))

    def in_default_index(self, request: Request) -> PlainResponse:
        """pypicloud's address of a file."""
        return self._by_name(request, self._index)

    def in_folder(self, request: Request) -> PlainResponse:
        """pypiserver's address of a file, with or without folders in it."""
        path, identity = request.matchdict["path"], self._identity(request)
        filename = path.rpartition("/")[2]
        find = partial(self._downloads.find_by_name, identity, self._index, path)
        return self._answer(request, _Wish(find, self._index, None, filename), self._current)

    def _by_name(self, request: Request, index: IndexName) -> PlainResponse:
        return self._answer(request, self._finder(request, index, None), self._current)

    @property
    def _current(self) -> str:
        """How long the bytes that a name stands for now may be kept."""
        age = self._settings.package_max_age
        return f"max-age={age}" if age else "no-cache"

    def _answer(self, request: Request, wish: _Wish, caching: str) -> PlainResponse:
        try:
            return self._send(request, wish.find(), caching)
        except BlobNotFound:
            # Replaced or deleted since the catalog was asked: what it says now is right.
            found = wish.find()
        except NotFound:
            with came_by(request.environ.get("HTTP_VIA")):
                return self._answer_from_mirror(request, wish, caching)
        try:
            return self._send(request, found, caching)
        except BlobNotFound:
            _log.error(
                "a file that the catalog lists is not in the storage: bring it back, or run ppc-resync",
                filename=str(found.record.filename),
                key=str(found.key),
            )
            # The key is nobody's business but the administrator's.
            raise self._downloads.missing(f"{found.record.filename}{found.part.value}") from None

    def _answer_from_mirror(self, request: Request, wish: _Wish, caching: str) -> PlainResponse:
        identity, author = self._identity.author(request)
        for _ in range(_ROUNDS):
            found = self._mirrored.find(identity, author, wish.index, wish.spelling, wish.filename, wish.digest)
            if found is None:
                break
            try:
                if isinstance(found, Download):
                    return self._send(request, found, caching)
                return self._send_coming(request, found, caching)
            except (HasCome, BlobNotFound):
                # Ask again where it is now: here, or gone from here.
                if (here := _quietly(wish.find)) is not None:
                    return self._send(request, here, caching)
        raise self._downloads.missing(wish.filename)

    def _finder(self, request: Request, index: IndexName, digest: str | None) -> _Wish:
        match, identity = request.matchdict, self._identity(request)
        spelling, filename = match["project"], match["filename"]
        find = partial(self._downloads.find, identity, index, spelling, filename, digest)
        return _Wish(find, index, spelling, filename, digest)

    def _send_coming(self, request: Request, coming: Coming, caching: str) -> PlainResponse:
        """A file that is not here yet, from its first byte on: parts of it can be had once it is here."""
        headers = [("Cache-Control", f"{self._scope(request)}, {caching}")]
        if coming.part is Part.METADATA:
            document = self._mirrored.metadata(coming)
            headers.append(("ETag", f'"{document.sha256}"'))
            return respond("200 OK", [*headers, ("Content-Type", "text/plain; charset=utf-8")], document.content)
        if coming.wanted.is_external:
            return redirect(coming.wanted.file.link.url, permanent=False, cache_control="no-store")
        if coming.etag is not None:
            headers.append(("ETag", coming.etag))
            if matches(request.environ.get("HTTP_IF_NONE_MATCH"), coming.etag):
                return not_modified(headers)
        headers.append(("Content-Type", "application/octet-stream"))
        size = coming.wanted.file.link.size
        if request.method == "HEAD":
            length = [("Content-Length", str(size))] if size is not None else []
            return stream("200 OK", [*headers, *length], [])
        reader = self._mirrored.open(coming)
        if reader.size is not None:
            return stream("200 OK", [*headers, ("Content-Length", str(reader.size))], reader)
        # To a proxy of HTTP/1.0 the end of the connection is the end of the file, also of one that broke off: it must
        # not keep that under the name of the whole.
        untold = [header for header in headers if header[0] not in {"ETag", "Cache-Control"}]
        return stream("200 OK", [*untold, ("Cache-Control", "no-store")], reader)

    def _scope(self, request: Request) -> str:
        return "private" if self._identity(request).is_authenticated else "public"

    def _send(self, request: Request, found: Download, caching: str) -> PlainResponse:
        environ = request.environ
        self._mirrored.check(found.record)
        headers = [
            ("ETag", found.etag),
            ("Cache-Control", f"{self._scope(request)}, {caching}"),
        ]
        if matches(environ.get("HTTP_IF_NONE_MATCH"), found.etag):
            return not_modified(headers)
        if found.size is None:
            return self._send_small(found, headers)
        headers += [("Accept-Ranges", "bytes"), ("Content-Type", "application/octet-stream")]
        if request.method == "HEAD":
            # A signed URL holds for GET alone, so even then HEAD is answered here, from the catalog.
            return stream("200 OK", [*headers, ("Content-Length", str(found.size))], [])
        answer = self._elsewhere(found, headers) or self._send_bytes(request, found, found.size, headers)
        if _begins(environ, found.size, found.etag):
            self._counter.note(found.project_id, found.record.version)
            self._mirrored.hit(found.record)
        return answer

    def _elsewhere(self, found: Download, headers: list[tuple[str, str]]) -> PlainResponse | None:
        """Let nginx or the object store send the bytes, where that is set up."""
        if self._settings.stream_files:
            return None
        accelerated = self._storage.accelerated(found.key)
        if accelerated is not None:
            # nginx would pass this one on and add its own.
            kept = [header for header in headers if header[0] != "Accept-Ranges"]
            return stream("200 OK", [*kept, ("X-Accel-Redirect", accelerated)], [])
        url = self._storage.signed_url(found.key, str(found.record.filename))
        return None if url is None else redirect(url, permanent=False, cache_control="no-store")

    def _send_bytes(
        self, request: Request, found: Download, size: int, headers: list[tuple[str, str]]
    ) -> PlainResponse:
        environ = request.environ
        wanted = parse_range(environ.get("HTTP_RANGE"), size, environ.get("HTTP_IF_RANGE"), found.etag)
        if wanted is None:
            return stream("200 OK", [*headers, ("Content-Length", str(size))], self._storage.open(found.key))
        start, stop = wanted
        headers += [
            ("Content-Range", f"bytes {start}-{stop - 1}/{size}"),
            ("Content-Length", str(stop - start)),
        ]
        return stream("206 Partial Content", headers, self._storage.open(found.key, Span(start, stop)))

    def _send_small(self, found: Download, headers: list[tuple[str, str]]) -> PlainResponse:
        kind = "text/plain; charset=utf-8" if found.part is Part.METADATA else "application/pgp-signature"
        return respond("200 OK", [*headers, ("Content-Type", kind)], self._storage.read(found.key))


@dataclass(frozen=True, slots=True)
class _Wish:
    """An address of a file: how to find it here, and what it says, for finding it elsewhere."""

    find: Callable[[], Download]
    index: IndexName
    spelling: str | None
    filename: str
    digest: str | None = None


def _quietly(find: Callable[[], Download]) -> Download | None:
    try:
        return find()
    except NotFound:
        return None


def _begins(environ: Mapping[str, Any], size: int, etag: str) -> bool:
    """Whether a GET is for a file from its first byte on: of a download in parts that is one of them."""
    if "HTTP_RANGE" not in environ:
        return True
    try:
        wanted = parse_range(environ["HTTP_RANGE"], size, environ.get("HTTP_IF_RANGE"), etag)
    except RangeNotSatisfiable:
        # Sent to where the bytes are, which will say so.
        return False
    return wanted is None or wanted[0] == 0


def _representation(request: Request) -> Representation:
    query = request.environ.get("QUERY_STRING")
    chosen = request.GET.get("format") if query else None
    return negotiate(request.environ.get("HTTP_ACCEPT"), chosen)


def _query(request: Request) -> str:
    query = request.environ.get("QUERY_STRING")
    return f"?{query}" if query else ""


def _index(owner: str, name: str) -> IndexName:
    try:
        return IndexName(owner, name)
    except InvalidName:
        raise NotFound(f"There is no index {shown(owner + '/' + name)} here") from None
