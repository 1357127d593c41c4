"""Links inside a tar archive: taken when they stay in its top-level directory (PEP 721), judged by names alone.

hatchling, flit and pdm write a symbolic link of the source tree as one.
"""

from __future__ import annotations

from collections.abc import Mapping

from pypicloud_lite.artifacts.paths import below_a_file


def symlink_target(path: str, target: str) -> str | None:
    """Where the symbolic link at ``path`` leads, both as paths of the archive.

    None when it leaves its top-level directory, or goes up after it went down: where that leads is known only
    when the links on the way are.
    """
    here = path.split("/")[:-1]
    segments = target.split("/")
    if not segments[0] or not target.isprintable() or "\\" in target or target[1:2] == ":":
        return None
    while segments and segments[0] in {"", ".", ".."}:
        if segments.pop(0) == "..":
            if len(here) <= 1:
                return None
            here.pop()
    if ".." in segments:
        return None
    return "/".join([*here, *(segment for segment in segments if segment not in {"", "."})])


def led_through(links: Mapping[str, str]) -> str | None:
    """One of the targets (by the link's path) that lies below another link; None if none does."""
    return below_a_file(links.keys(), [target for target in links.values() if target not in links])
