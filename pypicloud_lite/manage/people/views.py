"""The HTTP skin of pypicloud's ``/admin``, completed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast
from urllib.parse import quote

from pyramid.request import Request

from pypicloud_lite.access.acl_document import AclDocument, dump
from pypicloud_lite.access.administration import Administration
from pypicloud_lite.access.directory import Directory
from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.grants import Kind
from pypicloud_lite.access.model import BUILT_IN_GROUPS, Permission, Right, Role, is_pattern, required_pattern
from pypicloud_lite.access.registration import Registration
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.journal.model import Author
from pypicloud_lite.journal.sql import AuditQuestion
from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.kernel.names import ProjectName, shown
from pypicloud_lite.manage.audit import Audit
from pypicloud_lite.manage.parameters import parameters
from pypicloud_lite.manage.people.rules import listed_rules, rights_of, roles, rules_of, shown_entry, shown_user
from pypicloud_lite.manage.shapes import (
    AdminParameters,
    AllowParameters,
    JournalParameters,
    OptionalPasswordParameters,
    PasswordParameters,
)
from pypicloud_lite.web.responses import PlainResponse, respond, respond_json


class PeopleViews:
    """Users, groups, roles, registration."""

    def __init__(
        self,
        administration: Administration,
        directory: Directory,
        registration: Registration,
        identity: RequestIdentity,
        base_url: str | None,
    ) -> None:
        self._administration = administration
        self._directory = directory
        self._registration = registration
        self._identity = identity
        self._base_url = base_url

    def pending(self, _request: Request) -> PlainResponse:
        """Who waits for approval."""
        return respond_json("200 OK", list(self._administration.pending()))

    def users(self, _request: Request) -> PlainResponse:
        """Everybody who can be listed."""
        found = self._directory.accounts()
        return respond_json("200 OK", [{"username": one.username, "admin": one.is_admin} for one in found])

    def user(self, request: Request) -> PlainResponse:
        """One user."""
        account = self._directory.lookup(_name(request, "username"))
        if account is None:
            raise _unknown("user", request)
        return respond_json("200 OK", shown_user(account, self._directory))

    def add_user(self, request: Request) -> PlainResponse:
        """Add one, approved."""
        password = parameters(request, OptionalPasswordParameters).password
        self._administration.add_user(_name(request, "username"), password, self._identity.author(request)[1])
        return _done()

    def remove_user(self, request: Request) -> PlainResponse:
        """Remove one, or reject who waits."""
        self._administration.remove_user(_name(request, "username"), self._identity.author(request)[1])
        return _done()

    def approve(self, request: Request) -> PlainResponse:
        """Let one in who waits."""
        self._administration.approve(_name(request, "username"), self._identity.author(request)[1])
        return _done()

    def set_password(self, request: Request) -> PlainResponse:
        """Give one another password."""
        password = parameters(request, PasswordParameters).password
        self._administration.set_password(_name(request, "username"), password, self._identity.author(request)[1])
        return _done()

    def set_admin(self, request: Request) -> PlainResponse:
        """Make one an administrator, or not any more."""
        admin = parameters(request, AdminParameters).admin
        author = self._identity.author(request)[1]
        self._administration.set_role(Role.ADMIN, "user", _name(request, "username"), author, held=admin)
        return respond_json("200 OK", admin)

    def set_member(self, *, member: bool) -> Callable[[Request], PlainResponse]:
        """The view that puts a user into a group, or takes it out."""

        def view(request: Request) -> PlainResponse:
            author = self._identity.author(request)[1]
            self._administration.set_member(_name(request, "group"), _name(request, "username"), author, member=member)
            return _done()

        return view

    def rights(self, request: Request) -> PlainResponse:
        """The rules that name a user."""
        username = _name(request, "username")
        if self._directory.lookup(username) is None:
            raise _unknown("user", request)
        return respond_json("200 OK", rights_of(self._directory.grant_book(), "user", username))

    def groups(self, _request: Request) -> PlainResponse:
        """The names of all groups but the built-in ones."""
        return respond_json("200 OK", sorted(self._directory.groups()))

    def group(self, request: Request) -> PlainResponse:
        """A group's members and rules."""
        name = _name(request, "group")
        members = self._directory.groups().get(name)
        if members is None and name not in BUILT_IN_GROUPS:
            raise _unknown("group", request)
        packages = rights_of(self._directory.grant_book(), "group", name)
        return respond_json("200 OK", {"members": sorted(members or ()), "packages": packages})

    def add_group(self, request: Request) -> PlainResponse:
        """Add one without members."""
        self._administration.add_group(_name(request, "group"), self._identity.author(request)[1])
        return _done()

    def remove_group(self, request: Request) -> PlainResponse:
        """Remove one."""
        self._administration.remove_group(_name(request, "group"), self._identity.author(request)[1])
        return _done()

    def roles(self, _request: Request) -> PlainResponse:
        """Who holds each role."""
        return respond_json("200 OK", roles(self._directory))

    def set_role(self, *, held: bool) -> Callable[[Request], PlainResponse]:
        """The view that gives a role, or takes it away."""

        def view(request: Request) -> PlainResponse:
            role, kind = Role(request.matchdict["role"]), _kind(request)
            author = self._identity.author(request)[1]
            self._administration.set_role(role, kind, _name(request, "name"), author, held=held)
            return _done()

        return view

    def registration(self, _request: Request) -> PlainResponse:
        """Whether people may ask for accounts."""
        return respond_json("200 OK", {"allow": self._administration.allows_register()})

    def set_registration(self, request: Request) -> PlainResponse:
        """Let them, or not."""
        allowed = parameters(request, AllowParameters).allow
        self._administration.set_register(self._identity.author(request)[1], allowed=allowed)
        return _done()

    def signup_token(self, request: Request) -> PlainResponse:
        """A registration token for a name; no user is there until it is used."""
        token = self._registration.invite(_name(request, "username"), self._identity.author(request)[1])
        base = self._base_url or request.application_url
        return respond_json("200 OK", {"token": token, "token_url": f"{base}/register?token={quote(token)}"})


