"""Which indexes the configuration defines, and which of all answers at the root."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from pypicloud_lite.indexes.model import IndexDefinition, Source
from pypicloud_lite.indexes.options import Kind, read_kind, read_options
from pypicloud_lite.kernel.errors import ConfigError, InvalidName, InvalidRequest
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.settings.declare import Settings, Words
from pypicloud_lite.settings.nearest import nearest

_FAMILY = "index."
_MIRRORS_BY = ("admins", "owners")


def _mirrors_by(word: str) -> str:
    if word.strip().lower() not in _MIRRORS_BY:
        guess = nearest(word, list(_MIRRORS_BY))
        raise ValueError(f"it must be admins or owners{f' (did you mean {guess}?)' if guess else ''}")
    return word.strip().lower()


class IndexSettings(Settings):
    """Named indexes."""

    open_keys: ClassVar[tuple[str, ...]] = (_FAMILY,)

    default_index: str = Field(
        default="root/main",
        alias="pypi.default_index",
        description="The index that answers at the root URLs, as owner/name. Files already stored keep theirs.",
    )
    mirrors_by: Annotated[str, AfterValidator(_mirrors_by)] = Field(
        default="admins",
        alias="index.mirrors_by",
        description=(
            "Who makes mirror indexes: admins, or owners, each for indexes of their own. The server then fetches from "
            "whatever address they give"
        ),
    )
    mirror_hosts: Words = Field(
        default=(),
        alias="index.mirror_hosts",
        json_schema_extra={"example": "devpi.example.com:3141"},
        description=(
            "Servers (HOST or HOST:PORT) that mirror indexes made by requests may reach though their addresses are "
            "private; public ones need no line"
        ),
    )
    entries: Mapping[str, str] = Field(
        default_factory=dict,
        alias="*",
        json_schema_extra={
            "example": [
                "index.acme/stable.bases = acme/base root/pypi",
                "index.acme/stable.volatile = false",
                "index.acme/stable.acl_upload = alice :release-team",
                "index.acme/base.title = What everybody builds on",
            ]
        },
        description="Named indexes that no request can change: index.OWNER/NAME.OPTION, as in docs/indexes.rst",
    )

    @property
    def default(self) -> IndexName:
        """The default index; ConfigError where it is no name of an index."""
        try:
            return IndexName.parse(self.default_index)
        except InvalidName as error:
            raise ConfigError(f"pypi.default_index: {error.message}") from None

    def definitions(self) -> list[IndexDefinition]:
        """The indexes of the ``index.*`` keys; ConfigError with every mistake."""
        given: dict[str, dict[str, object]] = {}
        for key, text in self.entries.items():
            name, _, option = key.removeprefix(_FAMILY).rpartition(".")
            given.setdefault(name, {})[option] = text
        problems: list[str] = []
        found = [one for name, options in given.items() if (one := self._definition(name, options, problems))]
        if problems:
            raise ConfigError(*problems)
        return found

    def _definition(self, text: str, options: dict[str, object], problems: list[str]) -> IndexDefinition | None:
        try:
            name = IndexName.parse(text)
            kind = read_kind(options.pop("type", Kind.STAGE))
            kept = read_options(options, kind)
        except (InvalidName, InvalidRequest) as error:
            problems.append(f"{_FAMILY}{text}: {error.message}")
            return None
        if kind is Kind.MIRROR and "mirror_url" not in kept:
            problems.append(f"{_FAMILY}{text}.mirror_url is missing: a mirror shows the index at that address")
            return None
        is_default = name == self.default
        if is_default and kind is Kind.MIRROR:
            problems.append(f"{_FAMILY}{text}.type = mirror: the default index takes uploads")
            return None
        return IndexDefinition(name, kind, kept, Source.FILE, is_default)
