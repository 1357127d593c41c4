"""Whom the frame of every page greets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pypicloud_lite.access.model import Identity
from pypicloud_lite.access.security import RequestIdentity, sends_credentials
from pypicloud_lite.kernel.errors import PpcError
from pypicloud_lite.web.pages import Visitor


class Greeting:
    """Says who is looking; a page of an error too must be drawn when that cannot be said."""

    def __init__(self, identity: RequestIdentity, has_indexes: Callable[[Identity], bool]) -> None:
        self._identity = identity
        self._has_indexes = has_indexes

    def __call__(self, request: Any) -> Visitor:
        try:
            session = self._identity.session(request)
            if session is not None and not sends_credentials(request):
                caller = session.identity
                return Visitor(caller.username, caller.is_admin, session.csrf_token, sees_indexes=True)
            identity = self._identity(request)
            sees_indexes = identity.is_authenticated or self._has_indexes(identity)
        except PpcError:
            return Visitor()
        return Visitor(identity.username, identity.is_admin, sees_indexes=sees_indexes)
