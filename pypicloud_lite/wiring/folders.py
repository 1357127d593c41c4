"""The folder where files lie, if they lie in one of this machine."""

from __future__ import annotations

import shutil

from pypicloud_lite.settings.load import Loaded
from pypicloud_lite.storage.backends.local import LocalSettings


def folder_of(settings: Loaded) -> LocalSettings | None:
    """Its settings; None where files lie elsewhere."""
    chosen = settings.get(settings.plugin("pypi.storage").settings)
    return chosen if isinstance(chosen, LocalSettings) else None


def disk_of(settings: Loaded) -> tuple[int, int] | None:
    """Bytes that are free, and all, on its disk; None where there is none, or it does not say."""
    folder = folder_of(settings)
    if folder is None:
        return None
    try:
        usage = shutil.disk_usage(folder.dir)
    except OSError:
        return None
    return usage.free, usage.total
