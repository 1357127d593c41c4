"""T03, T04, T36: a plain model of users, groups, rules, roles, tokens, sessions and files says what the server must do.

Everything goes through HTTP but the clock. After every step some callers try something, whatever has just ended is
tried too, and the journal has the line of each change and none of what was refused.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from json import dumps
from pathlib import Path
from random import Random
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pypicloud_lite.testing.access_model import ADMIN, DEFAULT_READ, DEFAULT_WRITE, IDLE, LONGEST, Credential, Model
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.databases import empty_tables
from pypicloud_lite.testing.world import PASSWORDS, World, basic

USERS = ["ann", "bob", "cid"]
GROUPS = [DEFAULT_READ, DEFAULT_WRITE, "crew"]
PROJECTS = ["app", "lib-x", "lib-y"]
PATTERNS = [*PROJECTS, "lib-*", "*"]
ARTIFACTS = {
    project: [build_wheel(project, "1.0"), build_sdist(project, "1.0"), build_wheel(project, "2.0")]
    for project in PROJECTS
}
SCOPES = [("read",), ("upload",), ("read", "delete"), ("read", "upload", "delete"), ("admin",), ("admin",)]
LIMITS = [(), (), ("lib-*",), ("app",)]
FORM = [(":action", "file_upload"), ("protocol_version", "1")]
LOOKS = ("read", "write", "delete", "yank", "archive", "grant", "administer", "self", "list")
PROBES = 5
START = datetime(2030, 1, 1, tzinfo=UTC)
SETTINGS = {
    "pypi.auth": "config sql",
    "auth.scheme": "pbkdf2_sha256",
    # The runs make more wrong logins than all addresses together may.
    "auth.limit_overall": "1000000",
    "auth.rounds": "1000",
    "pypi.default_read": DEFAULT_READ,
    "pypi.default_write": DEFAULT_WRITE,
    "pypi.allow_delete_groups": DEFAULT_WRITE,
    **{f"user.{name}": None for name in PASSWORDS if name != ADMIN},
    "group.developers": None,
    "group.staff": None,
}

actors = st.integers(0, 40)
users = st.sampled_from(USERS)
everybody = st.sampled_from([*USERS, ADMIN, "zed"])
groups = st.sampled_from(GROUPS)
passwords = st.sampled_from(["pw-a", "pw-b"])
projects = st.sampled_from(PROJECTS)
yes_no = st.booleans()
holders = st.one_of(
    st.tuples(st.just("user"), everybody),
    st.tuples(st.just("group"), st.sampled_from([*GROUPS, "everyone", "authenticated"])),
)


class Server:
    """One world for all runs of a process, emptied between them."""

    def __init__(self, folder):
        self.now = START
        self.world = World(folder, SETTINGS, clock=lambda: self.now)
        self._packages = folder / "data" / "packages"
        self._requests = 0

    def empty(self):
        self.now = START
        self.world.services.refusals.write()
        with self.world.services.catalog.read() as catalog:
            serial = catalog.state().serial
        empty_tables(self.world.services.database, serial=serial + 1)
        for path in self._packages.iterdir():
            if not path.name.startswith("."):
                shutil.rmtree(path)

    def send(self, method, path, credential, json=None, csrf=True, content=None):
        """Each request from an address of its own, so that no limit on guesses is reached."""
        self._requests += 1
        environ = {"REMOTE_ADDR": str(IPv4Address(0x0A000000 + self._requests % 2**24))}
        headers, body, app = headers_of(credential, csrf=csrf), b"", self.world.app
        if json is not None:
            headers["Content-Type"], body = "application/json", dumps(json).encode()
        if content is not None:
            headers["Content-Type"], body = app.encode_multipart(FORM, [("content", *content)])
        app.reset()
        return app.request(path, method=method, headers=headers, body=body, environ=environ, status="*")


def headers_of(credential, *, csrf):
    if credential.kind == "password":
        return {"Authorization": basic(credential.username, credential.secret)}
    if credential.kind == "token":
        return {"Authorization": f"Bearer {credential.secret}"}
    if credential.kind == "session":
        return {"Cookie": f"ppc_session={credential.secret}"} | ({"X-CSRF-Token": credential.csrf} if csrf else {})
    return {}


class AccessMachine(RuleBasedStateMachine):
    """Each rule asks the model first, then the server, and tells the model what has changed."""

    server: ClassVar[Server]
    done: ClassVar[Counter]

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed):
        self.server.empty()
        self.model = Model(START)
        self.random = Random(seed)
        self.admin = Credential("password", ADMIN, PASSWORDS[ADMIN])
        self.nobody = Credential("anonymous")
        self.model.credentials += [self.admin, self.nobody]
        self.has_waited = False
        self.expected, self.refused, self.tried, self.last = [], 0, set(), 0
        for name in USERS[:2]:
            self.add_user(0, name, "pw-a")
        for name in GROUPS:
            self.add_group(0, name)
        for project in PROJECTS[:2]:
            self.upload(0, project, 0)
        self.set_right(0, "lib-*", ("user", "ann"), "read", given=True)
        self.create_token(0, "ann", ("read",), (), "never")
        self.create_token(0, "bob", ("read", "upload", "delete"), ("lib-*",), 2)
        for name in USERS[:2]:
            self.log_in(name, "pw-a")

    # How a step is checked

    def pick(self, number):
        known = self.model.credentials
        return self.admin if number < 20 else known[number % len(known)]

    def ask(self, credential, method, path, json=None, **more):
        live = self.model.holds(credential)
        self.model.use(credential)
        answer = self.server.send(method, path, credential, json, **more)
        if answer.status_int in {401, 403} and (live or credential.kind in {"password", "token"}):
            self.refused += credential is not self.nobody
        return answer

    def refusal(self, credential, allowed):
        """The status of a no: 401 for whom nobody knows, 403 for who may not. Rules may name everyone, too."""
        caller = self.model.caller(credential)
        if caller is not None and allowed(caller):
            return None
        return 401 if caller is None or caller.username is None else 403

    def holds(self, answer, status, credential, *actions):
        """The status is this one, and these lines must be in the journal."""
        assert answer.status_int == status, answer
        self.expected += [(action, credential.username, credential.journal_name) for action in actions]
        self.done[answer.request.method, status] += 1

    def change(self, number, method, path, json, allowed, outcome, *actions):
        """A call whose refusal, else ``outcome``, is what must come; whether it was done."""
        credential = self.pick(number)
        status = self.refusal(credential, allowed) or outcome
        answer = self.ask(credential, method, path, json)
        done = status in {200, 201}
        self.holds(answer, status, credential, *(actions if done else ()))
        return answer if done else None

    @invariant()
    def the_journal_has_each_change_once(self):
        answer = self.server.send("GET", "/admin/journal?limit=20&outcome=done", self.admin)
        lines = [one for one in reversed(answer.json["entries"]) if one["id"] > self.last]
        assert [(one["action"], one["author"], one["credential"]) for one in lines] == self.expected
        self.last = max([self.last, *(one["id"] for one in lines)])
        self.expected = []

    @invariant()
    def some_callers_get_what_the_rules_say(self):
        for _ in range(PROBES):
            credential = self.random.choice(self.model.credentials)
            self.look(credential, self.random.choice(LOOKS), self.random.choice(PROJECTS))

    @invariant()
    def what_has_ended_is_refused(self):
        dead = set(self.model.dead())
        for credential in dead - self.tried:
            assert self.ask(credential, "GET", "/api/user").status_int == 401
        self.tried = dead

    def teardown(self):
        self.tried = set()
        self.what_has_ended_is_refused()
        self.server.world.services.refusals.write()
        answer = self.server.send("GET", "/admin/journal?limit=1000&outcome=refused", self.admin)
        assert sum(one["detail"]["count"] for one in answer.json["entries"]) == self.refused

    def look(self, credential, permission, project):
        """Try something that changes nothing."""
        caller = self.model.caller(credential)
        if permission in {"self", "list"}:
            getattr(self, f"look_at_{permission}")(credential, caller)
            return
        known, filled = project in self.model.files, bool(self.model.files.get(project))
        if (permission == "archive" and known) or (permission == "administer" and known and not filled):
            return
        path = f"/api/package/{project}"
        missing = f"{path}/{project}-9.tar.gz"
        method, address, json, allowed = {
            "read": ("GET", f"/simple/{project}/", None, 200 if filled else 404),
            "write": ("POST", "/", None, 400),
            "delete": ("DELETE", missing, None, 404),
            "yank": ("PUT", f"{missing}/yank", {}, 404),
            "archive": ("PUT", f"{path}/status", {"status": "active"}, 404),
            "grant": ("DELETE", f"/admin/package/{project}/user/nobody/read", None, 200),
            "administer": ("POST", f"/admin/package/{project}/free", None, 409 if filled else 404),
        }[permission]
        content = (f"{project}-9.tar.gz", b"no archive") if permission == "write" else None
        status = self.refusal(credential, lambda one: self.model.may(one, permission, project)) or allowed
        if permission == "read" and status == 403:
            status = 404
        answer = self.ask(credential, method, address, json, content=content)
        assert answer.status_int == status, (permission, project, credential, answer)
        self.done[permission, status] += 1

    def look_at_self(self, credential, caller):
        answer = self.ask(credential, "GET", "/api/user")
        if caller is None or caller.username is None:
            assert answer.status_int == 401
            return
        told = {name: answer.json[name] for name in ("username", "admin", "groups", "roles")}
        groups, roles = sorted(caller.groups), sorted(caller.roles)
        assert told == {"username": caller.username, "admin": caller.is_admin, "groups": groups, "roles": roles}

    def look_at_list(self, credential, caller):
        answer = self.ask(credential, "GET", "/api/package/")
        if caller is None:
            assert answer.status_int == 401
            return
        filled = [name for name, files in sorted(self.model.files.items()) if files]
        readable = [name for name in filled if self.model.may(caller, "read", name)]
        assert answer.json["packages"] == readable
        self.done["list", len(readable)] += 1

    # People

    @rule(actor=actors, name=users, password=st.one_of(st.none(), passwords))
    def add_user(self, actor, name, password):
        there = name in self.model.users or name in self.model.pending
        json = {} if password is None else {"password": password}
        outcome = 409 if there else 200
        if self.change(actor, "PUT", f"/admin/user/{name}", json, is_admin, outcome, "add user"):
            self.model.users[name] = password
            self.remember_password(name, password)

    @rule(actor=actors, name=users)
    def remove_user(self, actor, name):
        outcome = 200 if name in self.model.users or name in self.model.pending else 404
        if self.change(actor, "DELETE", f"/admin/user/{name}", None, is_admin, outcome, "remove user"):
            self.model.remove_user(name)

    @rule(name=users, password=st.one_of(st.none(), passwords))
    def somebody_else_gets_the_name(self, name, password):
        self.remove_user(0, name)
        self.add_user(0, name, password)
        self.look(Credential("password", name, password or "none"), "self", PROJECTS[0])

    @rule(actor=actors, name=users, password=passwords)
    def set_password(self, actor, name, password):
        outcome = 200 if name in self.model.users or name in self.model.pending else 404
        json, acting = {"password": password}, self.pick(actor)
        if self.change(actor, "POST", f"/admin/user/{name}/password", json, is_admin, outcome, "set password"):
            (self.model.users if name in self.model.users else self.model.pending)[name] = password
            self.model.end(name, "session", "token", but=acting)
            self.remember_password(name, password)

    @rule(actor=st.integers(20, 60), old=passwords, new=passwords)
    def change_own_password(self, actor, old, new):
        credential = self.pick(actor)
        name = credential.username
        right = PASSWORDS[ADMIN] if name == ADMIN else self.model.users.get(name)
        sent = PASSWORDS[ADMIN] if name == ADMIN else old
        status = self.refusal(credential, lambda caller: caller.is_whole and sent == right)
        status = status or (409 if name == ADMIN else 200)
        json = {"old_password": sent, "new_password": new}
        answer = self.ask(credential, "POST", "/api/user/password", json)
        self.holds(answer, status, credential, *(["set password"] if status == 200 else []))
        if status == 200:
            self.model.users[name] = new
            self.model.end(name, "session", "token", but=credential if credential.kind == "token" else None)
            self.remember_password(name, new)
            if credential.kind == "session":
                self.remember_session(name, answer)

    @rule(actor=actors, allowed=yes_no)
    def set_registration(self, actor, allowed):
        actions = ["set registration"] if allowed != self.model.allows_register else []
        if self.change(actor, "POST", "/admin/register", {"allow": allowed}, is_admin, 200, *actions):
            self.model.allows_register = allowed

    @rule(name=users, password=passwords)
    def register(self, name, password):
        there = name in self.model.users or name in self.model.pending
        status = 403 if not self.model.allows_register else 409 if there else 200
        answer = self.ask(self.nobody, "PUT", f"/api/user/{name}", {"password": password})
        done = status == 200
        self.holds(answer, status, Credential("anonymous", name), *(["request account"] if done else []))
        if done:
            self.model.pending[name] = password

    @rule(actor=actors, name=users)
    def approve(self, actor, name):
        outcome = 200 if name in self.model.pending else 404
        if self.change(actor, "POST", f"/admin/user/{name}/approve", None, is_admin, outcome, "approve user"):
            password = self.model.users[name] = self.model.pending.pop(name)
            self.remember_password(name, password)

    def remember_password(self, name, password):
        known = {(one.username, one.secret) for one in self.model.credentials if one.kind == "password"}
        if password is not None and (name, password) not in known:
            self.model.credentials.append(Credential("password", name, password))

    # Groups, roles, rules

    @rule(actor=actors, name=groups)
    def add_group(self, actor, name):
        outcome = 409 if name in self.model.groups else 200
        if self.change(actor, "PUT", f"/admin/group/{name}", None, is_admin, outcome, "add group"):
            self.model.groups[name] = set()

    @rule(actor=actors, name=groups)
    def remove_group(self, actor, name):
        outcome = 200 if name in self.model.groups else 404
        if self.change(actor, "DELETE", f"/admin/group/{name}", None, is_admin, outcome, "remove group"):
            self.model.remove_group(name)

    @rule(actor=actors, group=groups, name=everybody, member=yes_no)
    def set_member(self, actor, group, name, member):
        members = self.model.groups.get(group)
        known = name == ADMIN or name in self.model.users
        outcome = 404 if members is None or (member and not known) else 200
        actions = [] if members is None or (name in members) == member else [f"{'add' if member else 'remove'} member"]
        method, path = "PUT" if member else "DELETE", f"/admin/user/{name}/group/{group}"
        if self.change(actor, method, path, None, is_admin, outcome, *actions):
            (members.add if member else members.discard)(name)

    @rule(actor=actors, role=st.sampled_from(["reader", "writer", "admin"]), holder=holders, held=yes_no)
    def set_role(self, actor, role, holder, held):
        outcome = 404 if held and not self.is_known(*holder) else 200
        one = (role, *holder)
        actions = [] if (one in self.model.roles) == held else [f"{'give' if held else 'take'} role"]
        path = f"/admin/role/{role}/{holder[0]}/{holder[1]}"
        if self.change(actor, "PUT" if held else "DELETE", path, None, is_admin, outcome, *actions):
            (self.model.roles.add if held else self.model.roles.discard)(one)

    @rule(
        actor=actors,
        pattern=st.sampled_from(PATTERNS),
        holder=holders,
        right=st.sampled_from(["read", "write", "owner"]),
        given=yes_no,
    )
    def set_right(self, actor, pattern, holder, right, given):
        def allowed(caller):
            return caller.is_admin if "*" in pattern else self.model.may(caller, "grant", pattern)

        outcome = 404 if given and not self.is_known(*holder) else 200
        if given and right == "owner" and holder in {("group", "everyone"), ("group", "authenticated")}:
            outcome = 409
        has = right in self.model.rules.get((pattern, *holder), ())
        actions = [] if has == given else ["grant" if given else "revoke"]
        path = f"/admin/package/{pattern}/{holder[0]}/{holder[1]}/{right}"
        if self.change(actor, "PUT" if given else "DELETE", path, None, allowed, outcome, *actions):
            self.model.set_right(pattern, *holder, right, given=given)

    def is_known(self, kind, who):
        if kind == "user":
            return who == ADMIN or who in self.model.users
        return who in self.model.groups or who in {"everyone", "authenticated"}

    # Tokens and sessions

    @rule(
        actor=actors,
        name=st.one_of(st.none(), everybody),
        words=st.sampled_from(SCOPES),
        limit=st.sampled_from(LIMITS),
        days=st.one_of(st.just("never"), st.integers(1, 3)),
    )
    def create_token(self, actor, name, words, limit, days):
        """For oneself, or as an administrator for somebody."""
        credential = self.pick(actor)
        path, allowed = ("/api/token", is_whole) if name is None else (f"/admin/user/{name}/token", is_admin)
        owner, is_admin_scope = name or credential.username, "admin" in words
        outcome = 201 if self.is_known("user", owner) else 404
        caller = self.model.caller(credential)
        if is_admin_scope and limit:
            outcome = 400
        elif is_admin_scope and caller is not None and not caller.is_admin:
            outcome = 403
        wanted = {"name": "t", "permissions": words, "projects": limit, "expires_in_days": days}
        answer = self.change(actor, "POST", path, wanted, allowed, outcome, "create token")
        if answer:
            expires = None if days == "never" else self.model.now + timedelta(days=days)
            secret, number = answer.json["token"], answer.json["id"]
            made = Credential("token", owner, secret, "", number, frozenset(words), limit, expires)
            self.model.credentials.append(made)

    @rule(actor=actors, which=st.integers(0, 9), own=yes_no)
    def revoke_token(self, actor, which, own):
        tokens = [one for one in self.model.credentials if one.kind == "token"]
        if not tokens:
            return
        token, credential = tokens[which % len(tokens)], self.pick(actor)
        path = f"/api/token/{token.number}" if own else f"/admin/user/{token.username}/token/{token.number}"
        mine = not own or token.username == credential.username
        outcome = 200 if mine and not token.has_ended else 404
        if self.change(actor, "DELETE", path, None, is_whole if own else is_admin, outcome, "revoke token"):
            token.has_ended = True

    @rule(name=st.sampled_from([*USERS, ADMIN]), password=passwords)
    def log_in(self, name, password):
        sent = PASSWORDS[ADMIN] if name == ADMIN else password
        status = 200 if self.model.holds(Credential("password", name, sent)) else 403
        answer = self.ask(self.nobody, "POST", "/acct/login", {"username": name, "password": sent})
        actions = ["log in"] if status == 200 else []
        self.holds(answer, status, Credential("password", name), *actions)
        self.refused += status == 403
        if status == 200:
            self.remember_session(name, answer)

    def remember_session(self, name, answer):
        """The session of a login's answer, which begins with a line of its own where it is not the login itself."""
        if answer.request.path != "/acct/login":
            self.expected.append(("log in", name, "password"))
        cookie = answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
        expires, latest = self.model.now + IDLE, self.model.now + LONGEST
        csrf = answer.json["csrf_token"]
        self.model.credentials.append(Credential("session", name, cookie, csrf, expires=expires, latest=latest))

    @rule(which=st.integers(0, 9), forged=yes_no)
    def log_out(self, which, forged):
        """A forged logout comes without what only the session's pages know."""
        sessions = [one for one in self.model.credentials if one.kind == "session"]
        if not sessions:
            return
        session = sessions[which % len(sessions)]
        live = self.model.holds(session)
        answer = self.ask(session, "POST", "/acct/logout", csrf=not forged)
        self.holds(answer, 403 if live and forged else 200, session, *(["log out"] if live and not forged else []))
        session.has_ended |= not forged

    @rule(hours=st.sampled_from([1, 5, 11, 13, 25, 24 * 31]))
    def time_passes(self, hours):
        self.server.now = self.model.now = self.model.now + timedelta(hours=hours)

    @precondition(lambda self: not self.has_waited)
    @rule()
    def a_month_of_daily_use_passes(self):
        """No session lasts longer than 30 days, however busy it is."""
        self.has_waited = True
        live = [one for one in self.model.credentials if one.kind == "session" and self.model.holds(one)]
        for _ in range(66 if live else 0):
            self.time_passes(11)
            for session in live[-1:]:
                status = 200 if self.model.holds(session) else 401
                assert self.ask(session, "GET", "/api/user").status_int == status

    # Files

    @rule(actor=actors, project=projects, which=st.integers(0, 2))
    def upload(self, actor, project, which):
        credential, artifact = self.pick(actor), ARTIFACTS[project][which]
        listed = artifact.filename in self.model.files.get(project, ())
        status = self.refusal(credential, lambda caller: self.model.may(caller, "write", project)) or 200
        answer = self.ask(credential, "POST", "/", content=(artifact.filename, artifact.data))
        self.holds(answer, status, credential, *(["add file"] if status == 200 and not listed else []))
        if status == 200:
            self.model.files.setdefault(project, {}).setdefault(artifact.filename, False)

    @rule(actor=actors, project=projects, which=st.integers(0, 2))
    def delete(self, actor, project, which):
        filename = ARTIFACTS[project][which].filename
        outcome = 200 if filename in self.model.files.get(project, ()) else 404
        path, actions = f"/api/package/{project}/{filename}", ("begin removal", "remove file")
        if self.change_file(actor, "DELETE", path, "delete", project, outcome, *actions):
            del self.model.files[project][filename]

    @rule(actor=actors, project=projects, which=st.integers(0, 2), yanked=yes_no)
    def yank(self, actor, project, which, yanked):
        filename = ARTIFACTS[project][which].filename
        before = self.model.files.get(project, {}).get(filename)
        actions = [] if before in {None, yanked} else ["yank file" if yanked else "un-yank file"]
        path, outcome = f"/api/package/{project}/{filename}/yank", 404 if before is None else 200
        if self.change_file(actor, "PUT" if yanked else "DELETE", path, "yank", project, outcome, *actions):
            self.model.files[project][filename] = yanked

    def change_file(self, actor, method, path, permission, project, outcome, *actions):
        def allowed(caller):
            return self.model.may(caller, permission, project)

        return self.change(actor, method, path, None, allowed, outcome, *actions)


