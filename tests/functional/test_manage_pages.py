"""The manage pages: what administrators see and change, and nobody else."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.world import PASSWORDS

HTML = {"Accept": "text/html,application/xhtml+xml"}
PAGES = ("/manage/users", "/manage/groups", "/manage/rules", "/manage/journal", "/manage/config")


@pytest.fixture
def world(make_world):
    return make_world({"pypi.auth": "config sql"})


def log_in(world, user="admin"):
    world.app.reset()
    world.app.post("/login", {"username": user, "password": PASSWORDS[user]}, headers=HTML, status=303)


def see(world, path, status=200):
    return world.app.get(path, headers=HTML, status=status)


def send(world, path, status=303, **fields):
    form = next(one for one in see(world, "/account/").forms.values() if one.action.endswith("/logout"))
    return world.app.post(path, {"csrf_token": form["csrf_token"].value, **fields}, headers=HTML, status=status)


@pytest.mark.parametrize("path", PAGES)
def test_they_are_for_administrators(world, path):
    assert see(world, path, 302).headers["Location"].startswith("/login?next=")
    log_in(world, "writer")
    assert "only administrators may" in see(world, path, 403)
    assert "/manage/users" not in see(world, "/")
    log_in(world)
    see(world, path)
    assert 'href="/manage/users"' in see(world, "/")


def test_users_are_added_promoted_and_removed(world):
    log_in(world)
    send(world, "/manage/users", action="add", username="dora", password="dora-pw")
    assert "<td>dora</td>" in see(world, "/manage/users")
    send(world, "/manage/users", action="promote", username="dora")
    assert world.services.access.lookup("dora").is_admin
    send(world, "/manage/users", action="demote", username="dora")
    send(world, "/manage/users", action="remove", username="dora")
    assert world.services.access.lookup("dora") is None
    for fields, status, said in (
        ({"action": "add", "username": "reader"}, 409, "already"),
        ({"action": "add", "username": "a:b"}, 400, "&#39;:&#39;"),
        ({"action": "remove", "username": "reader"}, 409, "in config"),
        ({"action": "dance"}, 400, "reload the page"),
    ):
        assert said in send(world, "/manage/users", status, **fields)


def test_who_asked_for_an_account_is_approved_or_rejected(world):
    log_in(world)
    send(world, "/manage/users", action="open")
    world.app.reset()
    for name in ("newbie", "stranger"):
        world.app.put_json(f"/api/user/{name}", {"password": "some-pw"})
    log_in(world)
    page = see(world, "/manage/users")
    assert "Approve newbie" in page
    send(world, "/manage/users", action="approve", username="newbie")
    send(world, "/manage/users", action="remove", username="stranger")
    assert "Waiting for approval" not in see(world, "/manage/users")
    assert world.services.access.lookup("newbie") is not None
    send(world, "/manage/users", action="close")
    world.app.reset()
    world.app.put_json("/api/user/third", {"password": "x"}, status=403)


def test_groups_and_members(world):
    log_in(world)
    send(world, "/manage/groups", action="add", group="crew")
    send(world, "/manage/groups", action="join", group="crew", username="reader")
    assert "crew" in world.services.access.lookup("reader").groups
    send(world, "/manage/groups", action="leave", group="crew", username="reader")
    assert "nobody" in see(world, "/manage/groups")
    send(world, "/manage/groups", action="remove", group="crew")
    assert "crew" not in see(world, "/manage/groups").text
    assert "no group crew" in send(world, "/manage/groups", 404, action="join", group="crew", username="reader")


def test_rules_are_granted_explained_and_revoked(world):
    log_in(world)
    rule = {"project": "Team_*", "kind": "user", "who": "outsider", "right": "read"}
    send(world, "/manage/rules", action="grant", **rule)
    page = see(world, "/manage/rules?user=outsider&project=team-a")
    assert "a rule for user outsider" in page
    assert "database: user outsider on team-*" in page
    send(world, "/manage/rules", action="revoke", **rule)
    assert "No project has a rule of its own." in see(world, "/manage/rules")
    assert "no user" in send(world, "/manage/rules", 404, action="grant", **{**rule, "who": "nobody"})
    send(world, "/manage/rules", 400, action="grant", **{**rule, "right": "everything"})
    assert "Log in" not in see(world, "/manage/rules?project=team-a").text.partition("<main")[2]
    see(world, "/manage/rules?user=nobody&project=x", 404)
    see(world, "/manage/rules?project=a/b", 400)


def test_the_journal_is_filtered_and_paged(world):
    log_in(world)
    for number in range(60):
        send(world, "/manage/groups", action="add", group=f"g{number:02}")
    page = see(world, "/manage/journal?action=add+group")
    assert "g59" in page
    assert "g09" not in page.text
    older = page.click("Older", verbose=False)
    assert "g09" in older
    assert "Older" not in older.text
    assert "admin by session" in page
    assert "Nothing." in see(world, "/manage/journal?author=nobody")
    assert "Nothing." in see(world, "/manage/journal?refused=1&project=%00")
    see(world, "/manage/journal?before=x", 400)


@pytest.mark.parametrize("path", PAGES[:3])
def test_T10_a_form_without_the_sessions_token_changes_nothing(world, path):
    log_in(world)
    world.app.post(
        path, {"action": "add", "username": "dora", "group": "crew", "csrf_token": "x"}, headers=HTML, status=403
    )
    assert world.services.access.lookup("dora") is None
    assert "crew" not in world.services.access.groups()


def test_T12_names_are_text(world):
    log_in(world)
    evil = "<img/src=x>"
    send(world, "/manage/users", 400, action="add", username=evil)
    world.app.get("/simple/", headers={"Authorization": "Basic PGltZz46eA=="}, status=401)
    world.services.refusals.write()
    for path in PAGES:
        assert "<img" not in see(world, path).text


def test_without_users_in_the_database_the_page_says_so(make_world):
    world = make_world()
    log_in(world)
    assert "cannot change them" in see(world, "/manage/users")
    assert "add sql to pypi.auth" in send(world, "/manage/users", 409, action="add", username="dora")
