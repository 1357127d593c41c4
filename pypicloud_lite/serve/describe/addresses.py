"""Where a person reads about a project or a release: the addresses that documents and feeds link to."""

from __future__ import annotations

from urllib.parse import quote

from pypicloud_lite.indexes.page_file import PageFile
from pypicloud_lite.kernel.names import ProjectName


def project_url(base: str, name: ProjectName) -> str:
    """The page of a project; ``base`` is the server's own URL without a slash at the end."""
    return f"{base}/project/{name}/"


def release_url(base: str, name: ProjectName, version: str) -> str:
    """The page of a release."""
    return f"{base}/project/{name}/{quote(version, safe='')}/"


def file_url(base: str, file: PageFile) -> str:
    """The bytes of a file, under an address that never changes them."""
    return file.address(f"{base}/")