def is_admin(caller):
    return caller.is_admin


def is_whole(caller):
    return caller.is_whole


@pytest.fixture(scope="module")
def server():
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        made = Server(Path(folder))
        yield made
        made.world.close()


def run(server, runs, *, derandomize):
    """So many runs of 30 steps; what was asked, and how often it ended how."""

    class Machine(AccessMachine):
        pass

    Machine.server, Machine.done = server, Counter()
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=runs,
            stateful_step_count=30,
            derandomize=derandomize,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Machine.done


def test_t03_t36_model_and_server_agree(server):
    run(server, 20, derandomize=True)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(600)
def test_t03_t36_model_and_server_agree_at_length(server, note):
    done = run(server, 500, derandomize=False)
    note(str(done))
    refused = {"read": 404, "archive": 403, "grant": 403, "administer": 403, "write": 403, "delete": 403, "yank": 403}
    granted = {"read": 200, "archive": 404, "grant": 200, "administer": 409, "write": 400, "delete": 404, "yank": 404}
    wanted = {*refused.items(), *granted.items(), *((look, 401) for look in refused)}
    wanted |= {(method, status) for method in ("PUT", "POST", "DELETE") for status in (200, 401, 403, 404)}
    assert {what: done[what] for what in wanted if done[what] < 50} == {}
