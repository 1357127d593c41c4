"""What one mirror is told to do, by the configuration and by the options of its own definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pypicloud_lite.mirror.settings import MirrorSettings


@dataclass(frozen=True, slots=True)
class Terms:
    """``fresh`` and ``missing`` are seconds: how long a page is believed, and a name that was not there not asked for.

    ``lists_names``: its upstream's list of all projects is fetched; else those are listed of which a page is kept.
    ``is_external``: links lead to the upstream for files that are not here. ``takes_metadata``: METADATA that the
    upstream has beside files is asked for. ``keeps_gone``: a project that is gone upstream keeps its last links.
    ``takes_unhashed``: files without a hash are listed, and told from broken ones by their length.
    """

    fresh: float = 600.0
    missing: float = 60.0
    lists_names: bool = True
    is_external: bool = False
    takes_metadata: bool = True
    keeps_gone: bool = False
    takes_unhashed: bool = False

    @classmethod
    def of(cls, settings: MirrorSettings, options: Mapping[str, Any]) -> Terms:
        """What holds for an index with these options; without any, what the configuration says alone.

        ``mirror_ignore_serial_header`` changes nothing: a serial is passed on here and never compared.
        """
        fresh, is_named = float(options.get("mirror_cache_expiry", settings.freshness)), "mirror_url" in options
        return cls(
            fresh=fresh,
            missing=min(float(settings.missing_for), fresh),
            lists_names=not options.get("mirror_no_project_list", False),
            is_external=bool(options.get("mirror_use_external_urls", False)),
            takes_metadata=options.get("mirror_provides_core_metadata") is not False,
            keeps_gone=is_named,
            takes_unhashed=is_named,
        )
