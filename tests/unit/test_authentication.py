from __future__ import annotations

import threading
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from pypicloud_lite.access.authentication import Authenticator, parse_basic
from pypicloud_lite.access.backends.config import ConfigAccess
from pypicloud_lite.access.backends.config_keys import read_keys
from pypicloud_lite.access.model import Account, Role
from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.access.proofs import Proofs
from pypicloud_lite.access.throttle import LoginThrottle
from pypicloud_lite.kernel.errors import AccessUnavailable, AuthenticationRequired, TooManyRequests
from pypicloud_lite.testing.access import ADMINS, HASHES, ODD_TEXTS, PASSWORDS


def header(credentials: bytes | str) -> str:
    data = credentials.encode() if isinstance(credentials, str) else credentials
    return "Basic " + b64encode(data).decode()


@pytest.mark.parametrize(
    ("value", "readings"),
    [
        (header("alice:pw"), [("alice", "pw")]),
        (header("alice:"), [("alice", "")]),
        (header(":pw"), [("", "pw")]),
        (header("alice:a:b"), [("alice", "a:b")]),
        (header("alice: pw "), [("alice", " pw ")]),
        (header("alice:pw").replace("Basic", "bAsIC"), [("alice", "pw")]),
        (header("alice:pw").replace(" ", "   ") + " ", [("alice", "pw")]),
        (header("alice:naïve"), [("alice", "naïve"), ("alice", "naÃ¯ve")]),
        (header("alice:naïve".encode("latin-1")), [("alice", "naïve")]),
        (header("zoë:🔑"), [("zoë", "🔑"), ("zoÃ«", "ð\x9f\x94\x91")]),
        (header(b"alice:\xff\xfe"), [("alice", "ÿþ")]),
        (header(b"a\0b:c\0d"), [("a\0b", "c\0d")]),
    ],
)
def test_credentials_are_read_as_utf_8_then_as_latin_1(value: str, readings: list[tuple[str, str]]) -> None:
    assert list(parse_basic(value)) == readings


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic YWxpY2U6cH",
        "Basic YWxp Y2U6cHc=",
        "Basic äöü",
        "Basic \ud800",
        "Basic \0",
        header("no colon"),
        header(""),
        "Bearer YWxpY2U6cHc=",
        "Digest username=alice",
        "YWxpY2U6cHc=",
        "Basic " + "=" * 40_000,
    ],
)
def test_f28_anything_else_is_no_reading(value: str) -> None:
    assert list(parse_basic(value)) == []


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Counting:
    """The config backend, replaceable while it is in use, which counts its hashes and can be down."""

    def __init__(self) -> None:
        self.hashes = 0
        self.down = False
        self.admins = ADMINS
        self.inner = ConfigAccess(read_keys({f"user.{name}": stored for name, stored in HASHES.items()}))
        self.lock = threading.Lock()

    def change(self, **entries: str) -> None:
        users = {f"user.{name}": stored for name, stored in HASHES.items()}
        self.admins = frozenset()
        self.inner = ConfigAccess(read_keys(users | {key.replace("__", "."): value for key, value in entries.items()}))

    def authenticate(self, username: str, password: str) -> Account | None:
        with self.lock:
            self.hashes += 1
        if self.down:
            raise AccessUnavailable("down")
        return self.with_roles(self.inner.authenticate(username, password))

    def lookup(self, username: str) -> Account | None:
        return self.with_roles(self.inner.lookup(username))

    def with_roles(self, account: Account | None) -> Account | None:
        roles = frozenset({Role.ADMIN}) if account is not None and account.username in self.admins else frozenset()
        return None if account is None else replace(account, roles=roles)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def backend() -> Counting:
    return Counting()


@pytest.fixture
def authenticator(backend: Counting, time: Time) -> Authenticator:
    return Authenticator(backend, Proofs(monotonic=time), LoginThrottle(monotonic=time))  # type: ignore[arg-type]  # the port's other half is not used


def refused(authenticator: Authenticator, username: str, password: str, address: str = "192.0.2.1") -> str:
    with pytest.raises(AuthenticationRequired) as caught:
        authenticator.identify(username, password, address)
    return caught.value.message


def test_right_credentials_give_the_identity(authenticator: Authenticator) -> None:
    alice = authenticator.identify("alice", PASSWORDS["alice"])
    assert (alice.username, alice.is_admin, alice.is_authenticated) == ("alice", False, True)
    assert authenticator.identify("root", PASSWORDS["root"], None).is_admin


def test_t06_an_unknown_user_and_a_wrong_password_look_and_cost_the_same(
    authenticator: Authenticator, backend: Counting
) -> None:
    wrong = refused(authenticator, "alice", "wrong")
    assert backend.hashes == 1
    unknown = refused(authenticator, "mallory", "wrong")
    assert backend.hashes == 2
    assert wrong == unknown
    assert "alice" not in wrong
    # Remembered refusals are no difference either.
    assert refused(authenticator, "alice", "wrong") == refused(authenticator, "mallory", "wrong")
    assert backend.hashes == 2


def test_a_run_of_100_requests_costs_one_hash(authenticator: Authenticator, backend: Counting) -> None:
    for _ in range(100):
        authenticator.identify("alice", PASSWORDS["alice"])
    assert backend.hashes == 1


def test_t07_50_requests_at_once_cost_one_hash_and_none_is_blocked(
    authenticator: Authenticator, backend: Counting
) -> None:
    together = threading.Barrier(50)

    def request(_: int) -> str | None:
        together.wait(10)
        return authenticator.identify("alice", PASSWORDS["alice"], "192.0.2.1").username

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(request, range(50))) == {"alice"}
    assert backend.hashes == 1


