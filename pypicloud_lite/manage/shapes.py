"""What the calls of the REST API take and give, field by field; pypicloud's names where pypicloud had the call."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from pypicloud_lite.access.model import BUILT_IN_GROUPS, Role, ScopeWord, project_pattern
from pypicloud_lite.access.names import MAX_NAME, TOKEN_USER
from pypicloud_lite.access.passwords import MAX_PASSWORD
from pypicloud_lite.access.tokens import INDEX_PATTERN, MAX_INDEX, network
from pypicloud_lite.access.tokens import MAX_NAME as MAX_TOKEN_NAME
from pypicloud_lite.journal.model import Outcome
from pypicloud_lite.manage.bodies import Parameters

_NEW_NAME = {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": r"^[^\p{C}\p{Z}/]+$"}
NEW_GROUP: dict[str, Any] = {**_NEW_NAME, "not": {"enum": [".", "..", *sorted(BUILT_IN_GROUPS)]}}
NEW_USER: dict[str, Any] = {
    **_NEW_NAME,
    "pattern": r"^[^\p{C}\p{Z}/:]+$",
    "not": {"enum": [".", "..", TOKEN_USER]},
}
PROJECT_NAME: dict[str, Any] = {
    "type": "string",
    "maxLength": 128,
    "pattern": "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
}
PROJECT_PATTERN: dict[str, Any] = {**PROJECT_NAME, "pattern": "^[A-Za-z0-9*]([A-Za-z0-9*._-]*[A-Za-z0-9*])?$"}
"""Names as the document describes them; the rules themselves are ``access.names`` and ``kernel.names``."""

Password = Annotated[str, Field(min_length=1, max_length=MAX_PASSWORD, json_schema_extra={"format": "password"})]


def words(value: Any) -> Any:
    """A list as a form sends it: separated by white space or commas."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _pattern(text: str) -> str:
    pattern = project_pattern(text)
    if pattern is None:
        raise ValueError("it is no project name or pattern: use letters, digits, '-' and '*'")
    return pattern


def _truth(value: Any) -> Any:
    """A truth value, or its text as a form sends it; no number, which is a mistake."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError("it is a number: send true or false")  # noqa: TRY004  pydantic's own
    return value


def _number(value: Any) -> Any:
    """A number, or its text as a form sends it; no truth value, which would be 0 or 1."""
    if isinstance(value, bool):
        raise ValueError("it is a truth value: send a whole number")  # noqa: TRY004  pydantic's own
    return value


_FEW = Field(default=(), max_length=50)
_Project = Annotated[str, AfterValidator(_pattern), Field(json_schema_extra=PROJECT_PATTERN)]
_Network = Annotated[str, AfterValidator(network), Field(json_schema_extra={"format": "ipvanynetwork"})]
Projects = Annotated[tuple[_Project, ...], BeforeValidator(words)]
Networks = Annotated[tuple[_Network, ...], BeforeValidator(words)]
Truth = Annotated[bool, BeforeValidator(_truth)]
Days = Annotated[int, Field(ge=1, le=3650), BeforeValidator(_number)]
Whole = Annotated[int, BeforeValidator(_number)]
Permissions = Annotated[tuple[ScopeWord, ...], BeforeValidator(words)]


class PasswordParameters(Parameters):
    """A new password."""

    password: Password


class OptionalPasswordParameters(Parameters):
    """A new user's password; without one the user logs in by tokens only."""

    password: Password | None = None


class ChangePasswordParameters(Parameters):
    """One's own password, old and new."""

    old_password: str
    new_password: Password


class LoginParameters(Parameters):
    """A user name and a password."""

    username: str
    password: str


class RegisterParameters(Parameters):
    """The name and the password of an account to be made."""

    username: Annotated[str, Field(json_schema_extra=NEW_USER)]
    password: Password


class SignupParameters(Parameters):
    """A registration token, and the password of the account to be made."""

    token: str
    password: Password


class AllowParameters(Parameters):
    """Whether people may ask for accounts."""

    allow: Truth


class AdminParameters(Parameters):
    """Whether the user is an administrator."""

    admin: Truth


