"""Another index, as those see it who pass its files on.

An implementation is held to these docstrings by the contract suite ``pypicloud_lite.testing.upstream``. Every method
may be called from many threads at once; each ends within a time that the implementation names, however the other side
behaves, and holds a bounded number of bytes. What it says is judged, never believed: names, addresses and sizes that no
honest index gives are left out or refused. The only errors that escape are subclasses of
:class:`~pypicloud_lite.kernel.errors.UpstreamError`, and what a caller's sink raises. None of them means that a project
is not there: that is :class:`Absent` alone. No message holds a credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.upstream.packed import PackedNames


@dataclass(frozen=True, slots=True)
class Validator:
    """What the upstream named an answer by, for asking later whether it is still the same."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Freshness:
    """How an answer may be kept: its validator, and for how many seconds it need not be asked again.

    ``max_age`` is None where the upstream says nothing, 0 where it says never.
    """

    validator: Validator = Validator()
    max_age: int | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """One file as a page lists it.

    ``url`` is absolute, http or https, without fragment and without credentials; where it leads is judged when it is
    followed. ``hashes`` are lower-case hex by algorithm, of the right length for those that are known here.
    ``core_metadata`` is None where the upstream has no ``.metadata`` beside the file, and empty where it has one
    without a hash. ``size`` is in bytes. None elsewhere: the upstream does not say.
    """

    filename: Filename
    url: str
    hashes: Mapping[str, str] = field(default_factory=dict)
    requires_python: str | None = None
    yanked: bool = False
    yanked_reason: str | None = None
    size: int | None = None
    upload_time: datetime | None = None
    core_metadata: Mapping[str, str] | None = None
    gpg_sig: bool | None = None
    provenance: str | None = None


@dataclass(frozen=True, slots=True)
class UpstreamPage:
    """What an upstream lists of one project.

    Every file is of this project, and of a kind that :class:`Filename` knows; ``dropped`` counts the others.
    ``versions`` is None where the upstream does not say (HTML, old JSON); it may have more than there are files.
    ``serial`` is the upstream's own ``X-PyPI-Last-Serial``. ``came_by`` are the servers of this kind by which the page
    came, the upstream itself among them.
    """

    project: ProjectName
    url: str
    files: tuple[Link, ...]
    freshness: Freshness = Freshness()
    versions: tuple[str, ...] | None = None
    status: str | None = None
    status_reason: str | None = None
    api_version: str = "1.0"
    serial: int | None = None
    dropped: int = 0
    came_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UpstreamNames:
    """Every project that an upstream lists, by normalised name.

    ``dropped`` counts what is no name of a project, or one that was there already.
    """

    names: PackedNames
    dropped: int = 0
    freshness: Freshness = Freshness()


@dataclass(frozen=True, slots=True)
class NotModified:
    """The page is what it was when it had the validator that was sent along; by whom it came may be new."""

    freshness: Freshness
    came_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Absent:
    """The upstream itself says that there is no such project or document.

    ``came_round``: it is a server of this kind that would have had to ask those who ask it, and did not.
    """

    freshness: Freshness = Freshness()
    came_round: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that came whole: as many bytes as it has, each hash compared that its link has and that is known here."""

    size: int
    verified: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Some bytes of a file, and how many the whole file has."""

    data: bytes
    size: int


class Sink(Protocol):
    """Where a file's bytes go."""

    def __call__(self, chunk: bytes, /) -> object:
        """Take the next bytes, at most 256 KiB."""


class Upstream(Protocol):
    """Another index."""

    @property
    def name(self) -> str:
        """Its address as it may be shown: without credentials."""

    def project(self, name: ProjectName, validator: Validator | None = None) -> UpstreamPage | NotModified | Absent:
        """What it lists of a project; one request, and those of its redirects.

        :class:`NotModified` only where a validator was given: an upstream that answers so unasked is nonsense.
        """

    def names(self, validator: Validator | None = None) -> UpstreamNames | NotModified | Absent:
        """List every project; as :meth:`project` else.

        A page may be larger than memory should hold: it takes what its names take packed, and a few MB. A page that
        lists nothing is taken for a list only where it says or looks as if it were one.
        """

    def fetch(self, link: Link, sink: Sink, *, by_length: bool = False) -> Fetched:
        """Send a file's bytes to ``sink`` as they come.

        Sizes and hashes are compared on the way, and the last piece is given only when all of them agree: a sink
        never gets the whole of a wrong file. ``UpstreamDigestMismatch`` when they do not. A link without any hash
        that is known here is refused unasked, as nothing would tell a wrong file; with ``by_length`` it is compared by
        the length that its page or the answer tells, and refused where neither does. What the sink raises passes
        through and ends the transfer; what time it takes counts.
        """

    def metadata(self, link: Link) -> bytes | Absent:
        """Fetch the ``.metadata`` beside a file, at most 2 MiB, compared with the hashes that the link has for it."""

    def span(self, link: Link, first: int, last: int) -> Part:
        """Read the bytes ``first`` to ``last`` (inclusive, as in HTTP) of a file, at most 8 MiB; unverified.

        ``last`` is cut at the file's end; a ``first`` beyond it is nonsense. ``UpstreamWithoutRanges`` where the
        upstream sends all of it instead: nothing of that is read.
        """
