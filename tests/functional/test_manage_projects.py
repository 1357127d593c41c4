"""Managing projects in pages: what the REST API does, for whoever may do it there, and nothing for anybody else."""

from __future__ import annotations

import pytest

from pypicloud_lite.access.model import Right
from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import PASSWORDS

HTML = {"Accept": "text/html,application/xhtml+xml"}
ONE, TWO = build_wheel("demo", "1.0"), build_wheel("demo", "2.0")
SOURCE = build_sdist("demo", "1.0")
PAGE, CONFIRM = "/manage/projects/demo", "/manage/projects/demo/confirm"


@pytest.fixture
def world(make_world):
    world = make_world(
        {
            "pypi.auth": "config sql",
            "package.demo.user.owner": "owner",
            "package.demo.group.staff": "r",
            "package.demo.group.developers": "rw",
            "package.secret.user.nobody": "r",
            "user.owner": hash_password("owner-pw", "pbkdf2_sha256", 1000),
        }
    )
    for artifact in (ONE, SOURCE, TWO, build_wheel("secret", "1.0")):
        world.upload(artifact, "admin")
    return world


def log_in(world, user="admin"):
    world.app.reset()
    password = PASSWORDS.get(user, f"{user}-pw")
    world.app.post("/login", {"username": user, "password": password}, headers=HTML, status=303)


def see(world, path, status=200):
    return world.app.get(path, headers=HTML, status=status)


def send(world, path, answered=303, **fields):
    form = next(one for one in see(world, "/account/").forms.values() if one.action.endswith("/logout"))
    return world.app.post(path, {"csrf_token": form["csrf_token"].value, **fields}, headers=HTML, status=answered)


def files(world, user="admin"):
    return {one["filename"]: one["yanked"] for one in world.project("demo", user)["files"]}


def text(page):
    return " ".join(page.text.partition("<main")[2].split())


def test_all_projects_are_found_by_a_part_of_their_name_and_paged(world):
    see(world, "/manage/projects", 302)
    log_in(world, "owner")
    assert "only administrators may" in see(world, "/manage/projects", 403)
    log_in(world)
    page = see(world, "/manage/projects")
    assert "3 files" in page
    assert 'href="/manage/projects/secret"' in page
    assert "secret" not in see(world, "/manage/projects?q=De").text
    assert "No project has" in see(world, "/manage/projects?q=d%25")
    assert "No project has" in see(world, "/manage/projects?q=%00&after=%00")
    for number in range(55):
        world.upload(build_wheel(f"many-{number:02}", "1.0"), "admin")
    first = see(world, "/manage/projects?q=MANY_")
    assert "many-49" in first
    assert "many-50" not in first.text
    rest = first.click("More")
    assert "many-54" in rest
    assert "many-49" not in rest.text
    assert "More" not in rest.text.partition("<main")[2]


def test_a_page_of_projects_is_one_query_however_many_there_are(world, queries):
    log_in(world)
    see(world, "/manage/projects")
    with queries(world) as few:
        see(world, "/manage/projects")
    for number in range(60):
        world.upload(build_wheel(f"more-{number:02}", "1.0"), "admin")
    see(world, "/manage/projects")
    with queries(world) as many:
        see(world, "/manage/projects")
    assert len(few) == len(many) <= 4


@pytest.mark.parametrize("path", [PAGE, CONFIRM + "?action=delete&version=1.0"])
def test_who_sees_a_projects_page(world, path):
    assert see(world, path, 302).headers["Location"].startswith("/login?next=")
    for user, status in (("outsider", 404), ("reader", 403), ("writer", 200), ("owner", 200), ("admin", 200)):
        log_in(world, user)
        see(world, path, status)
    for user in ("writer", "owner", "outsider"):
        log_in(world, user)
        hidden = see(world, path.replace("demo", "secret"), 404)
        assert text(hidden).replace("secret", "nothing") == text(see(world, path.replace("demo", "nothing"), 404))


def test_each_sees_only_what_it_may_do(world):
    for user, there, absent in (
        ("writer", ("Yank the release", "Delete the project"), ("Set the status", "Grant")),
        ("owner", ("Yank the release", "Set the status", "Grant"), ("<option>quarantined",)),
        ("admin", ("Yank the release", "Set the status", "Grant", "<option>quarantined"), ()),
    ):
        log_in(world, user)
        page = text(see(world, PAGE))
        assert [word for word in there if word not in page] == []
        assert [word for word in absent if word in page] == []
        assert (">Journal</a>" in page) is (user == "admin")
        assert f'href="{PAGE}"' in see(world, "/project/demo/")
    log_in(world, "reader")
    assert PAGE not in see(world, "/project/demo/").text


