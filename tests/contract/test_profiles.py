"""Profiles, and tokens of logins, on every kind of database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pypicloud_lite.access.backends.sql import SqlAccess
from pypicloud_lite.access.login_tokens import LoginTokens
from pypicloud_lite.access.passwords import PasswordHasher
from pypicloud_lite.access.profiles import NO_PROFILE, Profile, Profiles, read_values
from pypicloud_lite.access.recollection import Recollection
from pypicloud_lite.access.sql_writer import writing
from pypicloud_lite.access.tokens import Tokens, WantedToken
from pypicloud_lite.db.migrate import upgrade
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import AuthenticationRequired, NotFound
from pypicloud_lite.testing.access import HASHES
from pypicloud_lite.testing.databases import open_database
from pypicloud_lite.testing.world import MovingClock

AUTHOR = Author("test")
ODD = "Zoë \N{GRINNING FACE} ' \" %s \\ :x"


@pytest.fixture
def clock():
    return MovingClock()


@pytest.fixture
def database(database_url):
    database = open_database(database_url)
    upgrade(database)
    yield database
    database.dispose()


@pytest.fixture
def change(database, clock):
    """One transaction in which the writer is told what to do."""

    def run(what):
        with writing(database, clock, AUTHOR) as writer:
            what(writer)

    return run


def told(**values):
    return lambda before: before.changed(read_values(values), MovingClock().now)


def test_a_profile_is_what_was_written_and_goes_with_its_user(database, clock, change):
    profiles = Profiles(database)
    change(lambda writer: writer.add_user("alice", HASHES["alice"]))
    assert profiles.of("alice") == Profile(created_at=clock.now)
    custom = {"list": [1, None, ODD]}
    values = told(email="a@example.com", title=ODD, description="x" * 10_000, custom_data=custom)
    change(lambda writer: writer.change_profile("alice", values))
    found = profiles.of("alice")
    assert (found.email, found.title, len(found.description), found.custom_data) == (
        *("a@example.com", ODD, 10_000),
        custom,
    )
    assert found.created_at == clock.now
    change(lambda writer: writer.change_profile("alice", told(email="", custom_data=None)))
    assert (profiles.of("alice").email, profiles.of("alice").custom_data) == (None, None)
    assert profiles.every() == {"alice": profiles.of("alice")}
    # somebody whom another backend knows
    change(lambda writer: writer.change_profile("zoë", told(title="Elsewhere")))
    assert profiles.of("zoë").title == profiles.every()["zoë"].title == "Elsewhere"
    assert profiles.of("zoe") == profiles.of("a\0b") == profiles.of("x " * 200) == NO_PROFILE
    for name in ("alice", "zoë"):
        if name == "alice":
            change(lambda writer: writer.remove_user("alice"))
        change(lambda writer, name=name: writer.add_user(name, HASHES["alice"]))
        assert profiles.of(name) == Profile(created_at=clock.now)


def test_who_waits_takes_nothing_from_somebody_of_that_name_elsewhere(database, clock, change):
    tokens = Tokens(database, clock, _Everybody(), Recollection(_Everybody()))
    tokens.create(WantedToken("zoe", "ci"), AUTHOR)
    change(lambda writer: writer.change_profile("zoe", told(title="Elsewhere")))
    change(lambda writer: writer.add_user("zoe", HASHES["alice"], is_pending=True))
    assert len(tokens.of("zoe")) == 1
    assert Profiles(database).of("zoe").title == "Elsewhere"
    change(lambda writer: writer.approve_user("zoe"))
    assert tokens.of("zoe") == []
    assert Profiles(database).of("zoe").title is None


def test_a_password_change_spares_the_token_that_made_it(database, clock, change):
    change(lambda writer: writer.add_user("alice", HASHES["alice"]))
    access = SqlAccess(database, PasswordHasher())
    tokens = Tokens(database, clock, access, Recollection(access))
    made = [tokens.create(WantedToken("alice", f"t{number}"), AUTHOR)[1] for number in range(3)]
    author = Author("alice", None, f"token {made[1].id}")
    with writing(database, clock, author) as writer:
        writer.set_password("alice", HASHES["carol"])
    assert [one.id for one in tokens.of("alice")] == [made[1].id]


def test_logins_end_the_oldest_ones_and_those_that_have_expired(database, clock, change):
    change(lambda writer: writer.add_user("alice", HASHES["alice"]))
    access = SqlAccess(database, PasswordHasher())
    logins = LoginTokens(database, clock, access, timedelta(hours=1))
    tokens = Tokens(database, clock, access, Recollection(access))
    secrets = [logins.start("alice", AUTHOR) for _ in range(102)]
    with pytest.raises(AuthenticationRequired):
        tokens.identify(secrets[1], "alice", None)
    assert tokens.identify(secrets[2], "alice", None).is_whole
    assert len(tokens.of("alice")) == 100
    clock.advance(hours=2)
    logins.start("alice", AUTHOR)
    assert len(tokens.of("alice")) == 1


def test_a_login_that_was_proved_before_a_change_is_none(database, clock, change):
    change(lambda writer: writer.add_user("alice", HASHES["alice"]))
    access = SqlAccess(database, PasswordHasher())
    logins = LoginTokens(database, clock, access, timedelta(hours=1))
    before = access.lookup("alice")
    change(lambda writer: writer.set_password("alice", HASHES["carol"]))
    with pytest.raises(AuthenticationRequired):
        logins.start("alice", AUTHOR, before)
    change(lambda writer: writer.remove_user("alice"))
    for name in ("alice", "nobody", "x" * 300):
        with pytest.raises(AuthenticationRequired):
            logins.start(name, AUTHOR)


def test_a_name_that_cannot_be_kept_has_no_profile_to_change(change):
    with pytest.raises(NotFound):
        change(lambda writer: writer.change_profile("x" * 300, told(title="y")))


class _Everybody:
    """Knows everybody."""

    knows_by_name = True

    def lookup(self, username):
        from pypicloud_lite.access.model import Account

        return Account(username, frozenset(), frozenset(), "1")
