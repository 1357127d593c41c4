"""The HTTP skin of getting an account: by asking, or by the link that an administrator gave."""

from __future__ import annotations

from typing import Any

from pyramid.request import Request

from pypicloud_lite.access.registration import Registration
from pypicloud_lite.browse.account.logging_in import LoggingIn, see_other
from pypicloud_lite.kernel.errors import InvalidRequest, PermissionDenied, PpcError, TooManyRequests
from pypicloud_lite.web.errors import status_of
from pypicloud_lite.web.forms import Form, read_form
from pypicloud_lite.web.pages import page
from pypicloud_lite.web.responses import PlainResponse

_TEMPLATE = "pypicloud_lite.browse:templates/register.jinja2"


class RegisterPages:
    """The form, with a registration token or without one."""

    def __init__(self, registration: Registration, logging_in: LoggingIn) -> None:
        self._registration = registration
        self._logging_in = logging_in

    def form(self, request: Request) -> PlainResponse:
        """Choose a name and a password; with a token the name is the token's."""
        token = request.GET.get("token", "")
        if request.GET.get("waiting"):
            return self._page(request, waiting=True)
        if not token:
            self._require_open()
            return self._page(request)
        try:
            return self._page(request, token=token, username=self._registration.name_in(token))
        except InvalidRequest as error:
            return self._page(request, token="", dead=error)

    def send(self, request: Request) -> PlainResponse:
        """Ask for the account, or make it and log in."""
        form = read_form(request)
        token, username = form.text("token"), form.text("username").strip()
        try:
            password = _chosen(form)
            if token:
                return self._logging_in.start(
                    request, self._registration.redeem(token, password, request.remote_addr), "/account/"
                )
            self._registration.ask(username, password, request.remote_addr)
        except (TooManyRequests, PermissionDenied):
            raise
        except PpcError as error:
            return self._again(request, token, username, error)
        return see_other(request, "/register?waiting=1")

    def _again(self, request: Request, token: str, username: str, error: PpcError) -> PlainResponse:
        if token:
            try:
                username = self._registration.name_in(token)
            except InvalidRequest as why:
                return self._page(request, dead=why)
        return self._page(request, token=token, username=username, refused=error)

    def _require_open(self) -> None:
        if not self._registration.is_open():
            raise PermissionDenied("Registration is off here: ask an administrator for an account")

    def _page(self, request: Request, **more: Any) -> PlainResponse:
        values = {"token": "", "username": "", "waiting": False, "refused": None, "dead": None, **more}
        error: PpcError | None = values["refused"] or values["dead"]
        status = "200 OK" if error is None else f"{status_of(error)} Refused"
        # The token is in the address: no page that this one leads to may be told of it.
        headers = [("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer")]
        return page(request, _TEMPLATE, status, headers, **values)


def _chosen(form: Form) -> str:
    if form.text("password") != form.text("again"):
        raise InvalidRequest("The two passwords differ: type the same one twice")
    return form.text("password")
