"""The pieces that addresses are made of."""

from __future__ import annotations

from pypicloud_lite.indexes.layout import DIGEST_IN_PATH


def with_slash(*patterns: str) -> tuple[str, ...]:
    """Each with and without a slash at its end."""
    return tuple(pattern + end for pattern in patterns for end in ("", "/"))


UPLOAD_PATHS = ("", "/simple", "/pypi", "/legacy")
INDEX = "{owner:[^/]+}/{index:[^/]+}"
PROJECT = "{project:[^/]+}"
DIGEST = f"{{digest:[0-9a-f]{{{DIGEST_IN_PATH}}}}}"
FILE = "{filename:[^/]+}"
PATH = "{path:.+}"
VERSION = "{version:[^/]+}"