def test_t07_the_11th_bad_login_is_refused_before_it_is_hashed(authenticator: Authenticator, backend: Counting) -> None:
    for number in range(10):
        refused(authenticator, "alice", f"wrong{number}")
    with pytest.raises(TooManyRequests) as caught:
        authenticator.identify("alice", "wrong10", "192.0.2.1")
    assert caught.value.retry_after == 300
    assert backend.hashes == 10
    refused(authenticator, "alice", "wrong10", "192.0.2.2")


def test_t07_a_stale_password_costs_no_cpu_and_is_told_to_wait(
    authenticator: Authenticator, backend: Counting, time: Time
) -> None:
    for _ in range(10):
        refused(authenticator, "alice", "stale")
    assert backend.hashes == 1
    with pytest.raises(TooManyRequests):
        authenticator.identify("alice", "stale", "192.0.2.1")
    time.now += 300
    refused(authenticator, "alice", "stale")


def test_t07_a_proved_credential_is_never_blocked(authenticator: Authenticator) -> None:
    authenticator.identify("alice", PASSWORDS["alice"], "192.0.2.1")
    for number in range(10):
        refused(authenticator, "alice", f"wrong{number}")
    with pytest.raises(TooManyRequests):
        authenticator.identify("alice", "wrong", "192.0.2.1")
    assert authenticator.identify("alice", PASSWORDS["alice"], "192.0.2.1").username == "alice"


def test_t07_unknown_names_are_throttled_alike(authenticator: Authenticator) -> None:
    for number in range(10):
        refused(authenticator, "mallory", f"wrong{number}")
    with pytest.raises(TooManyRequests):
        authenticator.identify("mallory", "wrong", "192.0.2.1")


def test_t07_who_is_not_admitted_to_a_hash_has_made_no_attempt(authenticator: Authenticator, backend: Counting) -> None:
    real, backend.authenticate = backend.authenticate, busy  # type: ignore[method-assign]  # as a full hasher
    for _ in range(30):
        with pytest.raises(TooManyRequests, match="wait 1 second"):
            authenticator.identify("alice", PASSWORDS["alice"], "192.0.2.1")
    backend.authenticate = real  # type: ignore[method-assign]  # as before
    assert authenticator.identify("alice", PASSWORDS["alice"], "192.0.2.1").username == "alice"


def busy(*_: str) -> None:
    raise TooManyRequests("Too many logins at the same time: wait 1 second, then try again", 1)


def test_successful_logins_are_not_counted(authenticator: Authenticator, time: Time) -> None:
    for _ in range(30):
        authenticator.identify("alice", PASSWORDS["alice"], "192.0.2.1")
        time.now += 300


def test_a_new_password_takes_effect_at_once(authenticator: Authenticator, backend: Counting) -> None:
    authenticator.identify("alice", PASSWORDS["alice"])
    refused(authenticator, "alice", PASSWORDS["carol"])
    backend.change(user__alice=HASHES["carol"])
    refused(authenticator, "alice", PASSWORDS["alice"])
    assert authenticator.identify("alice", PASSWORDS["carol"]).username == "alice"


def test_a_proved_user_who_is_deleted_is_out_at_once(authenticator: Authenticator, backend: Counting) -> None:
    authenticator.identify("alice", PASSWORDS["alice"])
    backend.inner = ConfigAccess(read_keys({"user.carol": HASHES["carol"]}))
    refused(authenticator, "alice", PASSWORDS["alice"])


def test_groups_and_the_admin_flag_are_current(authenticator: Authenticator, backend: Counting) -> None:
    assert authenticator.identify("root", PASSWORDS["root"]).is_admin
    backend.change(group__devs="root")
    root = authenticator.identify("root", PASSWORDS["root"])
    assert root.groups == {"devs"}
    assert not root.is_admin


def test_an_outage_is_neither_a_refusal_nor_a_failure(authenticator: Authenticator, backend: Counting) -> None:
    backend.down = True
    for _ in range(20):
        with pytest.raises(AccessUnavailable):
            authenticator.identify("alice", PASSWORDS["alice"], "192.0.2.1")
    backend.down = False
    assert authenticator.identify("alice", PASSWORDS["alice"], "192.0.2.1").username == "alice"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_both_encodings_of_a_password_log_in(encoding: str, time: Time) -> None:
    backend = Counting()
    authenticator = Authenticator(backend, Proofs(monotonic=time), LoginThrottle(monotonic=time))  # type: ignore[arg-type]  # as above
    backend.change(user__zoe=hash_password("naïve", "sha512_crypt", 1000))
    readings = parse_basic(header("zoe:naïve".encode(encoding)))
    assert authenticator.identify_any(readings).username == "zoe"
    before = backend.hashes
    assert authenticator.identify_any(readings).username == "zoe"
    assert backend.hashes == before


def test_two_readings_are_one_attempt(authenticator: Authenticator) -> None:
    for number in range(10):
        with pytest.raises(AuthenticationRequired):
            authenticator.identify_any(parse_basic(header(f"alice:naïve{number}")), "192.0.2.1")
    with pytest.raises(TooManyRequests):
        authenticator.identify_any(parse_basic(header("alice:naïve")), "192.0.2.1")


def test_f28_no_reading_at_all_is_a_refusal(authenticator: Authenticator, backend: Counting) -> None:
    with pytest.raises(AuthenticationRequired):
        authenticator.identify_any(parse_basic("Basic !!!"), "192.0.2.1")
    assert backend.hashes == 0


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_f28_odd_credentials_are_a_refusal(authenticator: Authenticator, text: str) -> None:
    refused(authenticator, text, text)
    refused(authenticator, "alice", text)


def test_49_no_message_holds_the_password(authenticator: Authenticator) -> None:
    assert "s3cret" not in refused(authenticator, "alice", "s3cret-s3cret")
