"""A real directory under the contract, and what only a directory can do wrong."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pypicloud_lite.access.backends.config import ConfigAccess
from pypicloud_lite.access.backends.config_keys import read_keys
from pypicloud_lite.access.backends.ldap import LdapAccess
from pypicloud_lite.access.directory import Directory, InForce
from pypicloud_lite.access.port import AccessBackend
from pypicloud_lite.kernel.errors import AccessUnavailable
from pypicloud_lite.testing.access import GROUP_GRANTS, GROUPS, PASSWORDS, USER_GRANTS, AccessContract
from pypicloud_lite.testing.ldap_server import (
    GROUPS_BASE,
    PEOPLE,
    SERVICE_PASSWORD,
    Slapd,
    dn_of,
    group,
    person,
)

DN_FORMAT = {"base_dn": "", "user_search_filter": "", "user_dn_format": "uid={username},ou=people,dc=example,dc=com"}
NO_SERVICE = {"service_dn": "", "service_password": ""}


def rules(*, groups: bool) -> ConfigAccess:
    entries = {f"group.{name}": " ".join(members) for name, members in GROUPS.items()} if groups else {}
    entries |= {f"package.{project}.user.{who}": " ".join(rights) for (project, who), rights in USER_GRANTS.items()}
    entries |= {f"package.{project}.group.{who}": " ".join(rights) for (project, who), rights in GROUP_GRANTS.items()}
    return ConfigAccess(read_keys(entries))


def chain(**backends: AccessBackend) -> Directory:
    in_force = InForce(backends)
    return Directory(lambda: in_force)


class TestUsersHereGroupsElsewhere(AccessContract):
    """``pypi.auth = ldap config``, as pypicloud's ``auth.ldap.fallback = config``."""

    @pytest.fixture
    def backend(self, ldap_server: Slapd) -> AccessBackend:
        return chain(ldap=ldap_server.access(group_base_dn=""), config=rules(groups=True))


class TestGroupsHere(AccessContract):
    @pytest.fixture
    def backend(self, ldap_server: Slapd) -> AccessBackend:
        return chain(ldap=ldap_server.access(), config=rules(groups=False))

    def test_memberships_are_those_of_the_lists(self, backend: AccessBackend) -> None:
        """A directory's groups list entries: they are nobody's whom another backend knows, whatever the name."""
        assert [backend.memberships(username) for username in PASSWORDS] == [frozenset()] * len(PASSWORDS)


class TestNestedGroupsHere(TestGroupsHere):
    @pytest.fixture
    def backend(self, ldap_server: Slapd) -> AccessBackend:
        return chain(ldap=ldap_server.access(nested_groups="true"), config=rules(groups=False))


class TestUsersByDnFormat(TestGroupsHere):
    @pytest.fixture
    def backend(self, ldap_server: Slapd) -> AccessBackend:
        by_format = {
            "base_dn": "",
            "user_search_filter": "",
            "user_dn_format": "uid={username},ou=people,dc=example,dc=com",
        }
        return chain(ldap=ldap_server.access(**by_format), config=rules(groups=False))


def is_admin(account) -> bool:
    assert account is not None
    return account.is_admin


def is_known(backend: LdapAccess, username: str, password: str) -> bool:
    account = backend.authenticate(username, password)
    assert account is None or account == backend.lookup(username)
    return account is not None


def ldap_bind(url: str, dn: str, password: str) -> bool:
    """Whether the server itself takes it."""
    import ldap

    raw = ldap.initialize(url)
    try:
        raw.simple_bind_s(dn, password)
    except ldap.LDAPError:
        return False
    finally:
        raw.unbind_s()
    return True


def dn_escaped(text: str) -> str:
    """Every byte by its number, which is right for all of them."""
    return "".join(f"\\{byte:02x}" for byte in text.encode())


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "username", ["*", "a)(uid=*", "alice)(uid=alice", "x,ou=y", "", "alice,ou=people", "alice\\", "#alice", "a*"]
)
@pytest.mark.parametrize("by_format", [False, True])
def test_t09_names_are_escaped(ldap_server, username, by_format):
    backend = ldap_server.access(**(DN_FORMAT if by_format else {}))
    assert backend.lookup(username) is None
    assert backend.authenticate(username, PASSWORDS["alice"]) is None
    assert backend.authenticate(username, "") is None