class RuleViews:
    """The rules of projects, for administrators and the project's owners."""

    def __init__(
        self, administration: Administration, directory: Directory, gate: Gate, identity: RequestIdentity
    ) -> None:
        self._administration = administration
        self._directory = directory
        self._gate = gate
        self._identity = identity

    def every(self, _request: Request) -> PlainResponse:
        """Every rule, and where it stands."""
        return respond_json("200 OK", listed_rules(self._directory.grant_book().rules()))

    def of_project(self, request: Request) -> PlainResponse:
        """The rules that hold for a project."""
        spelling = _name(request, "project")
        if is_pattern(spelling):
            self._require(request, spelling)
            pattern = required_pattern(spelling)
            rules = [rule for rule in self._directory.grant_book().rules() if rule.pattern == pattern]
            return respond_json("200 OK", rules_of(rules))
        project = ProjectName.parse(spelling)
        self._require(request, spelling)
        return respond_json("200 OK", rules_of(self._directory.grant_book().rules_of(project)))

    def set_right(self, *, given: bool) -> Callable[[Request], PlainResponse]:
        """The view that grants a right on a project or pattern, or revokes it."""

        def view(request: Request) -> PlainResponse:
            spelling = _name(request, "project")
            self._require(request, spelling)
            right, author = Right(request.matchdict["right"]), self._identity.author(request)[1]
            self._administration.set_right(spelling, _kind(request), _name(request, "name"), right, author, given=given)
            return _done()

        return view

    def _require(self, request: Request, spelling: str) -> None:
        identity = self._identity(request)
        if is_pattern(spelling):
            self._gate.require_administrator(identity, "change the rules of a pattern")
        else:
            self._gate.require(identity, Permission.GRANT, ProjectName.parse(spelling))


class ServerViews:
    """What administrators ask of the whole server."""

    def __init__(
        self,
        audit: Audit,
        identity: RequestIdentity,
        rebuild: Callable[[Author], Mapping[str, Any]],
        people: Callable[[Author], AclDocument],
    ) -> None:
        self._audit = audit
        self._identity = identity
        self._rebuild = rebuild
        self._people = people

    def journal(self, request: Request) -> PlainResponse:
        """The journal, newest first."""
        wanted = parameters(request, JournalParameters)
        question = AuditQuestion(**wanted.model_dump())
        entries = self._audit.entries(question)
        last = entries[-1].id if len(entries) == wanted.limit else None
        return respond_json("200 OK", {"entries": [shown_entry(entry) for entry in entries], "next": last})

    def people(self, request: Request) -> PlainResponse:
        """Users with the hashes of their passwords, groups and rules: a file, for ppc-import."""
        data = gzip.compress(json.dumps(dump(self._people(self._identity.author(request)[1]))).encode())
        headers = [("Content-Type", "application/gzip"), ("Content-Disposition", 'attachment; filename="acl.json.gz"')]
        return respond("200 OK", headers, data)

    def rebuild(self, request: Request) -> PlainResponse:
        """Rebuild the catalog from the storage, and say what was found."""
        return respond_json("200 OK", {"report": self._rebuild(self._identity.author(request)[1])})


def _name(request: Request, key: str) -> str:
    return cast("str", request.matchdict[key])


def _kind(request: Request) -> Literal["user", "group"]:
    return cast("Kind", request.matchdict["kind"])


def _unknown(kind: str, request: Request) -> NotFound:
    return NotFound(f"There is no {kind} {shown(_name(request, 'username' if kind == 'user' else 'group'))} here")


def _done() -> PlainResponse:
    return respond("200 OK", [], b"")
