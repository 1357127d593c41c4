"""A server of one's own under the contract, over HTTP, and everything that it can answer wrongly."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from time import monotonic

import pytest

from pypicloud_lite.access.backends.remote import RemoteAccess
from pypicloud_lite.access.backends.remote_server import MAX_ANSWER
from pypicloud_lite.access.backends.remote_settings import RemoteSettings
from pypicloud_lite.access.directory import Directory, InForce
from pypicloud_lite.access.model import Right
from pypicloud_lite.access.port import AccessBackend
from pypicloud_lite.kernel.errors import AccessUnavailable, ConfigError
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.access import GROUP_GRANTS, PASSWORDS, USER_GRANTS, AccessContract
from pypicloud_lite.testing.certificates import make_certificates
from pypicloud_lite.testing.live import free_port
from pypicloud_lite.testing.remote_server import Bad, RemoteWorld, remote_server


class Time:
    """Moved by the test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class ServingOnce:
    """Answers the first request on each connection, and hangs up at the second."""

    def __init__(self, listener: socket.socket, answer: bytes) -> None:
        self._listener = listener
        self._answer = answer
        self._thread = threading.Thread(target=self._serve)
        self._client: socket.socket | None = None

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        for one in (self._listener, self._client):
            with contextlib.suppress(OSError):
                if one is not None:
                    one.shutdown(socket.SHUT_RDWR)
        self._thread.join(30)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._client, _address = self._listener.accept()
                with self._client:
                    request = piece = b" "
                    while piece and not request.endswith(b"username=al"):
                        piece = self._client.recv(65536)
                        request += piece
                    self._client.sendall(self._answer)
                    self._client.recv(65536)


@pytest.fixture(scope="module")
def shared() -> Iterator[RemoteWorld]:
    """A server that no test changes."""
    with remote_server() as world:
        yield world


@pytest.fixture
def world() -> Iterator[RemoteWorld]:
    with remote_server() as world:
        yield world


def access(world: RemoteWorld, time=monotonic, **more: str) -> RemoteAccess:
    return RemoteAccess(RemoteSettings.model_validate(world.settings(**more)).checked(), time)


class TestRemoteAccess(AccessContract):
    @pytest.fixture
    def backend(self, shared: RemoteWorld) -> AccessBackend:
        in_force = InForce({"remote": access(shared)})
        return Directory(lambda: in_force)

    def test_memberships_are_those_of_the_lists(self, backend: AccessBackend) -> None:
        """Its groups are for its own users: with it down, another backend's administrator must get in."""
        assert [backend.memberships(username) for username in PASSWORDS] == [frozenset()] * len(PASSWORDS)


@pytest.fixture(scope="module")
def old() -> Iterator[RemoteWorld]:
    """As a server made for pypicloud is: no ``grants``, no patterns, and nothing in ``user_data`` but the name."""
    with remote_server() as world:
        world.has_grants, world.terse = False, True
        for holds in (world.users_hold, world.groups_hold):
            for key in [key for key in holds if "*" in key[0]]:
                del holds[key]
        yield world


class TestServerMadeForPypicloud(TestRemoteAccess):
    @pytest.fixture
    def backend(self, old: RemoteWorld) -> AccessBackend:
        in_force = InForce({"remote": access(old, Time())})
        return Directory(lambda: in_force)

    def test_lists_name_everybody(self, backend: AccessBackend) -> None:
        """Where the list has names alone, nobody in it is an administrator."""
        listed = {account.username: account for account in backend.accounts()}
        assert set(listed) == set(PASSWORDS)
        assert [listed[name] for name in ("alice", "carol")] == [backend.lookup(name) for name in ("alice", "carol")]

    def test_the_rules_are_behind_the_grants(self, backend: AccessBackend) -> None:
        known = {(rule.pattern, rule.kind, rule.who): rule.rights for rule in backend.grant_book().rules()}
        assert known == {
            **{(project, "user", who): rights for (project, who), rights in USER_GRANTS.items() if "*" not in project},
            **{(project, "group", who): rights for (project, who), rights in GROUP_GRANTS.items()},
        }

    def test_a_pattern_holds_for_what_it_matches(self, backend: AccessBackend) -> None:
        """It has none; a name is asked for as it is."""
        assert not backend.grant_book().of(ProjectName("team-a"))