@pytest.mark.parametrize("username", ["smith, j", 'o"brien', "a+b=c", "back\\slash", "star*", "(round)", "é", "#hash"])
def test_t09_names_with_special_characters_are_names(own_ldap_server, username):
    dn = f"uid={dn_escaped(username)},{PEOPLE}"
    running = own_ldap_server(person(username, "pw", dn), group("team", dn))
    for by_format in ({}, DN_FORMAT):
        account = running.access(**by_format).authenticate(username, "pw")
        assert account is not None
        assert (account.username, account.groups) == (username, {"team"})


def test_t09_an_empty_password_is_never_sent(own_ldap_server):
    """Servers may be told to take a bind without a password for a success."""
    running = own_ldap_server(config="allow bind_anon_dn bind_anon_cred")
    assert ldap_bind(running.url, dn_of("alice"), "")
    for more in ({}, DN_FORMAT, {**DN_FORMAT, **NO_SERVICE}):
        backend = running.access(**more, group_base_dn="")
        assert backend.authenticate("alice", "") is None
        assert backend.authenticate("alice", PASSWORDS["alice"]) is not None


def test_t09_parallel_logins_never_swap_identity(ldap_server):
    backend = ldap_server.access()
    barrier = threading.Barrier(50)

    def login(number):
        username, other = ("alice", "carol") if number % 2 else ("carol", "alice")
        barrier.wait(30)
        wrong = backend.authenticate(username, PASSWORDS[other])
        right = backend.authenticate(username, PASSWORDS[username])
        return username, wrong, right

    with ThreadPoolExecutor(50) as pool:
        for username, wrong, right in pool.map(login, range(50)):
            assert wrong is None
            assert right is not None
            assert right.username == username
            assert right.groups == {name for name, members in GROUPS.items() if username in members}


def test_nested_groups(nested_ldap_server):
    running = nested_ldap_server
    plain, nested_ldap_server = running.access().lookup("alice"), running.access(nested_groups="true").lookup("alice")
    assert plain is not None
    assert nested_ldap_server is not None
    assert plain.groups == {"devs", "ops", "inner"}
    assert nested_ldap_server.groups == {"devs", "ops", "inner", "middle", "outer", "bosses"}
    listed = running.access(nested_groups="true")
    assert {one.username: one for one in listed.accounts()}["alice"] == nested_ldap_server
    assert listed.groups()["bosses"] == {"alice"}


@pytest.mark.parametrize(
    ("more", "admins"),
    [
        ({}, {"root"}),
        ({"admin_value": "janitor\nadministrator"}, {"root"}),
        ({"admin_value": "janitor"}, set()),
        ({"admin_field": "", "admin_value": ""}, set()),
        ({"admin_field": "", "admin_value": "", "admin_group_dn": f"cn=devs,{GROUPS_BASE}"}, {"alice", "bob.smith"}),
        ({"admin_field": "", "admin_value": "", "admin_group_dn": f"cn=ops,{GROUPS_BASE}"}, {"alice"}),
        ({"admin_group_dn": f"CN=Ops, {GROUPS_BASE}"}, {"alice", "root"}),
        ({"admin_group_dn": f"cn=bosses,{GROUPS_BASE}"}, {"root"}),
        ({"admin_group_dn": f"cn=bosses,{GROUPS_BASE}", "nested_groups": "true"}, {"alice", "root"}),
        ({"admin_group_dn": f"cn=nowhere,{GROUPS_BASE}"}, {"root"}),
        ({"admin_field": "objectClass", "admin_value": "INETORGPERSON"}, set(PASSWORDS)),
    ],
)
def test_who_is_an_administrator(nested_ldap_server, more, admins):
    backend = nested_ldap_server.access(**more)
    assert {name for name in PASSWORDS if is_admin(backend.lookup(name))} == admins
    assert {account.username for account in backend.accounts() if account.is_admin} == admins


def test_the_service_may_log_in_as_an_administrator(ldap_server):
    backend = ldap_server.access(service_username="robot")
    account = backend.authenticate("robot", SERVICE_PASSWORD)
    assert account is not None
    assert account.is_admin
    assert backend.lookup("robot") == account
    assert account in backend.accounts()
    assert backend.authenticate("robot", "wrong") is None
    assert ldap_server.access().lookup("robot") is None


TWINS = (
    person("twin", "one", f"cn=one,{PEOPLE}"),
    person("twin", "two", f"cn=two,{PEOPLE}"),
    person("Cased", "upper", f"cn=upper,{PEOPLE}"),
    person("cased", "lower", f"cn=lower,{PEOPLE}"),
    *(person(f"many{number}", "pw", mail="many@example.com", dn="") for number in range(12)),
)