class TokenParameters(Parameters):
    """What a new token is for. Lists may be empty: all projects, any address. The permission admin knows no limits."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"required": ["permissions"], "properties": {"permissions": {"contains": {"const": "admin"}}}},
            "then": {"properties": {"projects": {"maxItems": 0}, "index": {"type": "null"}}},
        }
    )

    name: str = Field(min_length=1, max_length=MAX_TOKEN_NAME)
    permissions: Permissions = Field(min_length=1, max_length=len(ScopeWord))
    projects: Projects = _FEW
    index: str | None = Field(default=None, max_length=MAX_INDEX, pattern=INDEX_PATTERN)
    networks: Networks = _FEW
    expires_in_days: Days | Literal["never"] | None = Field(default=None, description="auth.api_token_days if left out")


class JournalParameters(Parameters):
    """Which entries of the journal; ``before`` is the ``next`` of the page before."""

    author: str | None = Field(default=None, max_length=255)
    project: str | None = Field(default=None, max_length=128)
    action: str | None = Field(default=None, max_length=60)
    outcome: Outcome | None = None
    before: int | None = Field(default=None, ge=1, le=2**63 - 1)
    limit: int = Field(default=100, ge=1, le=1000)


class Shape(BaseModel):
    """An answer; nothing but what is declared."""

    model_config = ConfigDict(extra="forbid")


class NextPage(Shape):
    """Where a browser goes after logging in or out; ``csrf_token`` goes into X-CSRF-Token with every change."""

    next: str
    csrf_token: str | None = None


class Myself(Shape):
    """Who the caller is, and by which credential."""

    username: str
    admin: bool
    groups: list[str]
    roles: list[Role]
    credential: str | None
    scope: dict[str, Any] | None
    csrf_token: str | None


class ListedUser(Shape):
    """A user in a list."""

    username: str
    admin: bool


class User(ListedUser):
    """A user."""

    groups: list[str]
    roles: list[Role]
    backend: str | None


class PackageRights(Shape):
    """The rights on one project or pattern."""

    package: str
    permissions: list[str]


class GroupShape(Shape):
    """A group: its members, and its rules."""

    members: list[str]
    packages: list[PackageRights]


class DayShape(Shape):
    """The downloads of one day, in UTC."""

    day: str
    count: int


class DownloadsShape(Shape):
    """How often the files of a project were downloaded: by day, and of all times by version."""

    name: str
    total: int
    days: list[DayShape]
    versions: dict[str, int]


class UserRights(Shape):
    """A user's rights on the project."""

    username: str
    permissions: list[str]


class GroupRights(Shape):
    """A group's rights on the project."""

    group: str
    permissions: list[str]


class Rules(Shape):
    """The rules of a project."""

    user: list[UserRights]
    group: list[GroupRights]


class ListedRule(Shape):
    """One rule, and where it stands."""

    package: str
    kind: Literal["user", "group"]
    who: str
    permissions: list[str]
    source: str


class RoleShape(Shape):
    """Who holds a role."""

    users: list[str]
    groups: list[str]


class Roles(Shape):
    """Who holds each role."""

    reader: RoleShape
    writer: RoleShape
    admin: RoleShape


class TokenShape(Shape):
    """A token, without its secret. Times are ISO 8601 in UTC."""

    id: int
    name: str
    username: str
    permissions: list[ScopeWord]
    projects: list[str]
    index: str | None
    networks: list[str]
    created: str
    expires: str | None
    last_used: str | None
    last_address: str | None


class NewToken(TokenShape):
    """A token, and its secret, which is shown this once."""

    token: str


class TokenList(Shape):
    """All tokens of a user."""

    tokens: list[TokenShape]


class SignupToken(Shape):
    """A registration token, and the address that takes it."""

    token: str
    token_url: str


class Registration(Shape):
    """Whether people may ask for accounts."""

    allow: bool


class JournalEntryShape(Shape):
    """One line of the journal."""

    id: int
    at: str
    author: str | None
    address: str | None
    credential: str | None
    action: str
    outcome: Outcome
    index: str
    project: str
    subject: str | None
    detail: dict[str, Any]


class JournalPage(Shape):
    """Newest first; ``next`` is where the next page begins, None at the end."""

    entries: list[JournalEntryShape]
    next: int | None


class RebuildReport(Shape):
    """What a rebuild found and changed; the names are those of ppc-resync."""

    report: dict[str, Any]


class PackageObject(Shape):
    """A file, as pypicloud showed it."""

    name: str
    filename: str
    version: str
    url: str
    last_modified: int
    summary: str | None
    metadata: dict[str, Any]
    size: int
    yanked: bool
    yanked_reason: str | None


class FileList(Shape):
    """Files of a project, and whether the caller may upload more."""

    packages: list[PackageObject]
    write: bool


class ChangedFiles(Shape):
    """Files as they are now."""

    packages: list[PackageObject]


class ProjectOverviewShape(Shape):
    """A project in a list."""

    name: str
    summary: str | None
    last_modified: int


class ProjectList(Shape):
    """Names, or with ``verbose`` what a list shows."""

    packages: list[str] | list[ProjectOverviewShape]


class Deleted(Shape):
    """The names of the files that are gone."""

    deleted: list[str]


class StatusShape(Shape):
    """The status of a project (PEP 792)."""

    name: str
    status: str
    reason: str | None
    files: int


class Freed(Shape):
    """A name that is free again."""

    freed: str
