"""T07 and T06 on the real server: floods of wrong logins, what a login costs, and what its time tells."""

from __future__ import annotations

import http.client
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import argon2
import pytest

from pypicloud_lite.access.acl_document import AclDocument, AclUser
from pypicloud_lite.access.authentication import Authenticator
from pypicloud_lite.access.backends.aws_facts import as_facts
from pypicloud_lite.access.facts import FactsAccess
from pypicloud_lite.access.passwords import PasswordHasher, hash_password
from pypicloud_lite.access.proofs import Proofs
from pypicloud_lite.access.throttle import LoginThrottle
from pypicloud_lite.kernel.errors import AuthenticationRequired
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.world import basic

COUNTED = '''
"""The users of config.ini, and a line with the process's number for each hash that is computed."""

import os

from pypicloud_lite.access import passwords
from pypicloud_lite.access.backends import config
from pypicloud_lite.settings.declare import Plugin

verify = passwords.verify_password


def counted(password, stored):
    result = verify(password, stored)
    with open(os.environ["HASHES"], "a") as lines:
        lines.write(f"{os.getpid()}\\n")
    return result


passwords.verify_password = counted
backend = Plugin(config.backend.settings, config.backend.build)
'''


class Site:
    """A live server whose one user has an argon2 hash of the usual cost, and which counts its hashes."""

    def __init__(self, folder, workers, **settings):
        folder.mkdir(exist_ok=True)
        (folder / "counted.py").write_text(COUNTED)
        self.lines = folder / "hashes"
        self.lines.touch()
        keys = {
            "pypi.auth": "counted:backend",
            "user.ann": hash_password("right"),
            "db.url": f"sqlite:///{folder}/catalog.sqlite",
            "storage.dir": f"{folder}/packages",
            **settings,
        }
        self.environ = {"PYTHONPATH": str(folder), "HASHES": str(self.lines)}
        self.server = LiveServer(folder, keys, workers=workers, threads=24, environ=self.environ)

    def get(self, path, user=None, password=""):
        """The status and what Retry-After says, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.request("GET", path, headers={"Authorization": basic(user, password)} if user else {})
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        return answer.status, answer.getheader("Retry-After")

    def token(self, user):
        """A token of the user's, made by the command."""
        program = Path(sys.executable).with_name("ppc-token")
        words = [program, "create", user, "--name", "x", "-p", "read", "-c", self.server.config]
        made = subprocess.run(words, env={**os.environ, **self.environ}, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def hashes(self):
        return self.lines.read_text().split()

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *error):
        self.server.__exit__(*error)


@pytest.mark.slow
def test_t07_200_wrong_logins_at_once_keep_nobody_else_waiting(tmp_path):
    """Who was let in before, who has a token, and who needs no login are answered while the flood lasts."""
    many = dict.fromkeys(("auth.limit_address", "auth.limit_overall"), "100000")
    with Site(tmp_path / "site", 1, **many) as site:
        assert site.get("/simple/", "ann", "right") == (200, None)
        token = site.token("ann")
        numbers, over, begun = iter(range(20_000)), threading.Event(), threading.Barrier(33)

        def flood(_):
            begun.wait(30)
            seen = []
            # Two hundred at least, however soon the others are answered.
            while not over.is_set() or len(seen) < 7:
                seen.append(site.get("/simple/", f"user{next(numbers)}", "wrong"))
            return seen

        with ThreadPoolExecutor(32) as pool:
            attackers = [pool.submit(flood, number) for number in range(32)]
            try:
                begun.wait(30)
                passed = []
                asked = [("/simple/", "ann", "right"), ("/simple/", "__token__", token), ("/health/live", None, "")]
                for path, user, password in asked * 15:
                    before = len(site.hashes())
                    assert site.get(path, user, password)[0] == 200
                    passed.append(len(site.hashes()) - before)
            finally:
                over.set()
            wrong = Counter(one for attacker in attackers for one in attacker.result(60))
    assert max(passed) <= 12, passed
    assert sum(wrong.values()) >= 200
    assert set(wrong) == {(401, None), (429, "1")}


