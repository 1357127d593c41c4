"""XML-RPC's ``search``: what is asked for, and what of an index it means. The semantics are pypicloud's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pypicloud_lite.catalog.model import ReleaseRecord
from pypicloud_lite.kernel.names import ProjectName, shown
from pypicloud_lite.kernel.versions import preference
from pypicloud_lite.serve.describe.xml_text import xml_text
from pypicloud_lite.serve.describe.xmlrpc import INVALID_PARAMETERS, Refused

MAX_WORDS = 32
MAX_WORD = 512
"""How many words a field may ask for, and how long each may be: the longest summary that the public PyPI takes."""

_SEPARATORS = re.compile(r"[-_.]+")
_USAGE = "call search({'name': [words], 'summary': [words]}, 'or' or 'and')"


@dataclass(frozen=True, slots=True)
class Query:
    """A project is meant by its name or by the summary of the release that is shown.

    Each field alone holds any of its words, or with ``every`` all of them; a field without words means nothing, and a
    query without any means every project. Words are lower case; names are compared as they are normalised.
    """

    names: Sequence[str]
    summaries: Sequence[str]
    every: bool

    @classmethod
    def parse(cls, parameters: Sequence[Any]) -> Query:
        """Read the parameters of ``search``; unknown fields mean nothing. :class:`Refused` for other types."""
        match parameters:
            case [dict() as fields]:
                operator = "and"
            case [dict() as fields, "and" | "or" as operator]:
                pass
            case _:
                raise Refused(INVALID_PARAMETERS, f"These parameters are not understood: {_USAGE}")
        return cls(_names(_words(fields, "name")), _words(fields, "summary"), every=operator == "and")

    def means(self, release: ReleaseRecord) -> bool:
        """Whether this release is meant."""
        if not self.names and not self.summaries:
            return True
        holds = all if self.every else any
        name, summary = release.project.value, (release.summary or "").lower()
        by_name = bool(self.names) and holds(word in name for word in self.names)
        return by_name or (bool(self.summaries) and holds(word in summary for word in self.summaries))


def best_of(releases: Iterable[ReleaseRecord], may_read: Callable[[ProjectName], bool]) -> list[ReleaseRecord]:
    """Of each project that may be read the release to offer first, by name."""
    best: dict[ProjectName, ReleaseRecord] = {}
    for release in releases:
        known = best.get(release.project)
        if known is None and not may_read(release.project):
            continue
        if known is None or _preference(release) > _preference(known):
            best[release.project] = release
    return [best[name] for name in sorted(best)]


def hit(release: ReleaseRecord) -> dict[str, str]:
    """One result as pip reads it."""
    return {
        "name": xml_text(release.display_name),
        "summary": xml_text(release.summary or ""),
        "version": release.version,
    }


def _preference(release: ReleaseRecord) -> Any:
    return preference(release.version, yanked=release.yanked)


def _words(fields: dict[str, Any], key: str) -> list[str]:
    given = fields.get(key, [])
    words = [given] if isinstance(given, str) else given
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Refused(INVALID_PARAMETERS, f"{key} must be a list of words: {_USAGE}")
    if len(words) > MAX_WORDS:
        raise Refused(INVALID_PARAMETERS, f"{key} has {len(words)} words and may have {MAX_WORDS}: search for fewer")
    for word in words:
        if len(word) > MAX_WORD:
            raise Refused(INVALID_PARAMETERS, f"{shown(word, 20)} is longer than {MAX_WORD} characters: shorten it")
    return [word.lower() for word in words if word]


def _names(words: Sequence[str]) -> list[str]:
    return [_SEPARATORS.sub("-", word) for word in words]
