"""Whom the frame of every page greets."""

from __future__ import annotations

from typing import Any

from pypicloud_lite.access.security import RequestIdentity, sends_credentials
from pypicloud_lite.kernel.errors import PpcError
from pypicloud_lite.web.pages import Visitor


class Greeting:
    """Says who is looking; a page of an error too must be drawn when that cannot be said."""

    def __init__(self, identity: RequestIdentity) -> None:
        self._identity = identity

    def __call__(self, request: Any) -> Visitor:
        try:
            session = self._identity.session(request)
            if session is not None and not sends_credentials(request):
                return Visitor(session.identity.username, session.identity.is_admin, session.csrf_token)
            identity = self._identity(request)
        except PpcError:
            return Visitor()
        return Visitor(identity.username, identity.is_admin)
