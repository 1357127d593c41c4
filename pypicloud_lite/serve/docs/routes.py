"""The addresses of documentation: devpi's."""

from __future__ import annotations

from collections.abc import Callable

from pypicloud_lite.serve.docs.views import DocumentationViews

_RELEASE = "/{owner:[^/]+}/{index:[^/]+}/{project:[^/]+}/{version:[^/]+}"


def mount_docs(add: Callable[..., None], views: DocumentationViews) -> None:
    """Pages of documentation. A ``+`` that came as ``%2B`` is the same: paths are matched when they are decoded."""
    for word in ("+doc", "+d"):
        add(f"docs {word}", f"{_RELEASE}/{word}/{{path:.*}}", GET=views.page)
        add(f"docs.bare {word}", f"{_RELEASE}/{word}", GET=views.add_slash)
