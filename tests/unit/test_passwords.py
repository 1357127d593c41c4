from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

import argon2
import pytest

from pypicloud_lite.access import passwords
from pypicloud_lite.access.passwords import (
    PasswordHasher,
    canonical_scheme,
    derive_hash,
    hash_password,
    identify,
    is_of_nothing,
    is_weak,
    verify_password,
)
from pypicloud_lite.cli import gunicorn_settings
from pypicloud_lite.kernel.errors import InvalidRequest, TooManyRequests

CHEAP = {
    "argon2": 1,
    "bcrypt": 4,
    "sha512_crypt": 1000,
    "sha256_crypt": 1000,
    "pbkdf2_sha512": 1000,
    "pbkdf2_sha256": 1000,
}
STORED = {scheme: hash_password("correct horse", scheme, rounds) for scheme, rounds in CHEAP.items()}


@pytest.mark.parametrize("scheme", CHEAP)
def test_a_hash_verifies_its_password_and_no_other(scheme: str) -> None:
    stored = STORED[scheme]
    assert identify(stored) == scheme
    assert verify_password("correct horse", stored)
    assert not verify_password("correct horsf", stored)
    assert "correct horse" not in stored


WEAK = {"apr1": "$apr1$WoCQpnIJ$L0ZGLtJZAYjv.1lt/P.Vx/", "ldap_sha1": "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A="}
"""By Apache's htpasswd."""


@pytest.mark.parametrize("scheme", WEAK)
def test_weak_hashes_are_read_and_never_made(scheme: str) -> None:
    assert identify(WEAK[scheme]) == scheme
    assert is_weak(WEAK[scheme])
    assert verify_password("correct horse", WEAK[scheme])
    for wrong in ("correct horsf", "", "x" * 4096, "a\0b", "\ud800"):
        assert not verify_password(wrong, WEAK[scheme])
    for make in (canonical_scheme, lambda name: hash_password("x", name), PasswordHasher):
        with pytest.raises(ValueError, match="not a password scheme") as caught:
            make(scheme)
        assert scheme not in str(caught.value).partition(": ")[2]


def test_no_other_hash_is_weak() -> None:
    assert not any(is_weak(stored) for stored in (*STORED.values(), "", "plain"))


@pytest.mark.parametrize("scheme", CHEAP)
def test_hashes_are_salted(scheme: str) -> None:
    assert hash_password("correct horse", scheme, CHEAP[scheme]) != STORED[scheme]


def test_new_hashes_are_argon2id_at_the_recorded_cost() -> None:
    assert hash_password("correct horse").startswith("$argon2id$v=19$m=31744,t=3,p=1$")


@pytest.mark.parametrize(("alias", "scheme"), [("sha", "sha512_crypt"), ("pbkdf2", "pbkdf2_sha512")])
def test_aliases(alias: str, scheme: str) -> None:
    assert identify(hash_password("x", alias, CHEAP[scheme])) == scheme
    assert canonical_scheme(alias) == scheme


@pytest.mark.parametrize("ident", ["2a", "2b", "2y"])
def test_every_spelling_of_bcrypt_verifies(ident: str) -> None:
    stored = STORED["bcrypt"].replace("$2b$", f"${ident}$")
    assert identify(stored) == "bcrypt"
    assert verify_password("correct horse", stored)


@pytest.mark.parametrize("kind", [argon2.Type.ID, argon2.Type.I, argon2.Type.D])
def test_every_kind_of_argon2_verifies(kind: argon2.Type) -> None:
    stored = argon2.PasswordHasher(1, 64, 1, type=kind).hash("correct horse")
    assert identify(stored) == "argon2"
    assert verify_password("correct horse", stored)
    assert not verify_password("x", stored)


def test_hashes_of_devpi_verify_at_its_usual_cost() -> None:
    theirs = argon2.PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4)
    stored, of_nothing = theirs.hash("correct horse"), theirs.hash("")
    assert verify_password("correct horse", stored)
    assert not verify_password("x", stored)
    assert (is_of_nothing(stored), is_of_nothing(of_nothing)) == (False, True)
    assert not verify_password("", of_nothing)
    assert not any(is_of_nothing(odd) for odd in ("", "!", stored[:-1]))


@pytest.mark.parametrize("scheme", CHEAP)
@pytest.mark.parametrize(
    "password",
    ["", "x", "x" * 72, "x" * 73, "x" * 4096, "x" * 4097, "ä" * 4096, "a\0b", "\0", "🎉", "\ud800", "a\ud800"],
)
def test_t08_odd_passwords_are_wrong_and_never_raise(scheme: str, password: str) -> None:
    assert verify_password(password, STORED[scheme]) is False


