"""Which indexes there are: built in, from the configuration, from the database; the first that names one defines it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pypicloud_lite.access.model import IndexRules
from pypicloud_lite.catalog.model import IndexRow
from pypicloud_lite.catalog.port import Catalog, CatalogReader
from pypicloud_lite.indexes.definitions import Definitions
from pypicloud_lite.indexes.model import IndexDefinition, Source
from pypicloud_lite.indexes.options import Kind
from pypicloud_lite.kernel import moment
from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.kernel.names import IndexName


class Registry:
    """The definitions, kept until the catalog says that they have another revision. Thread-safe.

    ``fixed`` are those built in and of the configuration, of which the default index and the built-in mirror can be
    given options in the database too, unless the configuration defines them.
    """

    def __init__(self, catalog: Catalog, fixed: Iterable[IndexDefinition], default: IndexName) -> None:
        self._catalog = catalog
        self._fixed = {one.name: one for one in fixed}
        self._default = default
        self._known: Definitions | None = None

    @property
    def fixed(self) -> Sequence[IndexDefinition]:
        """Those that need no row to be there, by name."""
        return sorted(self._fixed.values(), key=lambda one: one.name)

    def known(self) -> Definitions | None:
        """What was read last, which may be old; asks nobody. None where nothing was."""
        return self._known

    def now(self) -> Definitions:
        """As they are now: one query a request, another one when they changed."""
        return moment.once(self, self._ask)

    def current(self, reader: CatalogReader, revision: int) -> Definitions:
        """Those of a revision that a query has just told: no further query where it is known."""
        known = self._known
        if known is None or known.revision != revision:
            known = self.read(reader)
        moment.put(self, known)
        return known

    def rules_of(self, index: IndexName) -> IndexRules | None:
        """For the gate."""
        return self.now().rules_of(index)

    def within(self, reader: CatalogReader) -> Definitions:
        """As a transaction sees them, by which this request judges from here on: one query."""
        seen = self.made_of(*reader.indexes())
        moment.put(self, seen)
        return seen

    def require(self, index: IndexName, reader: CatalogReader) -> bool:
        """Look at the index within the transaction that brings something into it; NotFound where it is gone.

        False where nothing of it can have changed since the request began, True after :meth:`within`.
        """
        fixed, known = self._fixed.get(index), self._known
        if fixed is not None and fixed.source is Source.FILE:
            return False
        now = known.get(index) if known is not None else None
        if fixed is not None and now is not None and not now.volatile:
            # The default index has no lists; what is refused though it is volatile since just now may come again.
            return False
        if self.within(reader).get(index) is None:
            raise NotFound(f"Index {index} was removed just now: nothing was stored")
        return True

    def changed(self) -> None:
        """Ask again in this request: it was this one that changed them."""
        moment.forget(self)

    def read(self, reader: CatalogReader) -> Definitions:
        """Read them all: one query."""
        revision, rows = reader.indexes()
        self._known = known = self.made_of(revision, rows)
        return known

    def made_of(self, revision: int, rows: Iterable[IndexRow]) -> Definitions:
        """The definitions that the rows come to."""
        return definitions_of(self.fixed, self._default, revision, rows)

    def _ask(self) -> Definitions:
        with self._catalog.read(snapshot=False) as reader:
            revision = reader.state().definitions
            known = self._known
            return known if known is not None and known.revision == revision else self.read(reader)


def definitions_of(
    fixed: Iterable[IndexDefinition], default: IndexName, revision: int, rows: Iterable[IndexRow]
) -> Definitions:
    """What the configuration and the catalog's rows come to. Pure."""
    defined = {one.name: one for one in fixed}
    for row in rows:
        one = defined.get(row.name)
        if one is None or one.source is Source.BUILT_IN:
            defined[row.name] = IndexDefinition(
                row.name,
                Kind(row.kind),
                row.options,
                Source.DATABASE,
                is_default=row.name == default,
                created_at=row.created_at,
            )
    return Definitions(revision, defined.values(), default)
