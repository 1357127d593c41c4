"""Users, groups and rules as one document: out of every backend, and into the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from pypicloud_lite.access.acl_document import AclDocument, AclUser
from pypicloud_lite.access.administration import Administration
from pypicloud_lite.access.directory import Directory
from pypicloud_lite.access.facts import FactsAccess
from pypicloud_lite.access.grants import Kind
from pypicloud_lite.access.model import BUILT_IN_GROUPS, Right, Role, may_own
from pypicloud_lite.access.names import is_kept
from pypicloud_lite.access.passwords import identify
from pypicloud_lite.access.sql_writer import NO_PASSWORD, AccessWriter
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.names import shown


@dataclass(slots=True)
class Imported:
    """What an import did; ``remarks`` are lines for a person."""

    users: int = 0
    pending: int = 0
    groups: int = 0
    rules: int = 0
    remarks: list[str] = field(default_factory=list)


def exported(directory: Directory, administration: Administration) -> AclDocument:
    """What all backends know that can be listed; hashes of passwords included, where they are ours to give."""
    hashes: dict[str, str] = {}
    for backend in directory.backends().values():
        if isinstance(backend, FactsAccess):
            for name, stored in backend.hashes().items():
                hashes.setdefault(name, stored)
    rights: dict[Kind, dict[tuple[str, str], frozenset[Right]]] = {"user": {}, "group": {}}
    for rule in directory.grant_book().rules():
        table, key = rights[rule.kind], (rule.pattern, rule.who)
        table[key] = table.get(key, frozenset()) | rule.rights
    return AclDocument(
        users=tuple(
            AclUser(account.username, _real(hashes.get(account.username)), account.is_admin)
            for account in directory.accounts()
        ),
        pending=tuple(AclUser(name, stored) for name, stored in administration.pending_hashes().items()),
        groups=dict(directory.groups()),
        user_rights=rights["user"],
        group_rights=rights["group"],
        allow_register=administration.allows_register(),
    )


def import_document(document: AclDocument, writer: AccessWriter, known: Mapping[str, str] | None = None) -> Imported:
    """Add what is not there yet, in the caller's transaction; doing it again changes nothing.

    A user who is there keeps the password. ``known`` are users of other backends, by the backend's name: they are not
    added. A hash of a form that cannot be verified here leaves its user without a password; a name that cannot be one
    here is left out, and who only waits here under the name of one of the document's users gives way.
    """
    done, elsewhere = Imported(), known or {}
    document = _with_possible_names(document, done)
    for user in document.users:
        if user.username not in elsewhere and writer.reject_user(user.username):
            done.remarks.append(f"user {shown(user.username)} waited for approval here: the document's took its place")
    there = writer.everybody()
    for user, is_pending in (*((one, False) for one in document.users), *((one, True) for one in document.pending)):
        if user.username in elsewhere:
            done.remarks.append(f"user {shown(user.username)} is in {elsewhere[user.username]} already: not added")
        elif user.username not in there:
            writer.add_user(user.username, _usable(user, done), is_pending=is_pending)
            done.users += not is_pending
            done.pending += is_pending
        if user.is_admin:
            writer.set_role(Role.ADMIN, "user", user.username, held=True)
    people = writer.everybody() | elsewhere.keys()
    _import_groups(document, writer, people, done)
    _import_rules(document, writer, people, done)
    if document.allow_register:
        writer.set_register(allowed=True)
    return done


def imported(document: AclDocument, administration: Administration, author: Author) -> Imported:
    """As :func:`import_document`, in a transaction of its own; :class:`Conflict` where the database has no users."""
    with administration.importing(author) as (writer, known):
        return import_document(document, writer, known)


def ini_lines(document: AclDocument) -> Iterator[str]:
    """The document as lines of an INI file, for the backend ``config``; a comment says what no line can hold."""
    admins = sorted(user.username for user in document.users if user.is_admin and _in_ini(user.username))
    if admins:
        yield f"auth.admins = {' '.join(admins)}"
    for user in sorted(document.users, key=lambda one: one.username):
        if not _in_ini(user.username):
            yield f"# left out: user {shown(user.username)}, whose name no line can hold"
        elif user.password_hash:
            yield _user_line(user.username, user.password_hash)
    for group in sorted(document.groups):
        if _in_ini(group):
            yield f"group.{group} = {' '.join(sorted(filter(_in_ini, document.groups[group])))}"
        else:
            yield f"# left out: group {shown(group)}, whose name no line can hold"
    for kind, rights in (("user", document.user_rights), ("group", document.group_rights)):
        for (pattern, who), held in sorted(rights.items()):
            if _in_ini(who):
                yield f"package.{pattern}.{kind}.{who} = {' '.join(sorted(held))}"


def _user_line(username: str, password_hash: str) -> str:
    if identify(password_hash) is None or not _in_ini(password_hash, "%"):
        return f"# left out: the password of user {username}, whose hash cannot be checked here"
    return f"user.{username} = {password_hash}"


def _in_ini(word: str, signs: str = ":=%") -> bool:
    """Whether a line can hold it, and it neither ends a key nor begins a line of its own."""
    return word.isprintable() and not any(char.isspace() or char in signs for char in word)


def _with_possible_names(document: AclDocument, done: Imported) -> AclDocument:
    def possible(name: str) -> bool:
        return is_kept(name) and name.isprintable()

    strange = {user.username for user in (*document.users, *document.pending)} | document.groups.keys()
    done.remarks += [
        f"{shown(name)} was left out: it can be no name here" for name in sorted(strange) if not possible(name)
    ]
    return replace(
        document,
        users=tuple(user for user in document.users if possible(user.username)),
        pending=tuple(user for user in document.pending if possible(user.username)),
        groups={group: members for group, members in document.groups.items() if possible(group)},
    )


def _import_groups(document: AclDocument, writer: AccessWriter, people: AbstractSet[str], done: Imported) -> None:
    there = writer.facts().groups
    for group, members in document.groups.items():
        if group in BUILT_IN_GROUPS:
            continue
        if group not in there:
            writer.add_group(group)
            done.groups += 1
        for member in members & people:
            writer.set_member(group, member, member=True)


def _import_rules(document: AclDocument, writer: AccessWriter, people: AbstractSet[str], done: Imported) -> None:
    groups = writer.facts().groups.keys() | BUILT_IN_GROUPS
    for kind, pattern, who, right in _rules(document):
        # pypicloud left the rules of a deleted user behind: they must not be those of the next one of that name.
        if who not in (people if kind == "user" else groups):
            done.remarks.append(f"the rule for {kind} {shown(who)} on {pattern} was left out: there is no such {kind}")
        elif right is Right.OWNER and not may_own(kind, who):
            done.remarks.append(f"the rule for {kind} {who} on {pattern} was left out: that group cannot be an owner")
        else:
            done.rules += writer.set_right(pattern, kind, who, right, given=True)


def _rules(document: AclDocument) -> Iterator[tuple[Kind, str, str, Right]]:
    for (pattern, who), held in document.user_rights.items():
        for right in held:
            yield "user", pattern, who, right
    for (pattern, who), held in document.group_rights.items():
        for right in held:
            yield "group", pattern, who, right


def _usable(user: AclUser, done: Imported) -> str:
    if user.password_hash and identify(user.password_hash) is not None:
        return user.password_hash
    done.remarks.append(f"user {shown(user.username)} has no password that can be checked here: set one with ppc-user")
    return NO_PASSWORD


def _real(stored: str | None) -> str | None:
    return None if stored == NO_PASSWORD else stored