@pytest.mark.parametrize("scheme", CHEAP)
@pytest.mark.parametrize("password", ["x", "naïve 🔑", "x" * 72, "a b\nc"])
def test_t08_unusual_passwords_still_work(scheme: str, password: str) -> None:
    assert verify_password(password, hash_password(password, scheme, CHEAP[scheme]))


def test_t08_bcrypt_never_truncates() -> None:
    longest = "x" * 72
    stored = hash_password(longest, "bcrypt", 4)
    assert verify_password(longest, stored)
    assert not verify_password(longest + "y", stored)
    assert not verify_password("x" * 71, stored)
    with pytest.raises(InvalidRequest, match="longer than the 72 bytes that bcrypt takes"):
        hash_password(longest + "y", "bcrypt", 4)
    with pytest.raises(InvalidRequest, match="72 bytes"):
        hash_password("é" * 37, "bcrypt", 4)


@pytest.mark.parametrize("scheme", ["argon2", "pbkdf2_sha512", "pbkdf2_sha256"])
def test_t08_long_passwords_and_nul_count_to_the_last_byte(scheme: str) -> None:
    for password in ("x" * 4096, "a\0b"):
        stored = hash_password(password, scheme, CHEAP[scheme])
        assert verify_password(password, stored)
        assert not verify_password(password[:-1] + "z", stored)


@pytest.mark.parametrize("scheme", ["bcrypt", "sha512_crypt", "sha256_crypt"])
def test_t08_nul_is_refused_where_the_scheme_stops_at_it(scheme: str) -> None:
    with pytest.raises(InvalidRequest, match="NUL"):
        hash_password("a\0b", scheme, CHEAP[scheme])


@pytest.mark.parametrize("password", ["", "x" * 4097, "ä" * 2049, "\ud800"])
def test_what_no_scheme_takes_is_refused(password: str) -> None:
    with pytest.raises(InvalidRequest, match="1 to 4096 bytes"):
        hash_password(password)
    with pytest.raises(InvalidRequest, match="1 to 4096 bytes"):
        derive_hash(password, "root")


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "correct horse",
        "$2b$04$short",
        "$2x$04$a.r.G/DeDM4lT3x82VRqD.zd.CzHFLKiHmAZJNckAWTAyWMaDXoEu",
        "$argon2id$",
        "$argon2id$v=19$m=64,t=1,p=1$AAAA$AAAA",
        "$argon2id$v=19$m=64,t=1,p=1,keyid=abc$c29tZXNhbHQ$ReMtzkP6rvKQKg5e7gHSIQ",
        "$6$",
        "$6$rounds=999999999999$a$b",
        "$5$rounds=500$abc$x",
        "$pbkdf2-sha512$x",
        "$pbkdf2-sha256$1000$abc",
        "$6$ä\ud800",
        "$apr1$abc$def",
        "{SHA}abc",
    ],
)
def test_what_is_not_a_complete_hash_is_not_identified(stored: str) -> None:
    assert identify(stored) is None
    assert verify_password("x", stored) is False


def test_parameters_that_cannot_be_computed_are_a_wrong_password() -> None:
    stored = "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$ReMtzkP6rvKQKg5e7gHSIQ"
    assert identify(stored) == "argon2"
    assert verify_password("x", stored) is False


@pytest.mark.parametrize(("scheme", "rounds"), [("argon2", 0), ("bcrypt", 17), ("sha", 999), ("md5", 1)])
def test_schemes_and_costs_out_of_range_are_refused(scheme: str, rounds: int) -> None:
    with pytest.raises(ValueError, match=r"rounds|not a password scheme"):
        hash_password("x", scheme, rounds)
    with pytest.raises(ValueError, match=r"rounds|not a password scheme"):
        PasswordHasher(scheme, rounds)


def test_a_derived_hash_is_the_same_everywhere_and_differs_by_owner() -> None:
    stored = derive_hash("correct horse", "root")
    assert stored == derive_hash("correct horse", "root")
    assert stored.split("$")[4] != derive_hash("correct horse", "toor").split("$")[4]
    assert verify_password("correct horse", stored)


@pytest.mark.parametrize("scheme", CHEAP)
def test_a_hasher_uses_its_scheme_and_cost(scheme: str) -> None:
    hasher = PasswordHasher(scheme, CHEAP[scheme])
    stored = hasher.hash("correct horse")
    assert identify(stored) == scheme
    assert hasher.verify("correct horse", stored)
    assert not hasher.verify("x", stored)


