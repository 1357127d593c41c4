"""Which names an upstream may be asked for, and which of its files may be shown: pure rules."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import translate
from zlib import crc32

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from pypicloud_lite.kernel.clock import iso_utc
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import ProjectName, shown
from pypicloud_lite.kernel.versions import parse_version

_SEPARATORS = re.compile(r"[-_.]+")
_PATTERN = re.compile(r"[A-Za-z0-9*?\[\]][A-Za-z0-9*?\[\]._-]*", re.ASCII)


class NamePatterns:
    """Names with ``*`` and ``?``, matched against normalised ones in whatever spelling they were written."""

    def __init__(self, patterns: Iterable[str]) -> None:
        spelled = [translate(_SEPARATORS.sub("-", pattern).lower()) for pattern in patterns]
        self._any = re.compile("|".join(spelled)) if spelled else None

    @property
    def pattern(self) -> str:
        """All of them as one regular expression; empty for none."""
        return self._any.pattern if self._any is not None else ""

    def __contains__(self, name: ProjectName) -> bool:
        return self._any is not None and self._any.match(name.value) is not None

    def __bool__(self) -> bool:
        return self._any is not None


_NOBODY = NamePatterns(())


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of ``mirror.allow`` or ``mirror.deny``; without ``versions`` it speaks of all of them."""

    names: NamePatterns
    versions: SpecifierSet | None

    def speaks_of(self, filename: Filename) -> bool:
        """Whether the file is of a name and a version that the line means; pre-releases too."""
        if filename.project not in self.names:
            return False
        return self.versions is None or self.versions.contains(parse_version(filename.version), prereleases=True)


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Read the lines; ``ValueError`` names the first that is none."""
    rules = []
    for line in filter(None, map(str.strip, text.splitlines())):
        match = _PATTERN.match(line)
        name, versions = (match[0], line[match.end() :].strip()) if match else ("", line)
        try:
            specifiers = SpecifierSet(versions) if versions else None
        except InvalidSpecifier:
            specifiers, name = None, ""
        if not name:
            raise ValueError(f"{shown(line)} is not NAME or NAME VERSIONS, such as numpy >=1.26,<3")
        rules.append(Rule(NamePatterns([name]), specifiers))
    return tuple(rules)


@dataclass(frozen=True, slots=True)
class Curation:
    """What an administrator lets through. ``min_age`` is in seconds; empty collections let everything through."""

    never: NamePatterns
    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    packagetypes: frozenset[str] = frozenset()
    platforms: tuple[str, ...] = ()
    min_age: float = 0.0
    min_age_except: NamePatterns = _NOBODY

    @property
    def names_nothing(self) -> bool:
        """Whether every name may be asked for."""
        return not self.never and not self.allow and not self.deny

    @property
    def fingerprint(self) -> int:
        """It changes with which names may be asked for."""
        texts = [self.never.pattern]
        texts += [f"allow {rule.names.pattern}" for rule in self.allow]
        texts += [f"deny {rule.names.pattern}" for rule in self.deny if rule.versions is None]
        return crc32("\n".join(texts).encode())

    def asks_for(self, name: ProjectName) -> bool:
        """Whether an upstream may learn that somebody wants this name: asked before every request, on any route."""
        if name in self.never or any(rule.versions is None and name in rule.names for rule in self.deny):
            return False
        return not self.allow or any(name in rule.names for rule in self.allow)

    def refusal(self, filename: Filename, uploaded_at: datetime, now: datetime) -> str | None:
        """Why a file is not shown, as a sentence for whoever asked for it; None where it is."""
        if any(rule.speaks_of(filename) for rule in self.deny):
            return f"{filename} is on this index's list of what is not to be had from elsewhere (mirror.deny)"
        if self.allow and not any(rule.speaks_of(filename) for rule in self.allow):
            return f"{filename} is not on this index's list of what may be had from elsewhere (mirror.allow)"
        if self.packagetypes and filename.packagetype not in self.packagetypes:
            return f"{filename}: this index takes no such kind of file from elsewhere (mirror.packagetypes)"
        if self.platforms and not self._fits_platform(filename):
            return f"{filename}: this index takes no files for that platform from elsewhere (mirror.platforms)"
        if self.is_too_young(filename.project, uploaded_at, now):
            since = iso_utc((uploaded_at + timedelta(seconds=self.min_age)).replace(microsecond=0))
            return f"{filename} is younger than this index lets through (mirror.min_age): it is shown from {since} on"
        return None

    def is_too_young(self, project: ProjectName, uploaded_at: datetime, now: datetime) -> bool:
        """Whether the quarantine window still hides something that came then."""
        if not self.min_age or project in self.min_age_except:
            return False
        return now - uploaded_at < timedelta(seconds=self.min_age)

    def _fits_platform(self, filename: Filename) -> bool:
        if not filename.is_wheel:
            return True
        tags = filename.value.removesuffix(".whl").rpartition("-")[2].lower().split(".")
        return any(tag == "any" or any(_matches(tag, pattern) for pattern in self.platforms) for tag in tags)


def _matches(tag: str, pattern: str) -> bool:
    return re.match(translate(pattern), tag) is not None
