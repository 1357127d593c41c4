"""The users of an export."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from pypicloud_lite.access.administration import Administration
from pypicloud_lite.access.model import Role
from pypicloud_lite.access.names import new_username
from pypicloud_lite.access.passwords import identify, is_of_nothing
from pypicloud_lite.access.sql_writer import NO_PASSWORD, AccessWriter
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.names import shown
from pypicloud_lite.ops.devpi_export.earlier import EarlierImports, Kind
from pypicloud_lite.ops.devpi_export.reading import Export, ExportedUser
from pypicloud_lite.ops.devpi_export.renaming import Names
from pypicloud_lite.ops.devpi_export.report import ImportReport

_ROOT = "root"


class Profiles(Protocol):
    """Where e-mail, title, description and custom data of a user go."""

    def keep_profile(self, username: str, more: Mapping[str, object], author: Author) -> None:
        """Keep them, of a user who was added just now or is there from an earlier run; twice is harmless."""


class PeopleImport:
    """Adds those who are not there yet, in one transaction."""

    def __init__(
        self,
        administration: Administration,
        names: Names,
        author: Author,
        report: ImportReport,
        profiles: Profiles | None,
        earlier: EarlierImports,
    ) -> None:
        self._administration = administration
        self._names = names
        self._author = author
        self._report = report
        self._profiles = profiles
        self._earlier = earlier
        self._here: list[str] = []

    def run(self, export: Export, *, root_is_admin: bool, dry_run: bool) -> None:
        """All of them, but for those who were removed since an earlier import. Who is there keeps the password."""
        if not self._administration.is_possible:
            self._report.left += [
                f"user {shown(user.name)}: pypi.auth does not name sql here: add it, or add the user to what it names"
                for user in export.users
            ]
            return
        ours: dict[str, ExportedUser] = {}
        with suppress(_NotMeant), self._administration.importing(self._author) as (writer, elsewhere):
            stored = {name: known.password_hash for name, known in writer.facts().users.items()}
            for user in export.users:
                name = self._add(user, writer, stored, elsewhere)
                if name is not None:
                    ours[name] = user
            if root_is_admin and (root := self._names.user(_ROOT)) in {*stored, *elsewhere, *ours}:
                writer.set_role(Role.ADMIN, "user", root, held=True)
            if dry_run:
                raise _NotMeant
        for name, user in ours.items():
            if not self._earlier.has(Kind.USER, name):
                self._keep_more(name, user, dry_run=dry_run)
        self._earlier.note(Kind.USER, self._here)
        if not root_is_admin and any(user.name == _ROOT for user in export.users):
            self._report.notes.append(
                f"user {self._names.user(_ROOT)} was devpi's administrator and is none by this import: say "
                "--root-is-admin to make it one"
            )

    def _add(
        self, user: ExportedUser, writer: AccessWriter, stored: Mapping[str, str], elsewhere: Mapping[str, str]
    ) -> str | None:
        """The name under which the user is ours now; None where it is another's, or cannot be."""
        try:
            name = new_username(self._names.user(user.name))
        except InvalidName as error:
            self._report.left.append(f"user {shown(user.name)}: {error.message}: give another name with --rename")
            return None
        if self._earlier.has(Kind.USER, name) and name not in {*stored, *elsewhere}:
            self._report.left.append(
                f"user {name}: removed here after an earlier import: add it with ppc-user if it is to come back"
            )
            return None
        self._here.append(name)
        if name in elsewhere:
            self._report.notes.append(f"user {name} is in {elsewhere[name]} already: left alone")
            return None
        new = user.password_hash if user.password_hash and identify(user.password_hash) else NO_PASSWORD
        if name in stored:
            if stored[name] == new:
                self._report.users_there += 1
                return name
            self._report.notes.append(f"user {name} is there already, with another password: left alone")
            return None
        if writer.reject_user(name):
            self._report.notes.append(f"user {name} waited for approval here: the export's took its place")
        writer.add_user(name, new, created_at=user.created_at)
        self._report.users += 1
        if new == NO_PASSWORD:
            self._report.left.append(
                f"user {name}: the export has no password that can be checked here: set one with ppc-user"
            )
        elif user.name == _ROOT and is_of_nothing(new):
            self._report.notes.append(
                f"user {name} had the empty password, with which nobody logs in here: set one with ppc-user"
            )
        return name

    def _keep_more(self, name: str, user: ExportedUser, *, dry_run: bool) -> None:
        if not user.more:
            return
        if self._profiles is None:
            self._report.left.append(f"user {name}: {', '.join(user.more)}: users have no such thing here")
        elif not dry_run:
            self._profiles.keep_profile(name, user.more, self._author)


class _NotMeant(Exception):
    """Takes a transaction back that only was to be seen."""
