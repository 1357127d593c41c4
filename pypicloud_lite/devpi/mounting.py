"""The addresses of the devpi client: ``/OWNER/INDEX`` and what is below it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from pyramid.request import Request

from pypicloud_lite.devpi.answers import Dialect
from pypicloud_lite.devpi.callers import Caller, caller_of
from pypicloud_lite.devpi.index_views import IndexViews
from pypicloud_lite.devpi.project_views import ProjectViews
from pypicloud_lite.devpi.push_views import PushViews
from pypicloud_lite.kernel.names import RESERVED_WORDS
from pypicloud_lite.web.routing import View

_RESERVED = "|".join(re.escape(word) for word in sorted(RESERVED_WORDS))
INDEX_PATTERN = f"/{{owner:(?!(?:{_RESERVED})/)[^/]+}}/{{index:[^/]+}}"
"""What no other path of this server begins with."""
_PROJECT = "{project:[^/]+}"
_VERSION = "{version:[^/]+}"
_FILE = "{first:[0-9a-f]{3}}/{second:[0-9a-f]{13}}/{filename:[^/]+}"


def mount_indexes(
    add: Callable[..., None], dialect: Dialect, indexes: IndexViews, projects: ProjectViews, pushes: PushViews
) -> None:
    """Add them; what comes before in the table of addresses wins."""
    spoken = partial(_spoken, dialect)
    add(
        "devpi.index",
        *(f"{INDEX_PATTERN}{end}" for end in ("", "/")),
        GET=spoken(indexes.show),
        PUT=spoken(indexes.create),
        PATCH=spoken(indexes.modify),
        DELETE=spoken(indexes.remove),
        POST=indexes.upload,
        PUSH=spoken(pushes.push),
    )
    add("devpi.config", f"{INDEX_PATTERN}/+api", GET=spoken(indexes.config))
    add("devpi.refresh", f"{INDEX_PATTERN}/+simple/{_PROJECT}/refresh", POST=spoken(projects.refresh))
    add(
        "devpi.file",
        f"{INDEX_PATTERN}/+f/{_FILE}",
        GET=projects.file,
        POST=spoken(projects.add_result),
        DELETE=spoken(projects.remove_file),
    )
    add(
        "devpi.project",
        *(f"{INDEX_PATTERN}/{_PROJECT}{end}" for end in ("", "/")),
        GET=spoken(projects.show),
        DELETE=spoken(projects.remove),
    )
    add(
        "devpi.version",
        *(f"{INDEX_PATTERN}/{_PROJECT}/{_VERSION}{end}" for end in ("", "/")),
        GET=spoken(projects.show_version),
        DELETE=spoken(projects.remove_version),
    )


def _spoken(dialect: Dialect, view: View) -> View:
    """In devpi's dialect for a program, and where something changes; installers and browsers hear their own."""
    answered = dialect(view)

    def answer(request: Request) -> Any:
        is_look = request.method in {"GET", "HEAD"}
        return view(request) if is_look and caller_of(request) is not Caller.PROGRAM else answered(request)

    return answer
