"""The addresses of the devpi client: ``/OWNER/INDEX`` and what is below it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyramid.request import Request

from pypicloud_lite.devpi.answers import VERSION_HEADER
from pypicloud_lite.devpi.index_views import IndexViews
from pypicloud_lite.devpi.project_views import ProjectViews
from pypicloud_lite.devpi.push_views import PushViews
from pypicloud_lite.devpi.user_views import UserViews
from pypicloud_lite.web.routing import View

_INDEX = "/{owner:[^/]+}/{index:[^/]+}"
_PROJECT = "{project:[^/]+}"
_VERSION = "{version:[^/]+}"
_FILE = "{first:[0-9a-f]{3}}/{second:[0-9a-f]{13}}/{filename:[^/]+}"


def mount_indexes(add: Callable[..., None], indexes: IndexViews, projects: ProjectViews, pushes: PushViews) -> None:
    """Add them; what comes before in the table of addresses wins."""
    add(
        "devpi.index",
        *(f"{_INDEX}{end}" for end in ("", "/")),
        GET=spoken(indexes.show),
        PUT=spoken(indexes.create),
        PATCH=spoken(indexes.modify),
        DELETE=spoken(indexes.remove),
        POST=indexes.upload,
        PUSH=spoken(pushes.push),
    )
    add("devpi.config", f"{_INDEX}/+api", GET=spoken(indexes.config))
    add("devpi.refresh", f"{_INDEX}/+simple/{_PROJECT}/refresh", POST=spoken(projects.refresh))
    add(
        "devpi.file",
        f"{_INDEX}/+f/{_FILE}",
        GET=projects.file,
        POST=spoken(projects.add_result),
        DELETE=spoken(projects.remove_file),
    )
    add(
        "devpi.project",
        *(f"{_INDEX}/{_PROJECT}{end}" for end in ("", "/")),
        GET=spoken(projects.show),
        DELETE=spoken(projects.remove),
    )
    add(
        "devpi.version",
        *(f"{_INDEX}/{_PROJECT}/{_VERSION}{end}" for end in ("", "/")),
        GET=spoken(projects.show_version),
        DELETE=spoken(projects.remove_version),
    )


def mount_users(add: Callable[..., None], users: UserViews) -> None:
    """The addresses that are nobody else's."""
    add("devpi.login", "/+login", POST=spoken(users.log_in))
    add("devpi.root_config", "/+api", f"/{_PROJECT}/+api", GET=spoken(users.config))
    add("devpi.status", "/+status", GET=spoken(users.status))


def spoken(view: View) -> View:
    """Say with every answer, also of an error, which version of the client's API this is."""

    def answer(request: Request) -> Any:
        request.add_response_callback(_tell_version)
        return view(request)

    return answer


def _tell_version(_request: Request, response: Any) -> None:
    if VERSION_HEADER[0] not in response.headers:
        response.headerlist.append(VERSION_HEADER)
