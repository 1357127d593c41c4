"""Questions that came round, remembered for a moment: among many servers there are many ways round."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from pypicloud_lite.kernel.errors import CameRound
from pypicloud_lite.kernel.names import ProjectName

_SECONDS = 10.0
_MOST = 1024


def came_round_for(project: ProjectName) -> CameRound:
    """What another server of this kind is told then."""
    return CameRound(f"There is no project {project} here, but for what those have who ask for it")


class Rounds:
    """For which projects only servers could know more that were asking. Thread-safe; the last 1,024 projects.

    What is found without asking some servers is found without asking these and more: so nothing is neither.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: OrderedDict[ProjectName, dict[frozenset[str], float]] = OrderedDict()

    def remember(self, project: ProjectName, others: Iterable[str]) -> None:
        """Nothing was found without asking ``others``."""
        now = self._monotonic()
        with self._lock:
            kept = {names: until for names, until in self._known.pop(project, {}).items() if until > now}
            self._known[project] = {**kept, frozenset(others): now + _SECONDS}
            while len(self._known) > _MOST:
                self._known.popitem(last=False)

    def knows(self, project: ProjectName, others: Iterable[str]) -> bool:
        """Whether nothing would be found without asking ``others``, as far as is known."""
        asking, now = frozenset(others), self._monotonic()
        with self._lock:
            return any(names <= asking and until > now for names, until in self._known.get(project, {}).items())
