"""Member names that are different strings and one file, on some file system or by their structure."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection


def folded(path: str) -> str:
    """What a file system that is lenient about names may take ``path`` for.

    Windows ignores case, trailing dots and spaces, and reads what follows a colon as the name of a stream; macOS
    ignores case and the way in which an accent is written.
    """
    segments = (segment.partition(":")[0].rstrip(". ") for segment in path.split("/"))
    return unicodedata.normalize("NFKC", "/".join(segments).casefold())


def below_a_file(files: Collection[str], paths: Collection[str]) -> str | None:
    """One of ``paths`` (all without trailing slash) that would have to lie inside one of ``files``; None if none does.

    No installer can unpack both, and which one stays depends on it. Cost: one sort.
    """
    # With the slash, everything below a path follows right behind it.
    above = ""
    for path in sorted(f"{path}/" for path in {*files, *paths}):
        if above and path.startswith(above):
            return path.removesuffix("/")
        above = path if path[:-1] in files else ""
    return None