def test_t09_no_password_is_in_an_address(world):
    world.credentials = ("index", "s3cret-of-the-index")
    backend = access(world, user="index", password="s3cret-of-the-index")
    for username, password in PASSWORDS.items():
        assert backend.authenticate(username, password) is not None
        assert backend.authenticate(username, "wrong-password") is None
    backend.accounts()
    backend.grant_book().rules()
    assert {asked.line.split()[0] for asked in world.asked} == {"POST"}
    assert {asked.line.split()[1] for asked in world.asked} == {"/verify", "/user_data", "/grants"}
    seen = "\n".join(asked.line + asked.headers for asked in world.asked)
    for secret in (*PASSWORDS.values(), "wrong-password", "s3cret-of-the-index"):
        assert secret not in seen
    sent = {asked.form["password"] for asked in world.asked if asked.path == "/verify"}
    assert sent == {*PASSWORDS.values(), "wrong-password"}


def test_the_server_is_asked_with_the_names_that_pypicloud_has(old):
    backend = access(old, Time())
    old.asked.clear()
    backend.authenticate("alice", PASSWORDS["alice"])
    backend.groups()
    backend.grant_book().of(ProjectName("secret-tool"))
    backend.grant_book().rules()
    asked = {(one.path, tuple(sorted(one.form))) for one in old.asked}
    assert asked == {
        ("/verify", ("password", "username")),
        ("/user_data", ("username",)),
        ("/user_data", ()),
        ("/admin", ("username",)),
        ("/groups", ("username",)),
        ("/groups", ()),
        ("/group_members", ("group",)),
        ("/grants", ()),
        ("/user_permissions", ("package",)),
        ("/group_permissions", ("package",)),
        ("/user_package_permissions", ("username",)),
        ("/group_package_permissions", ("group",)),
    }


@pytest.mark.parametrize("terse", [False, True])
def test_every_path_may_be_another_one(world, terse):
    paths = ("verify", "user_data", "grants", "groups", "group_members", "admin", "user_permissions")
    paths += ("group_permissions", "user_package_permissions", "group_package_permissions")
    world.terse, world.has_grants, world.prefix = terse, not terse, "/v2/my-"
    backend = access(world, backend_server=f"{world.url}/v2/", **{f"uri__{one}": f"my-{one}" for one in paths})
    assert backend.authenticate("alice", PASSWORDS["alice"]) is not None
    assert set(backend.groups()) == set(world.members)
    assert backend.grant_book().of(ProjectName("drop-box"))
    assert backend.grant_book().rules()
    assert {one.path[:7] for one in world.asked} == {"/v2/my-"}


def test_an_answer_is_used_again_for_a_while(world):
    time = Time()
    backend = access(world, time, remote__cache_time="20")
    before = backend.lookup("carol")
    assert backend.lookup("nobody") is None
    book, serial = backend.grant_book(), backend.serial()
    count = len(world.asked)
    for _ in range(5):
        assert backend.lookup("carol") == before
        assert backend.lookup("nobody") is None
        assert backend.serial() == serial
        assert dict(book.of(ProjectName("drop-box")).users) == {"bob.smith": {Right.WRITE}}
    assert len(world.asked) == count
    world.members["ops"].add("carol")
    world.users_hold["drop-box", "carol"] = ["read"]
    world.passwords["nobody"], world.versions["nobody"] = "pw", "1"
    time.now += 11
    assert backend.lookup("nobody") is not None
    assert backend.lookup("carol") == before
    time.now += 10
    after = backend.lookup("carol")
    assert after is not None
    assert after.groups == {"ops"}
    assert set(book.of(ProjectName("drop-box")).users) == {"bob.smith", "carol"}
    assert backend.serial() != serial


def test_the_serial_of_rules_by_project_changes_by_itself(world):
    world.has_grants = False
    time = Time()
    backend = access(world, time)
    serial = backend.serial()
    time.now += 61
    assert backend.serial() != serial


def test_rules_by_project_are_asked_for_once(world):
    world.has_grants = False
    time = Time()
    backend = access(world, time)
    for _ in range(3):
        assert set(backend.grant_book().of(ProjectName("secret-tool")).users) == {"alice", "carol"}
    assert [one.path for one in world.asked] == ["/grants", "/user_permissions", "/group_permissions"]
    world.users_hold["secret-tool", "dave"] = ["owner"]
    time.now += 61
    assert set(backend.grant_book().of(ProjectName("secret-tool")).users) == {"alice", "carol", "dave"}


def test_too_many_to_ask_about_leaves_the_rules_that_are_known(world):
    world.has_grants = False
    world.passwords |= {f"user{number}": "pw" for number in range(300)}
    world.versions |= {f"user{number}": "1" for number in range(300)}
    book = access(world, Time()).grant_book()
    assert list(book.rules()) == []
    asked = book.rules_of(ProjectName("secret-tool"))
    assert asked
    assert list(book.rules()) == list(asked)


def test_a_version_tells_of_a_new_password(world):
    time = Time()
    backend = access(world, time)
    before = backend.lookup("carol")
    world.passwords["carol"], world.versions["carol"] = "another", "2"
    assert backend.authenticate("carol", PASSWORDS["carol"]) is None
    after = backend.authenticate("carol", "another")
    assert before is not None
    assert after is not None
    assert before.version != after.version
    assert backend.lookup("carol") == after


