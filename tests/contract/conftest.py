"""Directories for the tests of LDAP."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pypicloud_lite.testing.ldap_server import GROUPS_BASE, PEOPLE, LdapMissing, Slapd, group, slapd


@pytest.fixture(scope="module")
def ldap_server(tmp_path_factory: pytest.TempPathFactory, missing) -> Iterator[Slapd]:
    """A directory that no test changes."""
    try:
        with slapd(tmp_path_factory.mktemp("slapd")) as running:
            yield running
    except LdapMissing as error:
        missing("ldap", str(error))


@pytest.fixture
def own_ldap_server(tmp_path, missing):
    """Makes directories that the test may change and stop."""
    with ExitStack() as running:

        def make(*entries: str, **options: bool) -> Slapd:
            try:
                return running.enter_context(
                    slapd(tmp_path / f"slapd{len(list(tmp_path.iterdir()))}", *entries, **options)
                )
            except LdapMissing as error:
                missing("ldap", str(error))
                raise

        yield make


@pytest.fixture(scope="module")
def nested_ldap_server(tmp_path_factory: pytest.TempPathFactory, missing) -> Iterator[Slapd]:
    """A directory with groups in groups that no test changes."""
    try:
        with slapd(tmp_path_factory.mktemp("nested"), *NESTED) as running:
            yield running
    except LdapMissing as error:
        missing("ldap", str(error))


@pytest.fixture
def canary():
    """A listener, and how many connected to it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)

        def connections() -> int:
            count = 0
            with contextlib.suppress(BlockingIOError):
                while True:
                    listener.accept()[0].close()
                    count += 1
            return count

        yield listener.getsockname()[1], connections


NESTED = (
    group("inner", f"uid=alice,{PEOPLE}"),
    group("middle", f"cn=inner,{GROUPS_BASE}", f"cn=outer,{GROUPS_BASE}"),
    group("outer", f"cn=middle,{GROUPS_BASE}"),
    group("bosses", f"cn=outer,{GROUPS_BASE}"),
)
"""Two of them in each other, as nothing forbids."""


class Time:
    """Moved by the test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()
