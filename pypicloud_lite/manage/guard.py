"""Who may make a call: asked before its view runs, by what the table of operations says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity
from pypicloud_lite.kernel.errors import AuthenticationRequired, PermissionDenied
from pypicloud_lite.manage.bodies import NoParameters
from pypicloud_lite.manage.operations import Needs, Operation
from pypicloud_lite.manage.parameters import parameters

View = Callable[[Any], Any]


class Guard:
    """Puts the check in front of a view."""

    def __init__(self, identify: Callable[[Any], Identity], gate: Gate) -> None:
        self._identify = identify
        self._gate = gate

    def __call__(self, operation: Operation) -> View:
        """The view that may be mounted.

        Every call that changes something reads the credentials, also where anybody may make it: a forged request of a
        browser ends there. One that takes no parameters refuses those that are sent.
        """
        view, changes = operation.view, operation.method not in {"GET", "HEAD"}

        def guarded(request: Any) -> Any:
            if operation.needs is not Needs.ANYONE or changes:
                self._require(operation, self._identify(request))
            if operation.takes is NoParameters and operation.needs is not Needs.PROJECT and not operation.sends_file:
                parameters(request, NoParameters)
            return view(request)

        return guarded

    def _require(self, operation: Operation, identity: Identity) -> None:
        match operation.needs:
            case Needs.ADMIN:
                self._gate.require_administrator(identity, operation.doing)
            case Needs.LOGIN | Needs.ANY_LOGIN if not identity.is_authenticated:
                raise AuthenticationRequired(f"Log in to {operation.doing}: send a password or a token")
            case Needs.LOGIN if not identity.is_whole:
                raise PermissionDenied(f"This token may not {operation.doing}: use a password, or the scope admin")
            case _:
                pass
