"""Names that cannot be built invalid: projects, indexes and storage keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from packaging.utils import canonicalize_name

from pypicloud_lite.kernel.errors import InvalidName

_PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_INDEX_PART = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.ASCII)
RESERVED_WORDS = frozenset(
    {
        *("account", "acct", "admin", "api", "health", "indexes", "legacy", "login", "logout", "manage", "metrics"),
        *("packages", "project", "pypi", "rpc2", "rss", "search", "simple", "static", "stats", "upload"),
        # what browsers and crawlers ask for by themselves
        *("apple-touch-icon.png", "favicon.ico", "index.html", "robots.txt"),
    }
)
"""First path segments that are no index owner and, at the root, no project (below ``/simple/`` it is one)."""

_MAX_PROJECT = 128
_MAX_INDEX_PART = 60
_MAX_KEY = 900


@dataclass(frozen=True, slots=True, order=True)
class ProjectName:
    """A project's normalised name (PEP 503): the only form that is compared, stored or authorised."""

    value: str

    def __post_init__(self) -> None:
        if not _PROJECT.fullmatch(self.value) or canonicalize_name(self.value) != self.value:
            raise InvalidName(f"{shown(self.value)} is not a normalised project name")
        if len(self.value) > _MAX_PROJECT:
            raise InvalidName(f"Project name {shown(self.value)} is longer than {_MAX_PROJECT} characters")

    @classmethod
    def parse(cls, spelling: str) -> Self:
        """Normalise any spelling (``Foo_.Bar`` becomes ``foo-bar``); refuse what no spelling allows."""
        if not _PROJECT.fullmatch(spelling):
            raise InvalidName(
                f"{shown(spelling)} is not a valid project name: use ASCII letters, digits, '.', '_' and '-', "
                "beginning and ending with a letter or digit"
            )
        return cls(canonicalize_name(spelling))

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True, order=True)
class IndexName:
    """An index: ``owner/name``, both lower case."""

    owner: str
    name: str

    def __post_init__(self) -> None:
        for part in (self.owner, self.name):
            if not _INDEX_PART.fullmatch(part) or len(part) > _MAX_INDEX_PART or ".." in part:
                raise InvalidName(
                    f"{shown(part)} cannot be part of an index name: use at most {_MAX_INDEX_PART} lower-case "
                    "ASCII letters, digits, '.', '_' and '-', beginning and ending with a letter or digit"
                )
        if self.owner in RESERVED_WORDS:
            raise InvalidName(f"{shown(self.owner)} cannot own an index: the word begins other paths of this server")
        if self.name == "json":
            raise InvalidName("An index cannot be named 'json': that word ends the JSON API's paths")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``owner/name``."""
        owner, slash, name = text.partition("/")
        if not slash:
            raise InvalidName(f"{shown(text)} is not an index name: write it as owner/name")
        return cls(owner, name)

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class StorageKey:
    """Where a blob lies: segments joined by ``/``, relative to the storage's root, never escaping it."""

    value: str

    def __post_init__(self) -> None:
        if not self.value or len(self.value.encode(errors="surrogatepass")) > _MAX_KEY:
            raise InvalidName(f"A storage key has 1 to {_MAX_KEY} bytes, not {shown(self.value)}")
        for segment in self.value.split("/"):
            if segment in {"", ".", ".."} or "\\" in segment or not segment.isprintable():
                raise InvalidName(f"{shown(self.value)} is not a storage key")

    @classmethod
    def trusted(cls, value: str) -> Self:
        """Rebuild what was checked when it was stored, without checking it again."""
        self = object.__new__(cls)
        object.__setattr__(self, "value", value)
        return self

    @property
    def filename(self) -> str:
        """The last segment."""
        return self.value.rpartition("/")[2]

    def sibling(self, suffix: str) -> StorageKey:
        """The key beside this one whose name continues with ``suffix``."""
        return StorageKey(self.value + suffix)

    def __str__(self) -> str:
        return self.value


def shown(text: str, limit: int = 80) -> str:
    """``text`` as it may stand in a message: quoted, printable ASCII, and cut at ``limit`` characters."""
    cut = text if len(text) <= limit else text[:limit] + "..."
    return ascii(cut)
