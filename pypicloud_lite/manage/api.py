"""The REST API: every call, at its address, for whom. Reads as the table that it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pypicloud_lite.manage import shapes
from pypicloud_lite.manage.account.views import AccountViews, LoginViews
from pypicloud_lite.manage.bodies import DownloadParameters, ListParameters, StatusParameters, YankParameters
from pypicloud_lite.manage.indexes import promotion
from pypicloud_lite.manage.indexes import shapes as of_indexes
from pypicloud_lite.manage.indexes.views import IndexViews
from pypicloud_lite.manage.operations import Needs, Operation
from pypicloud_lite.manage.people.views import PeopleViews, RuleViews, ServerViews
from pypicloud_lite.manage.reference.views import ReferenceViews
from pypicloud_lite.manage.views import PackageViews

_PROJECT = "{project:[^/]+}"
_PACKAGE = f"/api/package/{_PROJECT}"
_FILE = f"{_PACKAGE}/{{filename:[^/]+}}"
_RELEASE = f"{_PACKAGE}/version/{{version:[^/]+}}"
_USER = "/admin/user/{username:[^/]+}"
_GROUP = "/admin/group/{group:[^/]+}"
_RULES = f"/admin/package/{_PROJECT}"
_RULE = f"{_RULES}/{{kind:user|group}}/{{name:[^/]+}}/{{right:read|write|owner}}"
_INDEX = "/api/index/{owner:[^/]+}/{index:[^/]+}"
_ROLE = "/admin/role/{role:reader|writer|admin}/{kind:user|group}/{name:[^/]+}"

View = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class ApiViews:
    """What answers the calls; ``download`` and ``upload`` are other features' own."""

    packages: PackageViews
    login: LoginViews
    account: AccountViews
    people: PeopleViews
    rules: RuleViews
    server: ServerViews
    indexes: IndexViews
    download: View
    upload: View
    reference: ReferenceViews


def operations(views: ApiViews) -> list[Operation]:
    """Every call; where two could match an address, the first of them does."""
    return [
        *_reference(views),
        *_packages(views),
        *_logins(views.login),
        *_account(views.account),
        *_users(views.people, views.account),
        *_groups(views.people),
        *_rules(views.rules, views.packages),
        *_server(views.people, views.server),
        *_indexes(views.indexes),
    ]


def _both(path: str) -> tuple[str, str]:
    """Without and with a slash at its end; pypicloud documented it without."""
    return path, f"{path}/"


# fmt: off


def _reference(views: ApiViews) -> Sequence[Operation]:
    anyone = Needs.ANYONE
    return [
        Operation("api.document", "GET", "/api/openapi.json", anyone, views.reference.document, "read this document", gives=dict),
        Operation("api.page", "GET", ("/api/", "/api"), anyone, views.reference.page, "read the API's page", gives=str, gives_type="text/html"),
    ]


def _packages(views: ApiViews) -> Sequence[Operation]:
    packages, project = views.packages, Needs.PROJECT
    changed = shapes.ChangedFiles
    binary = "application/octet-stream"
    return [
        Operation("api.projects", "GET", ("/api/package/", "/api/package"), Needs.ANYONE, packages.projects, "list the projects that the caller may read", ListParameters, shapes.ProjectList),
        Operation("api.project", "GET", (f"{_PACKAGE}/", _PACKAGE), project, packages.files, "list the files of a project; none where it is unknown or hidden", gives=shapes.FileList),
        Operation("api.project", "DELETE", (f"{_PACKAGE}/", _PACKAGE), project, packages.delete, "delete all files of a project", gives=shapes.Deleted),
        Operation("api.status", "GET", f"{_PACKAGE}/status", project, packages.status, "read the status of a project", gives=shapes.StatusShape),
        Operation("api.status", "PUT", f"{_PACKAGE}/status", project, packages.set_status, "give a project its status (PEP 792); quarantine is for administrators", StatusParameters, shapes.StatusShape),
        Operation("api.downloads", "GET", f"{_PACKAGE}/downloads", project, packages.downloads, "count the downloads of a project, at most a minute late", DownloadParameters, shapes.DownloadsShape),
        Operation("api.release", "GET", _RELEASE, project, packages.release, "list the files of a release", gives=shapes.FileList),
        Operation("api.release", "DELETE", _RELEASE, project, packages.delete, "delete a release", gives=shapes.Deleted),
        Operation("api.release.yank", "PUT", f"{_RELEASE}/yank", project, packages.yank, "yank a release (PEP 592)", YankParameters, changed),
        Operation("api.release.yank", "DELETE", f"{_RELEASE}/yank", project, packages.unyank, "un-yank a release", gives=changed),
        Operation("api.file.yank", "PUT", f"{_FILE}/yank", project, packages.yank, "yank a file (PEP 592)", YankParameters, changed),
        Operation("api.file.yank", "DELETE", f"{_FILE}/yank", project, packages.unyank, "un-yank a file", gives=changed),
        Operation("api.file", "GET", _FILE, project, views.download, "download a file, or .metadata of it", gives=bytes, gives_type=binary),
        Operation("api.file", "POST", _FILE, project, views.upload, "upload a file", gives=shapes.PackageObject, sends_file=True),
        Operation("api.file", "DELETE", _FILE, project, packages.delete_file, "delete a file"),
    ]


