"""Whether and how the default index shows what an upstream has; pypicloud's keys where it has them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from pypicloud_lite.mirror.rules import Curation, NamePatterns, parse_rules
from pypicloud_lite.settings.declare import Settings, Words
from pypicloud_lite.settings.nearest import nearest
from pypicloud_lite.settings.values import Duration, Size

_PACKAGETYPES = {"wheel": "bdist_wheel", "sdist": "sdist", "egg": "bdist_egg", "dumb": "bdist_dumb"}


class Fallback(StrEnum):
    """What the default index answers for a project that it does not have.

    MIRROR is pypicloud's old word for CACHE that always shows what the upstream has.
    """

    NONE = "none"
    REDIRECT = "redirect"
    CACHE = "cache"
    MIRROR = "mirror"


def _fallback(value: object) -> object:
    word = str(value).strip().lower()
    if word in {one.value for one in Fallback}:
        return word
    guess = nearest(word, [one.value for one in Fallback])
    hint = f" (did you mean {guess}?)" if guess else ""
    raise ValueError(f"it must be none, redirect, cache or mirror{hint}")


def _checked_rules(text: str) -> str:
    parse_rules(text)
    return text


def _checked_types(words: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [word for word in words if word not in _PACKAGETYPES]
    if unknown:
        raise ValueError(f"{unknown[0]!a} is none of {', '.join(_PACKAGETYPES)}")
    return words


RuleLines = Annotated[str, AfterValidator(_checked_rules)]


class MirrorSettings(Settings):
    """The mirror index ``root/pypi`` and what the default index makes of it."""

    fallback: Annotated[Fallback, BeforeValidator(_fallback)] = Field(
        default=Fallback.NONE,
        alias="pypi.fallback",
        description=(
            "For projects that are not here: none; redirect to the upstream's page; cache: show its files as our own "
            "and keep what is downloaded; mirror: the same, and pypi.always_show_upstream"
        ),
    )
    always_show_upstream: bool = Field(
        default=False,
        alias="pypi.always_show_upstream",
        description=(
            "Show the upstream's files beside those of the default index of the same project. Whoever takes a name "
            "there can then put a newer version before everybody here: name single projects in mirror.merge instead"
        ),
    )
    disallow_fallback: Words = Field(
        default=(),
        alias="pypi.disallow_fallback",
        json_schema_extra={"example": "acme-* internal-tool"},
        description="Names, with * and ?, that no upstream is ever asked for, in any spelling",
    )
    enabled: bool = Field(
        default=False,
        alias="mirror.enabled",
        description="Let /root/pypi/+simple/ answer whatever pypi.fallback says; cache and mirror imply it",
    )
    merge: Words = Field(
        default=(),
        alias="mirror.merge",
        description=(
            "Projects (names with * and ?) whose files in the default index and upstream are shown together, as far as "
            "allowed. For another index: mirror_whitelist"
        ),
    )
    freshness: Duration = Field(
        default=600, ge=1, alias="mirror.freshness", description="How long a project's page is believed unasked"
    )
    missing_for: Duration = Field(
        default=60, ge=1, alias="mirror.missing_for", description="How long a name is not asked for that was not there"
    )
    min_age: Duration = Field(
        default=0,
        alias="mirror.min_age",
        json_schema_extra={"example": "3 days"},
        description=(
            "Hide files younger than this, so that a hijacked release is found out elsewhere; an upstream that tells "
            "no times makes every file as old as it is known here"
        ),
    )
    min_age_except: Words = Field(
        default=(),
        alias="mirror.min_age_except",
        description="Projects (with * and ?) shown at once all the same",
    )
    allow: RuleLines = Field(
        default="",
        alias="mirror.allow",
        json_schema_extra={"example": "numpy >=1.26,<3"},
        description="A line for each NAME [VERSIONS] that may be shown; names take * and ?. Empty: everything",
    )
    deny: RuleLines = Field(
        default="",
        alias="mirror.deny",
        json_schema_extra={"example": "requests ==2.30.0"},
        description="Lines as in mirror.allow that are not shown; a name without versions is not even asked for",
    )
    packagetypes: Annotated[Words, AfterValidator(_checked_types)] = Field(
        default=(),
        alias="mirror.packagetypes",
        json_schema_extra={"example": "wheel sdist"},
        description="Which kinds of files are shown: wheel, sdist, egg, dumb. Empty: all",
    )
    platforms: Words = Field(
        default=(),
        alias="mirror.platforms",
        json_schema_extra={"example": "manylinux*_x86_64 musllinux*_x86_64 win_amd64"},
        description="Platform tags of wheels to show, with * and ?; those for any platform always are. Empty: all",
    )
    quota: Size | None = Field(
        default=None,
        alias="mirror.quota",
        json_schema_extra={"example": "50 GiB"},
        description="Room for files of the upstream: those not asked for the longest go first. Empty: no limit",
    )

    @property
    def is_on(self) -> bool:
        """Whether an upstream is asked at all."""
        return self.enabled or self.caches or self.shows_upstream

    @property
    def caches(self) -> bool:
        """Whether the default index shows the upstream's files as our own."""
        return self.fallback in {Fallback.CACHE, Fallback.MIRROR}

    @property
    def shows_upstream(self) -> bool:
        """Whether files here and upstream are shown together by ``pypi.fallback``, of all projects or of some."""
        return self.fallback is not Fallback.NONE and (self.merges_everything or bool(self.merge))

    @property
    def merges_everything(self) -> bool:
        """Whether our own files hide nothing."""
        return self.always_show_upstream or self.fallback is Fallback.MIRROR

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is understood and dangerous."""
        # Whatever the fallback is: the default index may have the mirror among its bases.
        if not self.merges_everything:
            return ()
        return (
            (
                "pypi.always_show_upstream: projects of the default index are shown together with files that anybody "
                "may publish upstream under the same name, and installers take the highest version. Name in "
                "pypi.disallow_fallback what is yours alone, or list the few to merge in mirror.merge"
            ),
        )

    def curation(self) -> Curation:
        """What of an upstream may be asked for and shown."""
        return Curation(
            never=NamePatterns(self.disallow_fallback),
            allow=parse_rules(self.allow),
            deny=parse_rules(self.deny),
            packagetypes=frozenset(_PACKAGETYPES[word] for word in self.packagetypes),
            platforms=tuple(word.lower() for word in self.platforms),
            min_age=float(self.min_age),
            min_age_except=NamePatterns(self.min_age_except),
        )