class Gauge:
    """Stands where a scheme's work is done, and sees how much of it runs at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.full = threading.Event()
        self.now = self.most = self.total = 0

    def __call__(self, *_: object) -> str:
        with self.lock:
            self.total += 1
            self.now += 1
            self.most = max(self.most, self.now)
            if self.now == 2:
                self.full.set()
        # The first waits for a second, so that two do run at once where two may.
        assert self.full.wait(10)
        with self.lock:
            self.now -= 1
        return ""


def test_t07_no_more_hashes_run_at_once_than_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    gauge = Gauge()
    monkeypatch.setattr(passwords, "verify_password", gauge)
    hasher = PasswordHasher(cores=2)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: hasher.verify("x", STORED["argon2"]), range(32)))
    assert (gauge.total, gauge.most) == (32, 2)


class Held:
    """Stands where a scheme's work is done, and goes on when it is let go."""

    def __init__(self) -> None:
        self.running = threading.Semaphore(0)
        self.go_on = threading.Event()

    def __call__(self, *_: object) -> bool:
        self.running.release()
        assert self.go_on.wait(10)
        return True


def waits(hasher: PasswordHasher) -> int | None:
    try:
        hasher.verify("x", STORED["argon2"])
    except TooManyRequests as error:
        return error.retry_after
    return None


def test_t07_so_many_run_or_wait_and_one_more_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held()
    monkeypatch.setattr(passwords, "verify_password", held)
    hasher = PasswordHasher(cores=2, admitted=5)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(waits, hasher) for _ in range(8)]
        refused = [future.result(10) for _, future in zip(range(3), as_completed(asked, 10), strict=False)]
        # Those three came back while two ran and three waited.
        assert refused == [1, 1, 1]
        assert all(held.running.acquire(timeout=10) for _ in range(2))
        for other in (hasher.hash, hasher.verify_dummy):
            with pytest.raises(TooManyRequests):
                other("x")
        held.go_on.set()
        assert sorted(str(future.result(10)) for future in asked) == ["1"] * 3 + ["None"] * 5
    assert waits(hasher) is None


def test_t07_a_failure_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bool:
        raise MemoryError

    hasher = PasswordHasher(admitted=1)
    monkeypatch.setattr(passwords, "verify_password", fail)
    for _ in range(3):
        with pytest.raises(MemoryError):
            hasher.verify("x", STORED["argon2"])
    monkeypatch.undo()
    assert hasher.verify("correct horse", STORED["argon2"])


def test_t07_a_worker_has_threads_left_when_all_places_are_taken() -> None:
    assert gunicorn_settings.threads > passwords.ADMITTED + gunicorn_settings.threads // 2


def test_eight_people_may_log_in_at_once_though_all_come_to_one_worker() -> None:
    assert passwords.ADMITTED >= 8


@pytest.mark.parametrize("scheme", CHEAP)
@pytest.mark.parametrize(
    ("password", "hashes"), [("x", 1), ("x" * 4000, 1), ("a\0b", 1), ("", 0), ("x" * 4097, 0), ("\ud800", 0)]
)
def test_t06_the_dummy_costs_one_hash_of_the_same_scheme_and_cost(
    scheme: str, password: str, hashes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, int]] = []
    real = passwords._hash

    def seen(name: str, secret: bytes, rounds: int) -> str:
        done.append((name, rounds))
        return real(name, secret, rounds)

    monkeypatch.setattr(passwords, "_hash", seen)
    PasswordHasher(scheme, CHEAP[scheme]).verify_dummy(password)
    assert done == [(scheme, CHEAP[scheme])] * hashes


@pytest.mark.parametrize("scheme", ["bcrypt", "sha512_crypt"])
def test_t06_a_password_that_the_scheme_cannot_take_costs_a_hash_too(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = passwords._SCHEMES[scheme].handler
    seen: list[bytes] = []
    real = handler.verify

    def verify(secret: bytes, stored: str) -> bool:
        seen.append(secret)
        return bool(real(secret, stored))

    monkeypatch.setattr(handler, "verify", verify)
    assert not verify_password("x" * 2000, STORED[scheme])
    assert not verify_password("a\0b", STORED[scheme])
    assert len(seen) == 2


def test_t06_a_stand_in_that_happens_to_be_right_is_still_wrong() -> None:
    stored = hash_password("stand-in", "bcrypt", 4)
    assert verify_password("stand-in", stored)
    assert not verify_password("x" * 73, stored)