def test_several_entries_for_one_name_are_nobody(own_ldap_server):
    running = own_ldap_server(*TWINS)
    strict, lax = running.access(), running.access(ignore_multiple_results="true")
    assert strict.lookup("twin") is None
    assert (strict.authenticate("twin", "one"), strict.authenticate("twin", "two")) == (None, None)
    assert lax.authenticate("twin", "one") is not None
    assert lax.authenticate("twin", "two") is None
    assert "twin" not in {account.username for account in strict.accounts()}
    assert "twin" in {account.username for account in lax.accounts()}
    assert running.access(user_search_filter="(mail={username})").lookup("many@example.com") is None


def test_names_that_differ_in_case_are_two_users(own_ldap_server):
    backend = own_ldap_server(*TWINS).access()
    assert (is_known(backend, "cased", "lower"), is_known(backend, "Cased", "upper")) == (True, True)
    assert (is_known(backend, "cased", "upper"), is_known(backend, "CASED", "upper")) == (False, False)


def test_a_name_may_be_a_part_of_a_value_and_one_of_several_attributes(own_ldap_server):
    running = own_ldap_server(person("erin", "pw", mail="erin.k@example.com"))
    backend = running.access(user_search_filter="(|(mail={username}@example.com)(uid={username}))")
    assert is_known(backend, "erin.k", "pw")
    assert is_known(backend, "erin", "pw")
    assert not is_known(backend, "Erin", "pw")
    assert [account.username for account in backend.accounts()] == ["erin.k"]


def test_without_a_service_who_logs_in_reads_the_own_entry(own_ldap_server, time):
    running = own_ldap_server()
    backend = running.access(time, **DN_FORMAT, **NO_SERVICE, group_base_dn="")
    assert not backend.knows_by_name
    assert backend.lookup("root") is None
    account = backend.authenticate("root", PASSWORDS["root"])
    assert account is not None
    assert account.is_admin
    assert backend.lookup("root") == account
    assert backend.authenticate("Root", PASSWORDS["root"]) is None
    assert backend.authenticate("root", "wrong") is None
    assert (list(backend.accounts()), dict(backend.groups())) == ([], {})
    time.now += 61
    assert backend.lookup("root") is None


def test_without_a_service_an_entry_that_its_user_may_not_read_is_an_outage(own_ldap_server):
    backend = own_ldap_server(self_reads=False).access(**DN_FORMAT, **NO_SERVICE)
    assert backend.authenticate("alice", "wrong") is None
    with pytest.raises(AccessUnavailable, match=r"auth\.ldap\.service_dn"):
        backend.authenticate("alice", PASSWORDS["alice"])


def test_a_disabled_account_is_nobody(own_ldap_server):
    """As Active Directory marks it; the attribute is borrowed by a class that takes any."""
    schema = "attributetype ( 1.1.2.1 NAME 'userAccountControl' SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )\nattributetype ( 1.1.2.2 NAME 'nsAccountLock' SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )\nobjectclass ( 1.1.2.3 NAME 'lockable' SUP top AUXILIARY MAY ( userAccountControl $ nsAccountLock ) )"
    locked = {
        "fine": {"userAccountControl": "512"},
        "off": {"userAccountControl": "514"},
        "shut": {"nsAccountLock": "TRUE"},
    }
    entries = [
        person(name, "pw", **more).replace(b64("inetOrgPerson"), f"{b64('inetOrgPerson')}\nobjectClass: lockable")
        for name, more in locked.items()
    ]
    backend = own_ldap_server(*entries, config=schema).access()
    assert [is_known(backend, name, "pw") for name in locked] == [True, False, False]
    assert {account.username for account in backend.accounts()} == {*PASSWORDS, "fine"}


def test_a_long_list_comes_page_by_page(own_ldap_server):
    more = [person(f"user{number:04}", "pw") for number in range(1200)]
    running = own_ldap_server(
        *more,
        group("crowd", *(dn_of(f"user{number:04}") for number in range(1200))),
        config="sizelimit size.soft=500 size.hard=500 size.prtotal=unlimited",
    )
    backend = running.access()
    accounts = backend.accounts()
    assert len(accounts) == 1200 + len(PASSWORDS)
    assert len(backend.groups()["crowd"]) == 1200
    by_name = {account.username: account for account in accounts}
    assert by_name["user0777"] == backend.lookup("user0777")
