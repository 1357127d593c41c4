"""The access backend in the database under the contract, on every kind of database."""

from __future__ import annotations

import pytest

from pypicloud_lite.access.backends.sql import SqlAccess
from pypicloud_lite.access.directory import Directory, InForce
from pypicloud_lite.access.model import Role
from pypicloud_lite.access.passwords import PasswordHasher
from pypicloud_lite.access.port import AccessBackend
from pypicloud_lite.access.sql_writer import writing
from pypicloud_lite.db.migrate import upgrade
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.clock import system_clock
from pypicloud_lite.kernel.errors import AccessUnavailable
from pypicloud_lite.testing.access import ADMINS, GROUP_GRANTS, GROUPS, HASHES, USER_GRANTS, AccessContract
from pypicloud_lite.testing.databases import KINDS, DatabaseMissing, counted_statements, new_database, open_database

AUTHOR = Author("test")


def fill(database):
    with writing(database, system_clock, AUTHOR) as writer:
        for name, stored in HASHES.items():
            writer.add_user(name, stored)
        writer.add_user("waiting", HASHES["alice"], is_pending=True)
        for group, members in GROUPS.items():
            writer.add_group(group)
            for member in members:
                writer.set_member(group, member, member=True)
        for name in ADMINS:
            writer.set_role(Role.ADMIN, "user", name, held=True)
        for kind, grants in (("user", USER_GRANTS), ("group", GROUP_GRANTS)):
            for (project, who), rights in grants.items():
                for right in rights:
                    writer.set_right(project, kind, who, right, given=True)


@pytest.fixture
def database(database_url):
    database = open_database(database_url)
    upgrade(database)
    yield database
    database.dispose()


@pytest.fixture(params=KINDS, scope="module")
def filled(request, tmp_path_factory, missing):
    """The world of the contract, which changes nothing in it, on each kind of database."""
    try:
        with new_database(request.param, tmp_path_factory.mktemp("access")) as url:
            database = open_database(url)
            upgrade(database)
            fill(database)
            yield database
            database.dispose()
    except DatabaseMissing as error:
        missing(request.param, str(error))


class TestSqlAccess(AccessContract):
    @pytest.fixture
    def backend(self, filled) -> AccessBackend:
        in_force = InForce({"sql": SqlAccess(filled, PasswordHasher())})
        return Directory(lambda: in_force)


def test_a_change_is_seen_by_another_process_at_its_next_question(database, database_url):
    other = open_database(database_url)
    try:
        fill(database)
        here, there = SqlAccess(database, PasswordHasher()), SqlAccess(other, PasswordHasher())
        assert here.serial() == there.serial()
        before = there.lookup("alice")
        with writing(database, system_clock, AUTHOR) as writer:
            writer.set_password("alice", HASHES["carol"])
        assert there.lookup("alice").version != before.version
        assert there.authenticate("alice", "open sesame") is not None
        with writing(database, system_clock, AUTHOR) as writer:
            writer.remove_user("alice")
        assert there.lookup("alice") is None
        assert "alice" not in there.groups()["devs"]
    finally:
        other.dispose()


def test_T03_a_user_who_comes_back_has_nothing_of_what_the_former_one_had(database):
    fill(database)
    access = SqlAccess(database, PasswordHasher())
    former = access.lookup("root")
    with writing(database, system_clock, AUTHOR) as writer:
        for name in ("alice", "root"):
            writer.remove_user(name)
            writer.add_user(name, HASHES[name])
    assert access.lookup("alice").groups == frozenset()
    assert not access.lookup("root").is_admin
    assert access.lookup("root").version != former.version
    assert "alice" not in {rule.who for rule in access.grant_book().rules()}


def test_what_is_refused_leaves_nothing_behind(database):
    fill(database)
    access = SqlAccess(database, PasswordHasher())
    before = access.serial()

    def fail():
        with writing(database, system_clock, AUTHOR) as writer:
            writer.remove_user("alice")
            writer.add_group("new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert access.lookup("alice") is not None
    assert access.serial() == before


def test_each_question_is_one_query_while_nothing_changes(database):
    fill(database)
    access = SqlAccess(database, PasswordHasher())
    access.serial()
    with counted_statements(database) as seen:
        access.lookup("alice")
    assert len(seen) == 1
    with counted_statements(database) as seen:
        access.grant_book()
    assert len(seen) == 1


def test_everybody_is_one_query_whoever_they_are(database):
    fill(database)
    in_force = InForce({"sql": SqlAccess(database, PasswordHasher())})
    directory = Directory(lambda: in_force)
    everybody = directory.accounts()
    assert len(everybody) == len(HASHES)
    with counted_statements(database) as seen:
        assert directory.accounts() == everybody
    assert len(seen) == 1


def test_a_database_without_tables_is_an_outage(database_url):
    database = open_database(database_url)
    try:
        with pytest.raises(AccessUnavailable):
            SqlAccess(database, PasswordHasher()).lookup("alice")
    finally:
        database.dispose()