def test_a_release_and_a_file_are_yanked_with_a_reason_and_back(world):
    log_in(world, "owner")
    confirm = see(world, PAGE + "?version=1.0").click("Yank the release")
    assert "2 files" in confirm
    form = confirm.forms[len(confirm.forms) - 1]
    form["reason"] = "  breaks\nsums "
    assert form.submit(headers=HTML, status=303).headers["Location"] == f"{PAGE}?version=1.0"
    assert files(world) == {ONE.filename: "breaks sums", SOURCE.filename: "breaks sums", TWO.filename: False}
    assert "breaks sums" in see(world, PAGE + "?version=1.0.0")
    send(world, PAGE, action="restore", version="1.0")
    assert files(world)[ONE.filename] is False
    send(world, CONFIRM, action="yank", file=TWO.filename, version="2.0")
    assert files(world)[TWO.filename] is True
    send(world, PAGE, action="restore", file=TWO.filename, version="2.0")
    assert files(world)[TWO.filename] is False


@pytest.mark.parametrize("user", ["writer", "owner", "admin"])
def test_a_file_a_release_and_the_project_are_deleted_once_confirmed(world, user):
    log_in(world, user)
    send(world, CONFIRM, action="delete", file=SOURCE.filename, version="1.0")
    assert set(files(world)) == {ONE.filename, TWO.filename}
    send(world, CONFIRM, action="delete", version="2.0")
    assert set(files(world)) == {ONE.filename}
    assert "type the project" in send(world, CONFIRM, 400, action="delete", name="dem")
    assert set(files(world)) == {ONE.filename}
    assert 'name="name" required' in see(world, PAGE).click("Delete the project")
    send(world, CONFIRM, action="delete", name=" demo ")
    world.get("/simple/demo/", "admin", 404)
    page = text(see(world, PAGE))
    assert "It has no file" in page
    assert ("Free the name" in page) is (user == "admin")
    world.upload(build_wheel("demo", "1.0", summary="other bytes"), "writer", 409)


def test_a_name_is_freed_by_administrators_once_it_has_no_file(world):
    log_in(world)
    assert "has 3 files" in send(world, CONFIRM, 409, action="free", name="demo")
    see(world, CONFIRM + "?action=free", 404)
    send(world, CONFIRM, action="delete", name="demo")
    assert "no file: its name is reserved" in see(world, "/manage/projects")
    log_in(world, "owner")
    see(world, CONFIRM + "?action=free", 404)
    assert "administer" in send(world, CONFIRM, 403, action="free", name="demo")
    log_in(world)
    assert "Anybody who may upload" in see(world, PAGE).click("Free the name")
    assert send(world, CONFIRM, action="free", name="demo").headers["Location"] == "/manage/projects"
    see(world, PAGE, 404)
    world.upload(build_wheel("demo", "1.0", summary="other bytes"), "admin")


def test_the_status_is_set_with_its_reason(world):
    log_in(world, "owner")
    send(world, PAGE, action="status", status="archived", reason="use <b>other</b>")
    page = see(world, PAGE)
    assert "<strong>archived</strong>: <bdi>use &lt;b&gt;other&lt;/b&gt;</bdi>" in page
    assert "administer" in send(world, PAGE, 403, action="status", status="quarantined", reason="")
    send(world, PAGE, 400, action="status", status="splendid")
    log_in(world)
    send(world, PAGE, action="status", status="quarantined", reason="")
    log_in(world, "owner")
    see(world, PAGE, 404)
    send(world, PAGE, 404, action="status", status="active")
    log_in(world)
    send(world, PAGE, action="status", status="active", reason="")
    project = ProjectName("demo")
    with world.services.catalog.read() as reader:
        assert reader.project(world.services.index, project).status is ProjectStatus.ACTIVE


def test_owners_change_the_rules_of_their_project_alone(world):
    log_in(world, "owner")
    send(world, PAGE, action="grant", kind="user", who="outsider", right="write")
    page = text(see(world, PAGE))
    assert "user <bdi>outsider</bdi>" in page
    assert "database" in page
    world.upload(build_wheel("demo", "3.0"), "outsider")
    send(world, PAGE, action="revoke", kind="user", who="outsider", right="write")
    world.upload(build_wheel("demo", "4.0"), "outsider", 403)
    for fields, status in (
        ({"kind": "user", "who": "ghost", "right": "read"}, 404),
        ({"kind": "user", "who": "outsider", "right": "all"}, 400),
    ):
        send(world, PAGE, status, action="grant", **fields)
    # The field of the administrators' form chooses nothing here.
    send(world, PAGE, action="grant", kind="user", who="outsider", right="read", project="*")
    assert {rule.pattern for rule in world.services.access.grant_book().rules()} == {"demo", "secret"}
    log_in(world, "writer")
    send(world, PAGE, 403, action="grant", kind="user", who="writer", right="owner")