def test_another_spelling_is_another_user(world):
    """The server may compare names without case; here they are compared exactly."""
    world.passwords["CAROL"], world.versions["CAROL"] = PASSWORDS["carol"], "1"
    answer = {"username": "carol", "admin": True, "groups": ["ops"]}
    world.bad = lambda path: Bad(body=json.dumps(answer).encode()) if path == "/user_data" else None
    backend = access(world)
    assert backend.authenticate("CAROL", PASSWORDS["carol"]) is None
    assert backend.lookup("CAROL") is None
    assert backend.lookup("carol") is not None


BAD_ANSWERS = {
    "500": Bad(500, b"{}"),
    "503": Bad(503),
    "404": Bad(404, b"{}"),
    "401": Bad(401),
    "403": Bad(403),
    "204": Bad(204),
    "201": Bad(201, b"true"),
    "redirect": Bad(302, b"true", (("Location", "/elsewhere"),)),
    "permanent redirect": Bad(308, b"true", (("Location", "/elsewhere"),)),
    "empty": Bad(),
    "no JSON": Bad(body=b"<html>true</html>"),
    "not UTF-8": Bad(body=b'"\xff\xfe"'),
    "a text": Bad(body=b'"true"'),
    "a number": Bad(body=b"1"),
    "a list of numbers": Bad(body=b"[1, 2]"),
    "another object": Bad(body=b'{"result": true}'),
    "a name that is no text": Bad(body=b'{"username": 1}'),
    "deep": Bad(body=b"[" * 200_000),
    "huge": Bad(body=b"true" + b" " * MAX_ANSWER),
}
"""What no question may take for an answer."""


@pytest.mark.parametrize("kind", BAD_ANSWERS)
def test_f30_a_bad_answer_is_an_outage(world, kind):
    """Of every method, and never followed to another address."""
    world.bad = lambda _path: BAD_ANSWERS[kind]
    backend = access(world)
    asks = [
        lambda: backend.authenticate("alice", PASSWORDS["alice"]),
        lambda: backend.lookup("alice"),
        backend.accounts,
        backend.groups,
        backend.probe,
        lambda: backend.grant_book().of(ProjectName("secret-tool")),
        lambda: backend.grant_book().rules_of(ProjectName("secret-tool")),
        lambda: backend.grant_book().rules(),
    ]
    if kind != "404":
        asks.append(backend.serial)
    for ask in asks:
        with pytest.raises(AccessUnavailable) as caught:
            ask()
        assert PASSWORDS["alice"] not in caught.value.message
        assert "auth.backend_server" in caught.value.message
    assert "/elsewhere" not in {one.path for one in world.asked}


@pytest.mark.parametrize(
    "answer",
    [
        {"users": {}},
        {"groups": {}},
        {"users": []},
        {"users": {"alice": []}},
        {"users": {"alice": {"secret-tool": "read"}}},
        {"users": {"alice": {"secret-tool": ["everything"]}}},
        {"users": {"alice": {"no/project": ["read"]}}},
        {"users": {"alice": {"bad/*": ["read"]}}},
        {"groups": {"ops": {"secret-tool": [1]}}},
    ],
)
def test_rules_that_cannot_be_read_are_an_outage(world, answer):
    """Leaving one out could open a project."""
    whole = answer if len(answer.get("users", answer.get("groups"))) == 0 else {"users": {}, "groups": {}, **answer}
    world.bad = lambda path: Bad(body=json.dumps(whole).encode()) if path == "/grants" else None
    with pytest.raises(AccessUnavailable, match=r"remote-access\.rst"):
        access(world).grant_book().of(ProjectName("ordinary"))


@pytest.mark.parametrize("body", [b"null", b"0", b"1", b"{}", b"[]", b'"false"', b'"true"', b'{"username": "alice"}'])
def test_f30_only_true_is_a_yes_and_only_false_a_no(world, body):
    world.bad = lambda path: Bad(body=body) if path == "/verify" else None
    with pytest.raises(AccessUnavailable, match="/verify"):
        access(world).authenticate("alice", PASSWORDS["alice"])


def test_f30_an_endless_answer_is_none(world):
    """Even where what was read of it would be one."""
    world.bad = lambda path: Bad(body=b"true" + b" " * MAX_ANSWER) if path == "/verify" else None
    with pytest.raises(AccessUnavailable, match="longer than"):
        access(world).authenticate("alice", PASSWORDS["alice"])


