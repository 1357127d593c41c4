"""Every mirror index by its name: the built-in one, and those that are defined."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pypicloud_lite.indexes.definitions import Definitions
from pypicloud_lite.indexes.model import IndexDefinition, Source
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.mirror.ours import Ours
from pypicloud_lite.mirror.service import Mirror
from pypicloud_lite.mirror.showing import MIRROR_INDEX


@dataclass(frozen=True, slots=True)
class Plan:
    """What a mirror is made by: the options that are about its upstream. Equal plans, equal mirrors.

    ``is_trusted``: it was the operator who wrote the upstream's address.
    """

    index: IndexName
    options: Mapping[str, Any]
    is_trusted: bool

    @classmethod
    def of(cls, index: IndexName, definition: IndexDefinition | None) -> Plan:
        """That of a definition; for None of what the configuration says alone."""
        if definition is None:
            return cls(index, {}, is_trusted=True)
        options = {name: value for name, value in definition.options.items() if name.startswith("mirror_")}
        return cls(index, options, "mirror_url" not in options or definition.source is Source.FILE)


Build = Callable[[Plan, Mirror | None], Mirror]
"""Makes a mirror, of one that was there before where there was: what is under way in that goes on. No I/O."""


class Mirrors:
    """Mirrors are made when they are wanted, and anew when their options change. Thread-safe.

    ``ours`` looks for names that are ours on behalf of all of them.
    """

    def __init__(self, registry: Registry, build: Build, ours: Ours) -> None:
        self._registry = registry
        self._build = build
        self.ours = ours
        self._lock = threading.Lock()
        self._made: dict[IndexName, tuple[Plan, Mirror]] = {}

    def of(self, index: IndexName) -> Mirror | None:
        """The mirror of that name; None where the index is another kind, or not there. One query a request at most."""
        return self._defined(self._registry.now(), index)

    def require(self, index: IndexName) -> Mirror:
        """As :meth:`of`; NotFound instead of None. The built-in one is there where it is off, too."""
        found = self.of(index) or (self.built_in if index == MIRROR_INDEX else None)
        if found is None:
            raise NotFound(f"There is no mirror index {index} here: check its name")
        return found

    def whitelists(self, project: ProjectName) -> bool:
        """Whether any index lists what mirrors have beside what is here of that name; one query a request at most."""
        return self._registry.now().whitelists(project)

    @property
    def built_in(self) -> Mirror:
        """That of which the default index shows what is not here; off where nothing says otherwise. Asks nobody.

        By the definitions that were read last: where nothing else reads them, that is once a minute.
        """
        known = self._registry.known()
        return (self._defined(known, MIRROR_INDEX) if known is not None else None) or self._mirror(MIRROR_INDEX, None)

    @property
    def built_in_names_readers(self) -> bool:
        """Whether the built-in mirror's definition says who reads it; as :attr:`built_in`, but one query if none was.

        No where the mirror is off.
        """
        if not self.built_in.showing.is_on:
            return False
        found = (self._registry.known() or self._registry.now()).get(MIRROR_INDEX)
        return found is not None and found.rules is not None and found.rules.read is not None

    @property
    def are_any(self) -> bool:
        """Whether anything of any upstream is shown, as far as is known. Asks nobody."""
        known = self._registry.known()
        return self.built_in.showing.is_on or (known is not None and any(one.is_mirror for one in known))

    def names(self) -> Sequence[IndexName]:
        """Those that there are, and the built-in one, which may be off: that comes first. One query a request."""
        defined = [one.name for one in self._registry.now() if one.is_mirror and one.name != MIRROR_INDEX]
        return [MIRROR_INDEX, *defined]

    def in_use(self) -> Sequence[Mirror]:
        """Those that this process has had to do with, and that are still there; one query."""
        now = self._registry.now()
        with self._lock:
            made = list(self._made)
        found = {index: self._defined(now, index) for index in made}
        gone = [index for index, mirror in found.items() if mirror is None and index != MIRROR_INDEX]
        with self._lock:
            for index in gone:
                self._made.pop(index, None)
        built_in = self.built_in
        rest = [mirror for mirror in found.values() if mirror is not None and mirror is not built_in]
        return [built_in, *rest] if built_in.showing.is_on else rest

    def _defined(self, definitions: Definitions, index: IndexName) -> Mirror | None:
        definition = definitions.get(index)
        return self._mirror(index, definition) if definition is not None and definition.is_mirror else None

    def _mirror(self, index: IndexName, definition: IndexDefinition | None) -> Mirror:
        plan = Plan.of(index, definition)
        with self._lock:
            before = self._made.get(index)
            if before is not None and before[0] == plan:
                return before[1]
            mirror = self._build(plan, before[1] if before is not None else None)
            self._made[index] = plan, mirror
            return mirror