@pytest.mark.slow
def test_t07_a_flood_against_one_user_is_hashed_ten_times_at_most(tmp_path):
    with Site(tmp_path / "site", 1) as site:
        assert site.get("/simple/", "ann", "right") == (200, None)
        with ThreadPoolExecutor(16) as pool:
            seen = list(pool.map(lambda number: site.get("/simple/", "ann", f"wrong{number}"), range(200)))
        assert {status for status, _ in seen} == {401, 429}
        refused = sum(status == 401 for status, _ in seen)
        assert 1 <= refused <= 10
        assert all(0 < int(wait) <= 300 for status, wait in seen if status == 429)
        assert len(site.hashes()) == 1 + refused
        assert site.get("/simple/", "ann", "right") == (200, None)


def test_t07_100_requests_with_a_token_cost_no_hash(tmp_path):
    with Site(tmp_path / "site", 2) as site:
        token = site.token("ann")
        with ThreadPoolExecutor(4) as pool:
            seen = set(pool.map(lambda _: site.get("/simple/", "__token__", token), range(100)))
        assert seen == {(200, None)}
        assert site.hashes() == []


def test_t07_100_requests_with_one_credential_cost_one_hash_in_each_worker(tmp_path):
    with Site(tmp_path / "site", 2) as site:
        with ThreadPoolExecutor(4) as pool:
            seen = set(pool.map(lambda _: site.get("/simple/", "ann", "right"), range(100)))
        assert seen == {(200, None)}
        each = Counter(int(pid) for pid in site.hashes())
        assert set(each) <= set(site.server.worker_pids())
        assert set(each.values()) == {1}


@pytest.mark.slow
def test_t07_a_burst_of_users_that_are_new_to_a_worker_is_let_in_when_it_comes_again(tmp_path):
    """As pip and uv do, which wait as Retry-After says (here: until nobody of the burst is left)."""
    users = {f"user.u{number}": hash_password(f"pw{number}") for number in range(24)}
    with Site(tmp_path / "site", 1, **users) as site:
        left = list(range(24))
        for _ in range(6):
            with ThreadPoolExecutor(24) as pool:
                seen = list(pool.map(lambda number: site.get("/simple/", f"u{number}", f"pw{number}"), left))
            assert {status for status, _ in seen} <= {200, 429}
            left = [number for number, (status, _) in zip(left, seen, strict=True) if status != 200]
            if not left:
                break
        assert left == []


@pytest.mark.slow
def test_t06_the_time_tells_nothing_about_a_user():
    """1,000 samples of a user, of nobody, and of a user without a password, in turns: their medians are within 5 %."""
    hasher = argon2.PasswordHasher(1, 8192, 1)
    stored = [hasher.hash("right") for _ in range(3)]
    people = (AclUser("ann", stored[0]), AclUser("ben", stored[1]), AclUser("eva", stored[2]), AclUser("pat"))
    facts, _ = as_facts(AclDocument(users=people, groups={"team": frozenset({"pat"})}), "test")
    access = FactsAccess(lambda: facts, PasswordHasher())
    throttle = LoginThrottle(per_user=10_000, per_address=10_000, overall=10_000)
    authenticator = Authenticator(access, Proofs(), throttle)
    samples = {"ann": [], "mallory": [], "pat": []}
    for number in range(1000):
        for name, times in samples.items():
            began = time.perf_counter_ns()
            with pytest.raises(AuthenticationRequired):
                authenticator.identify(name, f"wrong{number}", "192.0.2.1")
            times.append(time.perf_counter_ns() - began)
    medians = {name: statistics.median(times) for name, times in samples.items()}
    assert max(medians.values()) - min(medians.values()) < 0.05 * min(medians.values()), medians
