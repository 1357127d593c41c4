"""Making, changing and removing named indexes: the one place that knows the rules, whichever skin is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity
from pypicloud_lite.catalog.model import IndexRow
from pypicloud_lite.catalog.port import Catalog, CatalogReader, CatalogWriter
from pypicloud_lite.indexes.changes import Changes, Selection
from pypicloud_lite.indexes.definitions import Definitions
from pypicloud_lite.indexes.masking import unmasked
from pypicloud_lite.indexes.model import IndexDefinition, Source
from pypicloud_lite.indexes.options import Kind, items, option, read_options
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.indexes.sidecars import HOUSEKEEPING
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import (
    AuthenticationRequired,
    BackendUnavailable,
    Conflict,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PpcError,
)
from pypicloud_lite.kernel.names import IndexName, shown

_MOST_INDEXES = 500
"""Of one owner."""


class IndexExists(Conflict):
    """There is an index of that name."""

    code = "index-exists"


class Indexes:
    """The service. Each change is one transaction, which other writers wait for."""

    def __init__(
        self,
        catalog: Catalog,
        registry: Registry,
        gate: Gate,
        changes: Changes,
        knows_user: Callable[[str], bool],
        mirrors_by: Callable[[Identity], bool],
        forget_mirror: Callable[[IndexName], None],
    ) -> None:
        self._catalog = catalog
        self._registry = registry
        self._gate = gate
        self._changes = changes
        self._knows_user = knows_user
        self._mirrors_by = mirrors_by
        self._forget_mirror = forget_mirror

    def get(self, identity: Identity, name: IndexName) -> IndexDefinition:
        """The index, for a caller who may know that it is there; else the answer for one that is not."""
        found = self._registry.now().get(name)
        if found is None or not self.may_see(identity, found):
            raise self.unknown(identity, name)
        return found

    def require_known(self, identity: Identity, name: IndexName) -> IndexDefinition:
        """As :meth:`get`, but only who its lists keep from reading is told of none: others may have rights in it."""
        found = self._registry.now().get(name)
        if found is None or not self._gate.may_know_of(identity, name):
            raise self.unknown(identity, name)
        return found

    def seen(self, identity: Identity) -> list[IndexDefinition]:
        """Those that the caller may know of, by name."""
        return [one for one in self._registry.now() if self.may_see(identity, one)]

    def may_see(self, identity: Identity, index: IndexDefinition) -> bool:
        """Whether the caller may know that the index is there: who may read something in it, or change it."""
        return self._gate.may_read_somewhere(identity, index.name) or self._gate.may_configure(identity, index.name)

    def may_make_mirrors(self, identity: Identity) -> bool:
        """Whether the caller may have this server fetch from an address of its choice."""
        return identity.is_whole and self._mirrors_by(identity)

    def unknown(self, identity: Identity, name: IndexName) -> PpcError:
        """The answer for an index that is not there, or that the caller may not know of."""
        return self._gate.unknown_index(identity, name)

    def require_makable(self, identity: Identity, name: IndexName) -> None:
        """Raise where the caller may make no index of that name, whatever its options; NotFound without an owner."""
        is_owner_there = self._knows_user(name.owner)
        if is_owner_there or not identity.is_authenticated:
            self._require_configure(identity, name)
        if not is_owner_there:
            raise NotFound(f"There is no user {shown(name.owner)} who could own {name}: add the user first")

    def changeable(self, identity: Identity, name: IndexName) -> IndexDefinition:
        """As :meth:`get`, for a caller who may change options of it; raises for any other, and where nobody may."""
        found = self.get(identity, name)
        self._require_configure(identity, name)
        self._require_changeable(found)
        return found

    def create(
        self, name: IndexName, kind: Kind, given: Mapping[str, object], identity: Identity, author: Author
    ) -> IndexDefinition:
        """Make an index; IndexExists where there is one, NotFound where there is no such owner."""
        self.require_makable(identity, name)
        if kind is Kind.MIRROR:
            self._require_mirrors(identity)
        options = read_options(given, kind)
        if kind is Kind.MIRROR:
            if "mirror_url" not in options:
                raise InvalidRequest("A mirror index needs mirror_url: the address of the index that it shows")
            options["mirror_url"] = unmasked(options["mirror_url"], None)
        new, hidden = IndexDefinition(name, kind, options), self._hidden_from(identity)
        self._clear(name, author)

        def check(now: Definitions, reader: CatalogReader) -> None:
            if now.get(name) is not None:
                raise IndexExists(f"There is an index {name} already: change it, or choose another name")
            if len(now.of(name.owner)) >= _MOST_INDEXES:
                raise Conflict(f"User {name.owner} has {_MOST_INDEXES} indexes, which is the limit: remove some")
            if reader.projects_named(name, "", "", 1):
                raise BackendUnavailable(f"An earlier index {name} is still being removed: try again")
            self._check_bases(now, new, (), hidden)

        return self._write(new, check, author)

    def modify(
        self,
        name: IndexName,
        change: Callable[[IndexDefinition], Mapping[str, object]],
        identity: Identity,
        author: Author,
    ) -> IndexDefinition:
        """Change options: ``change`` gives those that are to be set, of the index as it is; None takes one away."""
        result, hidden = self.changeable(identity, name), self._hidden_from(identity)

        def check(now: Definitions, _reader: CatalogReader) -> IndexDefinition:
            nonlocal result
            current = now.get(name)
            if current is None:
                raise self.unknown(identity, name)
            result = self._changed(current, change(current))
            if result.is_mirror and result.get("mirror_url") != current.get("mirror_url"):
                self._require_mirrors(identity)
            self._check_bases(now, result, current.bases, hidden)
            return result

        with self._catalog.write(author) as catalog:
            now = self._registry.made_of(*catalog.indexes())
            current = now.get(name)
            check(now, catalog)
            if current is not None and result.options != current.options:
                self._keep_names(catalog, now, result, current)
                catalog.define_index(IndexRow(name, result.kind.value, result.options, result.created_at))
        self._registry.changed()
        return result

    def remove(self, name: IndexName, identity: Identity, author: Author) -> None:
        """Remove an index with all that is in it; PermissionDenied where it is not volatile.

        Indexes that stand on it keep the names of its projects private. What was in it goes afterwards, out of sight.
        """
        index = self.get(identity, name)
        self._require_configure(identity, name)
        self._require_removable(index)
        with self._catalog.write(author) as catalog:
            now = self._registry.made_of(*catalog.indexes())
            current = now.get(name)
            if current is None:
                raise self.unknown(identity, name)
            self._require_removable(current)
            gone = now.stages(name)
            for other in now.standing_on(name):
                catalog.reserve_projects(other.name, gone)
                rest = [str(base) for base in other.bases if base != name]
                if other.source is Source.DATABASE:
                    options = {**other.options, "bases": rest}
                    catalog.define_index(IndexRow(other.name, other.kind.value, options, other.created_at))
            catalog.drop_index(name)
        self._registry.changed()
        self._clear_dropped(name, author)

    def clear_dropped(self) -> None:
        """Remove what is left of indexes that were removed by somebody who met an outage, or died.

        One query where there is nothing; never touches what is in an index that only the configuration has no more.
        What cannot go keeps nothing else waiting, and is raised at the end.
        """
        with self._catalog.read(snapshot=False) as catalog:
            names = catalog.dropped_indexes()
        failed: PpcError | None = None
        for name in names:
            try:
                self._clear_dropped(name, HOUSEKEEPING)
            except PpcError as error:
                failed = error
        if failed is not None:
            raise failed

    def require_removable(self, owner: str) -> Sequence[IndexDefinition]:
        """The indexes of somebody who is to go; PermissionDenied where one of them is not volatile."""
        found = self._registry.now().of(owner)
        for index in found:
            self._require_removable(index)
        return found

    def _write(
        self, new: IndexDefinition, check: Callable[[Definitions, CatalogReader], object], author: Author
    ) -> IndexDefinition:
        with self._catalog.write(author) as catalog:
            check(self._registry.made_of(*catalog.indexes()), catalog)
            catalog.define_index(IndexRow(new.name, new.kind.value, new.options))
        self._registry.changed()
        return new

    @staticmethod
    def _changed(current: IndexDefinition, given: Mapping[str, object]) -> IndexDefinition:
        taken_away = {name for name, value in given.items() if value is None or value == ""}
        kept = {name: value for name, value in current.options.items() if name not in taken_away}
        options = {**kept, **read_options(given, current.kind)}
        if current.is_mirror and "mirror_url" in options:
            options["mirror_url"] = unmasked(options["mirror_url"], current.get("mirror_url"))
        if current.is_default and (wrong := options.keys() & {"acl_upload", "acl_read", "acl_force"}):
            raise InvalidRequest(
                f"{min(wrong)} has no effect in the default index {current.name}: its rights are the server's rules"
            )
        if current.is_mirror and current.source is Source.DATABASE and "mirror_url" not in options:
            raise InvalidRequest("A mirror index needs mirror_url: the address of the index that it shows")
        return IndexDefinition(
            current.name, current.kind, options, Source.DATABASE, current.is_default, current.created_at
        )

    def _hidden_from(self, identity: Identity) -> frozenset[IndexName]:
        """The indexes that the caller may not know of; asked before the transaction, in which others wait."""
        if identity.is_admin:
            return frozenset()
        return frozenset(one.name for one in self._registry.now() if not self.may_see(identity, one))

    @staticmethod
    def _check_bases(
        now: Definitions, new: IndexDefinition, before: Sequence[IndexName], hidden: frozenset[IndexName]
    ) -> None:
        for base in new.bases:
            if base not in before and (now.get(base) is None or base in hidden):
                raise InvalidRequest(f"bases: there is no index {base}: make it first, or leave it out")
        back = now.leads_back(new.name, new.bases)
        if back is not None:
            raise InvalidRequest(f"bases: {back} shows {new.name} itself: an index cannot stand on itself")

    @staticmethod
    def _keep_names(catalog: CatalogWriter, now: Definitions, new: IndexDefinition, before: IndexDefinition) -> None:
        """Names that were private by a base stay so when it is taken away: else the public ones would come."""
        lost = [base for base in before.bases if base not in new.bases]
        stages = [stage for base in lost for stage in now.stages(base)]
        if stages:
            catalog.reserve_projects(new.name, list(dict.fromkeys(stages)))

    def _clear_dropped(self, name: IndexName, author: Author) -> None:
        """:meth:`_clear`, and forget that it is to be done; nothing goes of an index that the configuration has now."""
        self._clear(name, author)
        with self._catalog.write(author) as catalog:
            is_there = self._registry.made_of(*catalog.indexes()).get(name) is not None
            if is_there or not catalog.projects_named(name, "", "", 1):
                catalog.note_cleared(name)

    def _clear(self, name: IndexName, author: Author) -> None:
        """Remove what is left of an index that is no more: each project is gone for good when its turn is over."""
        after = ""
        while True:
            with self._catalog.read(snapshot=False) as catalog:
                projects = catalog.projects_named(name, "", after, 100)
            for project in projects:
                if self._is_defined(name):
                    # Somebody has cleared it, and made it anew.
                    return
                self._changes.remove(Selection(name, project.name), author)
                self._changes.forget(name, project.name, author)
                after = project.name.value
            if not projects:
                break
        if not self._is_defined(name):
            self._forget_mirror(name)

    def _is_defined(self, name: IndexName) -> bool:
        with self._catalog.read(snapshot=False) as catalog:
            return self._registry.read(catalog).get(name) is not None

    def _require_configure(self, identity: Identity, name: IndexName) -> None:
        if self._gate.may_configure(identity, name):
            return
        if not identity.is_authenticated:
            raise AuthenticationRequired(f"Log in to change index {name}: only its owner and administrators may")
        raise PermissionDenied(
            f"User {identity.username} may not change index {name}: only {name.owner} and administrators may"
        )

    def _require_mirrors(self, identity: Identity) -> None:
        if not self._mirrors_by(identity):
            raise PermissionDenied(
                "Only administrators make mirror indexes here, as this server then fetches what it is told to: "
                "ask one of them, or have index.mirrors_by set to owners"
            )

    @staticmethod
    def _require_changeable(index: IndexDefinition) -> None:
        if index.source is Source.FILE:
            raise Conflict(f"Index {index.name} is defined in the configuration of the server: change it there")

    @staticmethod
    def _require_removable(index: IndexDefinition) -> None:
        if index.source is not Source.DATABASE or index.is_default:
            raise PermissionDenied(f"Index {index.name} is part of the server's configuration: it cannot be removed")
        if not index.volatile:
            raise PermissionDenied(f"Index {index.name} is not volatile: set volatile=True first, if it is to go")


def edited(index: IndexDefinition, lines: Sequence[str]) -> dict[str, object]:
    """The options that lines of ``key=value``, ``key+=value`` and ``key-=value`` come to; ``key-=`` takes one away."""
    given: dict[str, object] = {}
    for line in lines:
        key, equals, value = line.partition("=")
        if not equals:
            raise InvalidRequest(f"{shown(line)} changes nothing: write key=value, key+=value or key-=value")
        how = key[-1:] if key[-1:] in {"+", "-"} else ""
        name = key.removesuffix(how).strip()
        if not how:
            given[name] = value
        elif how == "-" and not value:
            given[name] = None
        else:
            given[name] = _combined(index, name, how, value, given)
    return given


def _combined(index: IndexDefinition, name: str, how: str, value: str, given: Mapping[str, object]) -> list[Any]:
    known = option(name, index.kind)
    if not known.is_list:
        raise InvalidRequest(f"{name} is no list: only lists take += and -=")
    have = _as_changed(index, name, given)
    wanted = known.read(name, items(name, value))
    if how == "+":
        return [*have, *(one for one in wanted if one not in have)]
    missing = [one for one in wanted if one not in have]
    if missing:
        raise InvalidRequest(f"{name} does not have {shown(str(missing[0]))}: it is {', '.join(have) or 'empty'}")
    return [one for one in have if one not in wanted]


def _as_changed(index: IndexDefinition, name: str, given: Mapping[str, object]) -> list[Any]:
    """A list of the index as it is after the lines before: what one of them took away is what holds without it."""
    if name not in given:
        return list(index.get(name) or ())
    value = given[name]
    if value is None:
        rest = {key: kept for key, kept in index.options.items() if key != name}
        return list(replace(index, options=rest).get(name) or ())
    found: list[Any] = option(name, index.kind).read(name, value)
    return found