def test_a_right_password_of_nobody_is_an_outage(world):
    world.bad = lambda path: Bad(body=b"true") if path == "/verify" else None
    with pytest.raises(AccessUnavailable, match="/user_data"):
        access(world).authenticate("mallory", "pw")


@pytest.mark.parametrize("bad", [Bad(silent=True), Bad(dripping=True)], ids=["silent", "dripping"])
def test_f30_a_slow_server_is_an_outage_in_time(world, bad):
    """However little it says, and how often: the whole question has one time limit; the next does not wait at all."""
    world.bad = lambda _path: bad
    time = Time()
    backend = access(world, time, remote__timeout="0.4")
    began = monotonic()
    with pytest.raises(AccessUnavailable):
        backend.lookup("alice")
    assert monotonic() - began < 2
    count = len(world.asked)
    for ask in (lambda: backend.lookup("bob.smith"), lambda: backend.authenticate("alice", PASSWORDS["alice"])):
        with pytest.raises(AccessUnavailable):
            ask()
    assert len(world.asked) == count
    world.bad = lambda _path: None
    time.now += 6
    assert backend.lookup("alice") is not None


def test_f30_a_quick_failure_shuts_nobody_else_out(world):
    """A name that the server trips over must not be a way to lock everybody out."""
    world.bad = lambda _path: Bad(500) if world.asked[-1].form.get("username") == "trip" else None
    backend = access(world)
    with pytest.raises(AccessUnavailable):
        backend.lookup("trip")
    assert backend.lookup("alice") is not None


def test_f30_a_server_that_is_not_there_is_an_outage(world):
    backend = access(world, Time(), backend_server=f"http://127.0.0.1:{free_port()}")
    for ask in (lambda: backend.lookup("alice"), backend.probe, backend.serial):
        with pytest.raises(AccessUnavailable):
            ask()
    assert backend.memberships("alice") == frozenset()
    assert not backend.role_holders().users


def test_a_connection_that_was_closed_meanwhile_is_no_outage():
    """Servers close connections that were idle, and a request may be on its way to one then."""
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{"username":"al","admin":true,"groups":[]}'
    answer = answer.replace(b"40", str(len(answer.split(b"\r\n\r\n")[1])).encode())
    with socket.create_server(("127.0.0.1", 0)) as listener, ServingOnce(listener, answer):
        settings = {"auth.backend_server": f"http://127.0.0.1:{listener.getsockname()[1]}"}
        time = Time()
        backend = RemoteAccess(RemoteSettings.model_validate(settings), time)
        for _ in range(4):
            assert backend.lookup("al") is not None
            time.now += 61


def test_t09_an_untrusted_certificate_is_refused(tmp_path):
    certificates = make_certificates(tmp_path)
    with remote_server(certificates) as world:
        with pytest.raises(AccessUnavailable):
            access(world).authenticate("alice", PASSWORDS["alice"])
        assert world.asked == []
        trusting = access(world, remote__ca_file=str(certificates.authority))
        assert trusting.authenticate("alice", PASSWORDS["alice"]) is not None
        other = world.url.replace("127.0.0.1", "localhost")
        with pytest.raises(AccessUnavailable):
            access(world, backend_server=other, remote__ca_file=str(certificates.authority)).lookup("alice")


def test_wrong_credentials_of_the_index_are_an_outage(world):
    world.credentials = ("index", "right")
    with pytest.raises(AccessUnavailable, match=r"auth\.user and auth\.password"):
        access(world, user="index", password="wrong").authenticate("alice", PASSWORDS["alice"])
    with pytest.raises(AccessUnavailable):
        access(world).lookup("alice")
    assert access(world, user="index", password="right").lookup("alice") is not None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"auth.backend_server": "users.example.com"}, "no address of a server"),
        ({"auth.backend_server": "ftp://users.example.com"}, "no address of a server"),
        ({"auth.backend_server": "https://users.example.com:port"}, "no address of a server"),
        ({"auth.backend_server": "https://index:pw-in-url@users.example.com"}, "more than a host and a path"),
        ({"auth.backend_server": "https://users.example.com/?a=b"}, "more than a host and a path"),
        ({"auth.user": "index"}, "auth.password is missing"),
        ({"auth.password": "pw-alone"}, "auth.user is missing"),
    ],
)
def test_contradictions_are_named(changes, said):
    settings = RemoteSettings.model_validate({"auth.backend_server": "https://users.example.com", **changes})
    with pytest.raises(ConfigError, match=said) as caught:
        settings.checked()
    assert "pw-" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "warned"),
    [("http://users.example.com", True), ("https://users.example.com", False), ("http://127.0.0.1:1", False)],
)
def test_passwords_in_clear_text_are_warned_of(url, warned):
    assert bool(RemoteAccess(RemoteSettings.model_validate({"auth.backend_server": url})).warnings) is warned
