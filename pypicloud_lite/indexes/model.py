"""The definition of an index, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any

from pypicloud_lite.access.model import IndexRules
from pypicloud_lite.indexes.masking import masked
from pypicloud_lite.indexes.options import OPTIONS, Kind
from pypicloud_lite.kernel.names import IndexName


class Source(Enum):
    """Where a definition stands: only what is in the database can be changed by requests."""

    BUILT_IN = "built in"
    FILE = "configuration"
    DATABASE = "database"


_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class IndexDefinition:
    """``options`` are those that were set, as :func:`~pypicloud_lite.indexes.options.read_options` gives them.

    ``is_default``: the index at the root. Its rights are the server's rules, whatever lists it has.
    """

    name: IndexName
    kind: Kind = Kind.STAGE
    options: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    source: Source = Source.DATABASE
    is_default: bool = False
    created_at: datetime | None = None

    def get(self, name: str) -> Any:
        """An option's value, or what holds without it."""
        if name in self.options:
            return self.options[name]
        if name == "acl_upload":
            return [self.name.owner]
        if name == "volatile" and (self.is_default or self.kind is Kind.MIRROR):
            return False
        return OPTIONS[name].default

    @property
    def is_mirror(self) -> bool:
        """Whether it shows an upstream."""
        return self.kind is Kind.MIRROR

    @property
    def bases(self) -> tuple[IndexName, ...]:
        """The indexes that it also shows, in order."""
        return tuple(IndexName.parse(one) for one in self.options.get("bases", ()))

    @property
    def volatile(self) -> bool:
        """Whether what is in it may be replaced and deleted."""
        return bool(self.get("volatile"))

    @property
    def title(self) -> str | None:
        """One line about it."""
        title: str | None = self.options.get("title")
        return title

    @property
    def rules(self) -> IndexRules | None:
        """Who may do what in it; None where the server's rules say so."""
        if self.is_default:
            return None
        read = self.get("acl_read")
        return IndexRules(
            owner=self.name.owner,
            read=frozenset(read) if read is not None else None,
            upload=frozenset(() if self.is_mirror else self.get("acl_upload")),
            test=frozenset(() if self.is_mirror else self.get("acl_toxresult_upload")),
            force=frozenset(self.options.get("acl_force", ())),
            volatile=self.volatile,
        )

    def shown(self) -> dict[str, Any]:
        """``type`` and every option that is set or has a value without being set, as JSON; no login of a mirror."""
        told: dict[str, Any] = {"type": self.kind.value}
        for one in OPTIONS.values():
            value = self.get(one.name) if self.kind in one.kinds else None
            if value is not None:
                told[one.name] = list(value) if one.is_list else value
        if "mirror_url" in told:
            told["mirror_url"] = masked(told["mirror_url"])
        if self.is_default:
            del told["acl_upload"], told["acl_toxresult_upload"]
        return told