def _logins(views: LoginViews) -> Sequence[Operation]:
    anyone, page = Needs.ANYONE, shapes.NextPage
    return [
        Operation("acct.login", "POST", _both("/acct/login"), anyone, views.log_in, "log in for a session", shapes.LoginParameters, page),
        Operation("acct.login", "PUT", _both("/acct/login"), anyone, views.register_by_form, "ask for an account", shapes.RegisterParameters),
        Operation("acct.logout", "POST", _both("/acct/logout"), anyone, views.log_out, "end the session", gives=page),
        Operation("acct.signup", "PUT", _both("/acct/tokenRegister"), anyone, views.register_by_token, "make the account that a registration token is for", shapes.SignupParameters, page),
        Operation("api.user.password", "POST", _both("/api/user/password"), Needs.LOGIN, views.change_password, "change one's own password", shapes.ChangePasswordParameters),
        Operation("api.user.register", "PUT", _both("/api/user/{username:[^/]+}"), anyone, views.register, "ask for an account", shapes.PasswordParameters),
    ]


def _account(views: AccountViews) -> Sequence[Operation]:
    login = Needs.LOGIN
    return [
        Operation("api.user", "GET", _both("/api/user"), Needs.ANY_LOGIN, views.myself, "see who one is", gives=shapes.Myself),
        Operation("api.tokens", "GET", _both("/api/token"), login, views.list, "list tokens", gives=shapes.TokenList),
        Operation("api.tokens", "POST", _both("/api/token"), login, views.create, "make a token", shapes.TokenParameters, shapes.NewToken, status=201),
        Operation("api.token", "DELETE", "/api/token/{token:[^/]+}", login, views.revoke, "revoke a token"),
    ]


def _users(people: PeopleViews, account: AccountViews) -> Sequence[Operation]:
    on = partial(Operation, needs=Needs.ADMIN)
    member = f"{_USER}/group/{{group:[^/]+}}"
    return [
        on("admin.pending", "GET", _both("/admin/pending_users"), view=people.pending, doing="list pending users", gives=list[str]),
        on("admin.users", "GET", _both("/admin/user"), view=people.users, doing="list users", gives=list[shapes.ListedUser]),
        on("admin.user", "GET", _both(_USER), view=people.user, doing="see a user", gives=shapes.User),
        on("admin.user", "PUT", _both(_USER), view=people.add_user, doing="add users", takes=shapes.OptionalPasswordParameters),
        on("admin.user", "DELETE", _both(_USER), view=people.remove_user, doing="remove users"),
        on("admin.approve", "POST", _both(f"{_USER}/approve"), view=people.approve, doing="approve users"),
        on("admin.password", "POST", _both(f"{_USER}/password"), view=people.set_password, doing="set passwords", takes=shapes.PasswordParameters),
        on("admin.admin", "POST", _both(f"{_USER}/admin"), view=people.set_admin, doing="make administrators", takes=shapes.AdminParameters, gives=bool),
        on("admin.member", "PUT", _both(member), view=people.set_member(member=True), doing="change groups"),
        on("admin.member", "DELETE", _both(member), view=people.set_member(member=False), doing="change groups"),
        on("admin.rights", "GET", _both(f"{_USER}/permissions"), view=people.rights, doing="list the rules of users", gives=list[shapes.PackageRights]),
        on("admin.tokens", "GET", _both(f"{_USER}/token"), view=account.list_of, doing="list tokens of others", gives=shapes.TokenList),
        on("admin.tokens", "POST", _both(f"{_USER}/token"), view=account.create_for, doing="make tokens for others", takes=shapes.TokenParameters, gives=shapes.NewToken, status=201),
        on("admin.token", "DELETE", f"{_USER}/token/{{token:[^/]+}}", view=account.revoke_of, doing="revoke tokens of others"),
    ]


