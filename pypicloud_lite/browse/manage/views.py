"""The HTTP skin of the manage pages: forms that need no JavaScript, whose changes are those of ``Administration``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pyramid.request import Request

from pypicloud_lite.access.administration import Administration
from pypicloud_lite.access.directory import Directory
from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.grants import Kind
from pypicloud_lite.access.model import Identity, Permission, Right, Role
from pypicloud_lite.access.registration import Registration
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.db.engine import Database
from pypicloud_lite.journal.model import Author, Outcome
from pypicloud_lite.journal.sql import AuditQuestion, entries
from pypicloud_lite.kernel.errors import InvalidRequest, NotFound, PpcError
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.settings.in_force import Configuration
from pypicloud_lite.web.errors import status_of
from pypicloud_lite.web.forms import Form, read_form
from pypicloud_lite.web.local_paths import login_path
from pypicloud_lite.web.pages import page
from pypicloud_lite.web.responses import PlainResponse, redirect, respond

_TEMPLATES = "pypicloud_lite.browse:templates/manage/"
_PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class ManageServices:
    """What the views call."""

    administration: Administration
    directory: Directory
    gate: Gate
    database: Database
    registration: Registration
    configuration: Callable[[], Configuration]


class ManagePages:
    """Users and groups, rules and why, the journal; for administrators."""

    def __init__(self, services: ManageServices, identity: RequestIdentity, base_url: str | None) -> None:
        self._services = services
        self._identity = identity
        self._base_url = base_url

    def home(self, request: Request) -> PlainResponse:
        """The first of the pages."""
        return redirect(f"{request.script_name}/manage/users", permanent=False)

    def users(self, request: Request) -> PlainResponse:
        """Everybody, and who waits."""
        return self._for_admins(request, self._users)

    def groups(self, request: Request) -> PlainResponse:
        """Groups and their members."""
        return self._for_admins(request, self._groups)

    def rules(self, request: Request) -> PlainResponse:
        """Every rule, and for one user and project what holds and why."""
        return self._for_admins(request, self._rules)

    def journal(self, request: Request) -> PlainResponse:
        """Who did what."""
        return self._for_admins(request, self._journal)

    def config(self, request: Request) -> PlainResponse:
        """The configuration in force, without its secrets."""
        return self._for_admins(request, self._config)

    def change_users(self, request: Request) -> PlainResponse:
        """Add, approve, remove a user, or make one an administrator."""
        return self._changed(request, self._change_user, self._users, "/manage/users")

    def change_groups(self, request: Request) -> PlainResponse:
        """Add or remove a group or a member."""
        return self._changed(request, self._change_group, self._groups, "/manage/groups")

    def change_rules(self, request: Request) -> PlainResponse:
        """Grant a right, or revoke it."""
        return self._changed(request, self._change_rule, self._rules, "/manage/rules")

    def invite(self, request: Request) -> PlainResponse:
        """A link with which somebody makes the account of a name; shown this once."""
        form, author = self._sent(request)
        username = form.text("username").strip()
        try:
            token = self._services.registration.invite(username, author)
        except PpcError as error:
            return self._users(request, refused=error)
        link = f"{self._base_url or request.application_url}/register?{urlencode({'token': token})}"
        return self._users(request, invited=(username, link))

    def _change_user(self, form: Form, author: Author) -> None:
        administration, username = self._services.administration, form.text("username")
        match form.text("action"):
            case "add":
                administration.add_user(username, form.text("password") or None, author)
            case "approve":
                administration.approve(username, author)
            case "remove":
                administration.remove_user(username, author)
            case "promote" | "demote" as action:
                administration.set_role(Role.ADMIN, "user", username, author, held=action == "promote")
            case "open" | "close" as action:
                administration.set_register(author, allowed=action == "open")
            case _:
                raise unknown_action()

    def _change_group(self, form: Form, author: Author) -> None:
        administration, group = self._services.administration, form.text("group")
        match form.text("action"):
            case "add":
                administration.add_group(group, author)
            case "remove":
                administration.remove_group(group, author)
            case "join" | "leave" as action:
                administration.set_member(group, form.text("username"), author, member=action == "join")
            case _:
                raise unknown_action()

    def _change_rule(self, form: Form, author: Author) -> None:
        action, right = form.text("action"), form.text("right")
        if action not in {"grant", "revoke"} or right not in set(Right):
            raise unknown_action()
        kind: Kind = "user" if form.text("kind") == "user" else "group"
        self._services.administration.set_right(
            form.text("project"), kind, form.text("who"), Right(right), author, given=action == "grant"
        )

    def _users(self, request: Request, **more: Any) -> PlainResponse:
        directory, administration = self._services.directory, self._services.administration
        values = {
            "accounts": [(one, directory.owner_of(one.username)) for one in directory.accounts()],
            "pending": administration.pending(),
            "registers": administration.allows_register(),
            "mutable": administration.is_possible,
            "invites": self._services.registration.has_tokens,
            "invited": more.get("invited"),
        }
        return manage_page(request, "users", values, more)

    def _groups(self, request: Request, **more: Any) -> PlainResponse:
        groups = self._services.directory.groups()
        return manage_page(request, "groups", {"groups": {name: sorted(groups[name]) for name in sorted(groups)}}, more)

    def _rules(self, request: Request, **more: Any) -> PlainResponse:
        services = self._services
        user, project = request.GET.get("user", "").strip(), request.GET.get("project", "").strip()
        verdicts: list[tuple[str, Any]] = []
        if project:
            name = ProjectName.parse(project)
            account = services.directory.lookup(user) if user else None
            if user and account is None:
                raise NotFound(f"There is no user {user!a} here: see the list of users")
            asker = Identity() if account is None else Identity(account.username, account.groups, account.roles)
            verdicts = [(one.value, services.gate.explain(asker, one, name)) for one in Permission]
        rules = services.directory.grant_book().rules()
        return manage_page(
            request, "rules", {"rules": rules, "user": user, "project": project, "verdicts": verdicts}, more
        )

    def _journal(self, request: Request, **more: Any) -> PlainResponse:
        asked = {key: request.GET.get(key, "").strip()[:255] for key in ("author", "project", "action")}
        outcome = Outcome.REFUSED if request.GET.get("refused") else None
        before = request.GET.get("before", "")
        if before and not (before.isascii() and before.isdecimal() and len(before) <= 18):  # noqa: PLR2004  64 bits
            raise InvalidRequest("There is no such page of the journal")
        question = AuditQuestion(
            **{key: text or None for key, text in asked.items()},
            outcome=outcome,
            before=int(before) if before else None,
            limit=_PER_PAGE,
        )
        with self._services.database.read(snapshot=False) as connection:
            found = entries(connection, question)
        older = None
        if len(found) == _PER_PAGE:
            told = {**asked, "refused": "1" if outcome else "", "before": str(found[-1].id)}
            older = urlencode({key: text for key, text in told.items() if text})
        values = {"entries": found, "asked": asked, "refused_only": outcome is not None, "older": older}
        return manage_page(request, "journal", values, more)

    def _config(self, request: Request, **more: Any) -> PlainResponse:
        return manage_page(request, "config", {"configuration": self._services.configuration()}, more)

    def _for_admins(self, request: Request, show: Callable[..., PlainResponse]) -> PlainResponse:
        identity = self._identity(request)
        if not identity.is_authenticated:
            return redirect(login_path(request), permanent=False)
        self._services.gate.require_administrator(identity, "manage this server")
        return show(request)

    def _changed(
        self,
        request: Request,
        change: Callable[[Form, Author], None],
        show: Callable[..., PlainResponse],
        path: str,
    ) -> PlainResponse:
        form, author = self._sent(request)
        try:
            change(form, author)
        except PpcError as error:
            return show(request, refused=error)
        return see_other(request, path)

    def _sent(self, request: Request) -> tuple[Form, Author]:
        form = read_form(request)
        identity = self._identity.by_form(request, form.text("csrf_token"))
        self._services.gate.require_administrator(identity, "manage this server")
        return form, Author(identity.username, request.remote_addr, identity.credential)


def manage_page(request: Request, name: str, values: Mapping[str, Any], more: Mapping[str, Any]) -> PlainResponse:
    """One of the pages; ``more`` may have the error with which the visitor's form was ``refused``."""
    refused: PpcError | None = more.get("refused")
    status = "200 OK" if refused is None else f"{status_of(refused)} Refused"
    headers = [("Cache-Control", "no-store")]
    return page(request, f"{_TEMPLATES}{name}.jinja2", status, headers, here=name, refused=refused, **values)


def see_other(request: Request, path: str) -> PlainResponse:
    """Where a browser goes after a form that was taken, so that to reload the page sends nothing again."""
    return respond("303 See Other", [("Location", f"{request.script_name}{path}"), ("Cache-Control", "no-store")], b"")


def unknown_action() -> InvalidRequest:
    """What is said of a form that no page has."""
    return InvalidRequest("This form is not one of this server's pages: reload the page and send it again")
