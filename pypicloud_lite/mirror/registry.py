"""Every mirror index: the built-in one, and those that definitions name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog

from pypicloud_lite.indexes.model import IndexDefinition
from pypicloud_lite.indexes.registry import Registry
from pypicloud_lite.kernel.errors import PpcError
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.mirror.service import Mirror

_log = structlog.get_logger("pypicloud_lite.mirror")


@dataclass(frozen=True, slots=True)
class _Made:
    options: object
    mirror: Mirror


class Mirrors:
    """Makes each when it is asked for first, and anew when its definition changed. Thread-safe; making asks nobody."""

    def __init__(self, built_in: Mirror, registry: Registry, make: Callable[[IndexDefinition], Mirror]) -> None:
        self.built_in = built_in
        self._registry = registry
        self._make = make
        self._made: dict[IndexName, _Made] = {}
        self._lock = threading.Lock()

    def of(self, index: IndexName) -> Mirror | None:
        """The mirror of that name; None where it is no mirror, or its address cannot be asked at all."""
        definition = self._registry.now().get(index)
        if definition is None or not definition.is_mirror:
            is_built_in = index == self.built_in.index and self.built_in.showing.has_index
            return self.built_in if is_built_in else None
        if "mirror_url" not in definition.options:
            return self.built_in if index == self.built_in.index else None
        with self._lock:
            made = self._made.get(index)
            if made is None or made.options != definition.options:
                try:
                    made = _Made(definition.options, self._make(definition))
                except PpcError as error:
                    _log.warning("a mirror cannot be made", index=str(index), error=error.message)
                    return None
                self._made[index] = made
            return made.mirror

    def all(self) -> Iterator[Mirror]:
        """Each of them, the built-in one first where it is on."""
        if self.built_in.showing.is_on:
            yield self.built_in
        for definition in self._registry.now():
            mirror = self.of(definition.name) if definition.is_mirror else None
            if mirror is not None and mirror is not self.built_in:
                yield mirror