def _groups(people: PeopleViews) -> Sequence[Operation]:
    on = partial(Operation, needs=Needs.ADMIN)
    return [
        on("admin.groups", "GET", _both("/admin/group"), view=people.groups, doing="list groups", gives=list[str]),
        on("admin.group", "GET", _both(_GROUP), view=people.group, doing="see a group", gives=shapes.GroupShape),
        on("admin.group", "PUT", _both(_GROUP), view=people.add_group, doing="add groups"),
        on("admin.group", "DELETE", _both(_GROUP), view=people.remove_group, doing="remove groups"),
        on("admin.roles", "GET", _both("/admin/role"), view=people.roles, doing="list roles", gives=shapes.Roles),
        on("admin.role", "PUT", _both(_ROLE), view=people.set_role(held=True), doing="give roles"),
        on("admin.role", "DELETE", _both(_ROLE), view=people.set_role(held=False), doing="take roles away"),
    ]


def _rules(rules: RuleViews, packages: PackageViews) -> Sequence[Operation]:
    on = partial(Operation, needs=Needs.PROJECT)
    return [
        Operation("admin.free", "POST", f"{_RULES}/free", Needs.ADMIN, packages.free, "free names", gives=shapes.Freed),
        Operation("admin.rules", "GET", _both("/admin/package"), Needs.ADMIN, rules.every, "list all rules", gives=list[shapes.ListedRule]),
        on("admin.rule", "PUT", _both(_RULE), view=rules.set_right(given=True), doing="grant a right, as an owner"),
        on("admin.rule", "DELETE", _both(_RULE), view=rules.set_right(given=False), doing="revoke a right, as an owner"),
        on("admin.package", "GET", _both(_RULES), view=rules.of_project, doing="list the rules of a project, as an owner", gives=shapes.Rules),
    ]


def _server(people: PeopleViews, server: ServerViews) -> Sequence[Operation]:
    on = partial(Operation, needs=Needs.ADMIN)
    signup = _both("/admin/token/{username:[^/]+}")
    return [
        on("admin.register", "GET", _both("/admin/register"), view=people.registration, doing="see whether registration is on", gives=shapes.Registration),
        on("admin.register", "POST", _both("/admin/register"), view=people.set_registration, doing="switch registration", takes=shapes.AllowParameters),
        on("admin.signup", "GET", signup, view=people.signup_token, doing="make registration tokens", gives=shapes.SignupToken),
        on("admin.rebuild", "POST", _both("/admin/rebuild"), view=server.rebuild, doing="rebuild the catalog", gives=shapes.RebuildReport),
        on("admin.acl", "GET", "/admin/acl.json.gz", view=server.people, doing="export users with the hashes of their passwords", gives=bytes, gives_type="application/gzip"),
        on("admin.journal", "GET", _both("/admin/journal"), view=server.journal, doing="read the journal", takes=shapes.JournalParameters, gives=shapes.JournalPage),
    ]


def _indexes(views: IndexViews) -> Sequence[Operation]:
    anyone, project = Needs.ANYONE, Needs.PROJECT
    package = f"{_INDEX}/package/{_PROJECT}"
    return [
        Operation("api.indexes", "GET", _both("/api/index"), anyone, views.every, "list the indexes that the caller may know of", gives=list[of_indexes.IndexShape]),
        Operation("api.index", "GET", _both(_INDEX), anyone, views.one, "see an index", gives=of_indexes.IndexShape),
        Operation("api.index", "PUT", _both(_INDEX), Needs.LOGIN, views.create, "make an index, as its owner", of_indexes.NewIndexParameters, of_indexes.IndexShape, status=201),
        Operation("api.index", "PATCH", _both(_INDEX), Needs.LOGIN, views.modify, "change an index, as its owner", of_indexes.IndexOptions, of_indexes.IndexShape),
        Operation("api.index", "DELETE", _both(_INDEX), Needs.LOGIN, views.remove, "remove an index with all that is in it, as its owner"),
        Operation("api.index.projects", "GET", _both(f"{_INDEX}/package"), anyone, views.projects, "list the projects that an index has itself", gives=of_indexes.IndexProjects),
        Operation("api.index.project", "GET", _both(package), project, views.files, "list the files that an index shows of a project", gives=of_indexes.IndexFiles),
        Operation("api.index.project", "DELETE", _both(package), project, views.delete, "delete a project from an index", gives=shapes.Deleted),
        Operation("api.index.release", "DELETE", f"{package}/version/{{version:[^/]+}}", project, views.delete, "delete a release from an index", gives=shapes.Deleted),
        Operation("api.promote", "POST", _both("/api/promote"), Needs.ANY_LOGIN, views.promote, "copy or move a release to another index", promotion.PromotionParameters, list[promotion.PromotedShape]),
        Operation("api.index.file", "DELETE", f"{package}/{{filename:[^/]+}}", project, views.delete, "delete a file from an index", gives=shapes.Deleted),
    ]