def test_who_gives_its_last_right_away_is_led_to_the_project(world):
    world.services.administration.set_right("demo", "user", "reader", Right.OWNER, Author("admin"), given=True)
    log_in(world, "reader")
    sent = send(world, PAGE, action="revoke", kind="user", who="reader", right="owner")
    assert sent.headers["Location"] == "/project/demo/"
    see(world, "/project/demo/")


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        (CONFIRM, {"action": "yank", "version": "1.0", "reason": "x" * 501}, 400),
        (PAGE, {"action": "status", "status": "archived", "reason": "x" * 501}, 400),
        (CONFIRM, {"action": "yank", "version": "9.9"}, 404),
        (CONFIRM, {"action": "delete", "version": "no version"}, 404),
        (CONFIRM, {"action": "delete", "file": "demo-9.9.tar.gz"}, 404),
        (CONFIRM, {"action": "delete", "file": "secret-1.0-py3-none-any.whl"}, 404),
        (CONFIRM, {"action": "yank"}, 400),
        (PAGE, {"action": "restore"}, 400),
        (PAGE, {"action": "restore", "version": "9.9"}, 404),
        (PAGE, {"action": "dance"}, 400),
        (CONFIRM, {"action": "dance"}, 400),
        (PAGE, {}, 400),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(world, path, fields, status):
    log_in(world)
    before = files(world)
    answer = send(world, path, status, **fields)
    assert 'role="alert"' in answer or '<p class="lead">' in answer
    assert files(world) == before
    assert "secret" in see(world, "/manage/projects")


@pytest.mark.parametrize("query", ["", "?action=dance", "?action=yank", "?action=delete&version=9"])
def test_there_is_nothing_to_confirm(world, query):
    log_in(world)
    see(world, CONFIRM + query, 404 if "version" in query else 400)
    see(world, PAGE + "?version=9.9", 404)
    see(world, PAGE + "?version=a%00b", 404)


@pytest.mark.parametrize("user", ["reader", "outsider"])
def test_T01_forms_of_those_who_may_not(world, user):
    log_in(world, user)
    before, status = files(world), {"reader": 403, "outsider": 404}[user]
    send(world, CONFIRM, status, action="yank", version="1.0")
    send(world, CONFIRM, status, action="delete", name="demo")
    send(world, PAGE, status, action="status", status="archived")
    send(world, PAGE, status, action="grant", kind="user", who=user, right="owner")
    for path in (PAGE, CONFIRM):
        hidden = send(world, path.replace("demo", "secret"), 404, action="delete", name="secret")
        unknown = send(world, path.replace("demo", "nothing"), 404, action="delete", name="nothing")
        assert hidden.text.replace("secret", "nothing") == unknown.text
    assert files(world) == before


def test_T04_a_hidden_project_costs_what_an_unknown_one_does(world, queries):
    log_in(world, "writer")
    see(world, "/manage/projects/secret", 404)
    with queries(world) as hidden:
        see(world, "/manage/projects/secret", 404)
    with queries(world) as unknown:
        see(world, "/manage/projects/nothing", 404)
    assert hidden == unknown


@pytest.mark.parametrize("path", [PAGE, CONFIRM])
def test_T10_a_form_without_the_sessions_token_changes_nothing(world, path):
    log_in(world)
    before = files(world)
    for token in ("", "x"):
        fields = {"action": "delete", "name": "demo", "version": "1.0", "status": "archived", "csrf_token": token}
        world.app.post(path, fields, headers=HTML, status=403)
    world.app.reset()
    world.app.post(path, {"action": "delete", "name": "demo"}, headers=HTML, status=401)
    assert files(world) == before


def test_a_large_project_costs_what_a_small_one_does(world, queries):
    for number in range(60):
        world.upload(build_wheel("large", f"{number}.0"), "admin")
    log_in(world)
    see(world, PAGE)
    with queries(world) as small:
        see(world, PAGE)
    with queries(world) as large:
        page = see(world, "/manage/projects/large")
    assert len(small) == len(large) <= 6
    assert "All 60 releases" in page
    assert ">0.0</a>" not in page.text
    assert ">0.0</a>" in page.click("All 60 releases")
