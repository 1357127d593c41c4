"""What a directory's outages, certificates, referrals and changes do."""

from __future__ import annotations

import contextlib
from time import monotonic

import pytest

from pypicloud_lite.kernel.errors import AccessUnavailable
from pypicloud_lite.testing.access import PASSWORDS
from pypicloud_lite.testing.ldap_server import GROUPS_BASE, PEOPLE, dn_of, entry, modification, person
from pypicloud_lite.testing.live import free_port


def test_t09_referrals_are_not_followed(own_ldap_server, canary):
    port, connections = canary
    elsewhere = entry(
        f"ou=elsewhere,{PEOPLE}",
        objectClass=["referral", "extensibleObject"],
        ou="elsewhere",
        ref=f"ldap://127.0.0.1:{port}/ou=elsewhere,{PEOPLE}",
    )
    running = own_ldap_server(elsewhere)
    backend = running.access()
    assert backend.authenticate("alice", PASSWORDS["alice"]) is not None
    assert backend.lookup("nobody") is None
    assert len(backend.accounts()) == len(PASSWORDS)
    with pytest.raises(AccessUnavailable):
        running.access(base_dn=f"ou=elsewhere,{PEOPLE}").lookup("alice")
    assert connections() == 0
    follower = running.access(ignore_referrals="false", timeout="0.3")
    with contextlib.suppress(AccessUnavailable):
        follower.lookup("alice")
    assert connections() > 0, "the key does nothing"


@pytest.mark.parametrize("tls", ["ldaps", "start_tls"])
def test_t09_an_untrusted_certificate_is_refused(ldap_server, tls):
    """And the password is not sent: the bind comes after the handshake."""
    more = {"url": ldap_server.tls_url} if tls == "ldaps" else {"start_tls": "true"}
    for method in ("lookup", "authenticate"):
        with pytest.raises(AccessUnavailable, match=r"does not answer|fails"):
            getattr(ldap_server.access(**more), method)(
                *("alice", PASSWORDS["alice"])[: 1 if method == "lookup" else 2]
            )
    trusting = ldap_server.access(ca_file=str(ldap_server.tls.authority), **more)
    assert trusting.authenticate("alice", PASSWORDS["alice"]) is not None
    blind = ldap_server.access(ignore_cert="true", **more)
    assert blind.authenticate("alice", PASSWORDS["alice"]) is not None
    assert any("ignore_cert" in line for line in blind.warnings)


def test_t09_a_certificate_for_another_name_is_refused(ldap_server):
    url = ldap_server.tls_url.replace("127.0.0.1", "localhost")
    with pytest.raises(AccessUnavailable):
        ldap_server.access(url=url, ca_file=str(ldap_server.tls.authority)).lookup("alice")


def test_a_wrong_service_password_is_an_outage(ldap_server):
    backend = ldap_server.access(service_password="wrong")
    for ask in (
        lambda: backend.lookup("alice"),
        lambda: backend.authenticate("alice", PASSWORDS["alice"]),
        backend.accounts,
        backend.groups,
        backend.probe,
    ):
        with pytest.raises(AccessUnavailable, match=r"auth\.ldap\.service_password") as caught:
            ask()
        assert "wrong" not in caught.value.message


def test_a_base_that_is_not_there_is_an_outage(ldap_server):
    with pytest.raises(AccessUnavailable, match=r"auth\.ldap\.base_dn"):
        ldap_server.access(base_dn="ou=nowhere,dc=example,dc=com").lookup("alice")


def test_f30_a_server_that_is_not_there_is_an_outage_at_once(own_ldap_server, time):
    running = own_ldap_server()
    backend = running.access(time)
    known = backend.authenticate("alice", PASSWORDS["alice"])
    running.stop()
    assert backend.lookup("alice") == known
    time.now += 61
    for ask in (
        lambda: backend.lookup("alice"),
        lambda: backend.lookup("nobody"),
        lambda: backend.authenticate("alice", PASSWORDS["alice"]),
        backend.accounts,
        backend.groups,
        backend.probe,
    ):
        with pytest.raises(AccessUnavailable):
            ask()
    assert (backend.memberships("alice"), bool(backend.grant_book().rules()), bool(backend.serial())) == (
        set(),
        False,
        True,
    )
    running.start()
    with pytest.raises(AccessUnavailable):
        backend.lookup("alice")
    time.now += 6
    assert backend.lookup("alice") == known


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_f30_a_half_open_server_is_an_outage_in_time(ldap_server, canary, scheme):
    """It takes the connection and never says a word; the second question does not wait at all."""
    port, connections = canary
    backend = ldap_server.access(url=f"{scheme}://127.0.0.1:{port}", timeout="0.4")
    began = monotonic()
    with pytest.raises(AccessUnavailable):
        backend.lookup("alice")
    assert monotonic() - began < 2
    assert connections() == 1
    with pytest.raises(AccessUnavailable):
        backend.authenticate("alice", PASSWORDS["alice"])
    assert connections() == 0


def test_f30_the_second_server_is_asked_where_the_first_is_not_there(ldap_server, canary):
    port, connections = canary
    assert ldap_server.access(url=f"ldap://127.0.0.1:{free_port()} {ldap_server.url}").lookup("alice") is not None
    assert ldap_server.access(url=f"{ldap_server.url} ldap://127.0.0.1:{port}").lookup("alice") is not None
    assert connections() == 0


def test_a_changed_group_is_seen_after_the_cache_time(own_ldap_server, time):
    running = own_ldap_server()
    backend = running.access(time, cache_time="20")
    before, serial = backend.lookup("carol"), backend.serial()
    running.change(f"dn: cn=devs,{GROUPS_BASE}\nchangetype: modify\nadd: member\nmember: {dn_of('carol')}\n")
    time.now += 19
    assert backend.lookup("carol") == before
    time.now += 2
    after = backend.lookup("carol")
    assert after is not None
    assert after.groups == {"devs"}
    assert before is not None
    assert after.version == before.version
    assert backend.serial() != serial


def test_a_changed_password_changes_the_version(own_ldap_server, time):
    running = own_ldap_server()
    backend = running.access(time)
    before = backend.lookup("carol")
    running.change(modification(dn_of("carol"), {"userPassword": "another"}))
    assert backend.authenticate("carol", PASSWORDS["carol"]) is None
    after = backend.authenticate("carol", "another")
    assert before is not None
    assert after is not None
    assert backend.lookup("carol") == after
    # The timestamp has seconds: within one of them only the identity tells.
    running.change(f"dn: {dn_of('carol')}\nchangetype: delete\n")
    running.change(person("carol", "another").replace("\n", "\nchangetype: add\n", 1))
    time.now += 61
    again = backend.lookup("carol")
    assert again is not None
    assert again.version not in {before.version, after.version}


def test_a_new_user_is_seen_after_ten_seconds_and_one_who_left_after_the_cache_time(own_ldap_server, time):
    running = own_ldap_server()
    backend = running.access(time)
    assert backend.lookup("dave") is None
    assert backend.lookup("alice") is not None
    running.change(person("dave", "pw").replace("\n", "\nchangetype: add\n", 1))
    running.change(f"dn: {dn_of('alice')}\nchangetype: delete\n")
    assert (backend.lookup("dave"), backend.lookup("alice") is None) == (None, False)
    time.now += 11
    assert backend.lookup("dave") is not None
    time.now += 50
    assert backend.lookup("alice") is None
    assert backend.authenticate("alice", PASSWORDS["alice"]) is None
