"""What a project is found by: words, the same for what is stored and for what is asked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.names import ProjectName

WORD = 40
"""The most characters of a word that are kept; longer ones are cut, those that are asked for too."""

_WORDS = 64
_REQUIREMENTS = 500
_TEXT = 4000
_ASCII_RUN = re.compile(r"[A-Za-z0-9]+")
_HOST = re.compile(r"(?<=\w)@[\w.-]+")  # of a mailbox: else everybody would be found by "com"


class Weight(IntEnum):
    """Where a word stands; the lower, the better it tells what a project is."""

    NAME = 2
    SUMMARY = 3
    KEYWORDS = 4
    PEOPLE = 5
    WITHIN_NAME = 6


def words_of(text: str) -> list[str]:
    """Runs of letters and digits in any script, each once, in order; alike in either case and however composed."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text[:_TEXT]).casefold())
    folded = _HOST.sub("", folded)
    runs = _ASCII_RUN.findall(folded) if folded.isascii() else _runs(folded)
    return list(dict.fromkeys(run[:WORD] for run in runs))


def _runs(text: str) -> list[str]:
    """Of letters with their marks: many scripts write vowels as such."""
    kept = "".join(one if one.isalnum() or unicodedata.category(one)[0] == "M" else " " for one in text)
    return [run for run in kept.split() if run[0].isalnum()]


def terms_of(name: ProjectName, summary: str | None, core: Mapping[str, Any]) -> dict[str, Weight]:
    """At most 64 words of a release's metadata, the best first, each with the best place where it stands."""
    parts = name.value.split("-")
    places: Sequence[tuple[Weight, Iterable[str]]] = (
        (Weight.NAME, (*parts, "".join(parts))),
        (Weight.SUMMARY, (summary or "",)),
        (Weight.KEYWORDS, _texts(core, "keywords")),
        (Weight.PEOPLE, _texts(core, "author", "author_email", "maintainer", "maintainer_email")),
    )
    found: dict[str, Weight] = {}
    for weight, texts in places:
        for word in words_of(" ".join(texts)):
            if len(found) < _WORDS:
                found.setdefault(word, weight)
    return found


def requirements_of(core: Mapping[str, Any]) -> dict[ProjectName, bool]:
    """The projects that a release requires, at most 500, each with whether only its extras do."""
    found: dict[ProjectName, bool] = {}
    for text in _texts(core, "requires_dist"):
        try:
            requirement = Requirement(text)
            name = ProjectName.parse(requirement.name)
        except (InvalidRequirement, InvalidName):
            continue
        if name in found or len(found) < _REQUIREMENTS:
            optional = "extra" in str(requirement.marker or "")
            found[name] = optional and found.get(name, True)
    return found


def _texts(core: Mapping[str, Any], *keys: str) -> list[str]:
    """Texts and lists of texts; rows that another server's storage was read into may have values of any shape."""
    values = (core.get(key) for key in keys)
    lists = (value if isinstance(value, list | tuple) else (value,) for value in values)
    return [one for each in lists for one in each if isinstance(one, str)]
