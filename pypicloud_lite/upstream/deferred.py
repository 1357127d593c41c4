"""An upstream over HTTP that is made when it is asked first: most mirrors of a server are not used by each process."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pypicloud_lite.kernel.errors import ConfigError, UpstreamUnavailable
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.upstream.port import (
    Absent,
    Fetched,
    Link,
    NotModified,
    Part,
    Sink,
    Upstream,
    UpstreamNames,
    UpstreamPage,
    Validator,
)
from pypicloud_lite.upstream.settings import Peer


class DeferredUpstream:
    """An :class:`~pypicloud_lite.upstream.port.Upstream`; making it reads no certificates and imports no client."""

    def __init__(self, peer: Peer, via: Callable[[], str]) -> None:
        self._peer = peer
        self._via = via
        self._lock = threading.Lock()
        self._made: Upstream | None = None

    @property
    def name(self) -> str:
        """As the port says."""
        return str(self._peer.index)

    @property
    def is_shut(self) -> bool:
        """Whether it is left alone now, after failures or as it asked."""
        return bool(getattr(self._made, "is_shut", False))

    def project(self, name: ProjectName, validator: Validator | None = None) -> UpstreamPage | NotModified | Absent:
        """As the port says."""
        return self._upstream().project(name, validator)

    def names(self, validator: Validator | None = None) -> UpstreamNames | NotModified | Absent:
        """As the port says."""
        return self._upstream().names(validator)

    def fetch(self, link: Link, sink: Sink, *, by_length: bool = False) -> Fetched:
        """As the port says."""
        return self._upstream().fetch(link, sink, by_length=by_length)

    def metadata(self, link: Link) -> bytes | Absent:
        """As the port says."""
        return self._upstream().metadata(link)

    def span(self, link: Link, first: int, last: int) -> Part:
        """As the port says."""
        return self._upstream().span(link, first, last)

    def _upstream(self) -> Upstream:
        with self._lock:
            if self._made is None:
                # Here, as importing the client takes a third of a second.
                from pypicloud_lite.upstream.http import HttpUpstream

                try:
                    self._made = HttpUpstream(self._peer, via=self._via)
                except ConfigError as error:
                    raise UpstreamUnavailable(f"The index upstream cannot be asked: {error.message}", 60) from None
            return self._made
