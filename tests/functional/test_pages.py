"""The pages for people: what they show, to whom, and that each works without JavaScript."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import PASSWORDS, basic

HTML = {"Accept": "text/html,application/xhtml+xml"}


PAYLOADS = (
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "javascript:alert(1)",
    "{{ 7*7 }}",
    "'-alert(1)-'",
    "\u202egnp.exe",
    "<svg/onload=alert(1)>",
)


@pytest.fixture
def world(make_world):
    return make_world({"pypi.auth": "config sql", "package.secret-tool.group.developers": "rw"})


def see(world, path, user=None, status=200, **headers):
    sent = {**HTML, **headers}
    if user is not None:
        sent["Authorization"] = basic(user, PASSWORDS.get(user))
    return world.app.get(path, headers=sent, status=status)


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def log_in(world, user="reader", password=None, target="/", status=303):
    form = {"username": user, "password": password or PASSWORDS[user], "next": target}
    return world.app.post("/login", form, headers=HTML, status=status)


def csrf(world):
    return world.app.get("/account/", headers=HTML).forms[1]["csrf_token"].value


def test_home_says_how_this_index_is_used(world):
    home = see(world, "/", "reader")
    assert "pip install --index-url http://localhost/simple/ NAME" in home.text
    assert "twine upload --repository-url http://localhost/ dist/*" in home.text
    world.upload(build_wheel("demo", "1.0"), "admin")
    world.upload(build_wheel("secret-tool", "1.0"), "admin")
    assert 'href="/project/demo/"' in see(world, "/", "reader")
    for user, shown in (("writer", True), ("reader", False), ("outsider", False), (None, False)):
        assert ("secret-tool" in see(world, "/", user).text) is shown


def test_search_finds_names_and_summaries_best_first(make_world):
    world = make_world({"pypi.default_read": "everyone"})
    for name, summary in (
        ("acme-core", "engine"),
        ("core", "acme inside"),
        ("acme", "all of it"),
        ("other", "nothing"),
    ):
        world.upload(build_wheel(name, "1.0", summary=summary), "admin")
    found = see(world, "/search?q=Acme").text
    assert [found.index(f'/project/{name}/"') for name in ("acme", "acme-core", "core")] == sorted(
        found.index(f'/project/{name}/"') for name in ("acme", "acme-core", "core")
    )
    assert "/project/other/" not in found
    assert "3 packages for “Acme”" in found
    assert 'value="Acme"' in found
    assert "0 packages" in see(world, "/search?q=acme+nothing").text
    assert see(world, "/search").status_int == 200
    see(world, "/search?q=x&page=0", status=400)
    see(world, "/search?q=x&page=x", status=400)


def test_search_is_paged(make_world):
    world = make_world({"pypi.default_read": "everyone"})
    for number in range(23):
        world.upload(build_wheel(f"tool-{number:02}", "1.0"), "admin")
    first = see(world, "/search?q=tool")
    assert "tool-19" in first
    assert "tool-20" not in first
    assert "tool-20" in first.click("More")


def test_a_project_answers_how_to_get_it_at_the_top(world):
    world.upload(build_wheel("demo", "1.0", summary="A demonstration"), "admin")
    world.upload(build_sdist("demo", "1.1"), "admin")
    world.upload(build_wheel("demo", "2.0rc1"), "admin")
    latest = see(world, "/project/Demo", "reader", 301)
    assert latest.headers["Location"] == "/project/demo/"
    page = see(world, "/project/demo/", "reader")
    assert "<h1>demo <span" in page
    for line in (
        "pip install --index-url http://localhost/simple/ demo",
        "uv add --default-index",
        "poetry add --source private demo",
    ):
        assert line in page
    assert "pre-release" in page
    older = see(world, "/project/demo/1.0/", "reader")
    assert "demo==1.0" in older
    assert "Not the newest" in older
    assert "A demonstration" in older
    see(world, "/project/demo/9/", "reader", 404)
    see(world, "/project/demo/x/", "reader", 404)


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        ("text/markdown", "# Sums\n\nIt *adds*. [more](https://example.com/)", "<em>adds</em>"),
        ("text/x-rst", "Sums\n====\n\nIt *adds*.", "<em>adds</em>"),
        ("text/plain", "It *adds* <b>.", "It *adds* &lt;b&gt;."),
    ],
)
def test_the_readme_is_shown_by_its_markup(world, kind, text, shown):
    headers = [("Description-Content-Type", kind)]
    world.upload(build_wheel("demo", "1.0", description=text, headers=headers), "admin")
    assert shown in see(world, "/project/demo/", "reader")
    world.upload(build_wheel("bare", "1.0"), "admin")
    assert "It has no description." in see(world, "/project/bare/", "reader")


@pytest.mark.parametrize("kind", ["text/markdown", "text/x-rst", "text/plain"])
def test_T13_a_readme_brings_nothing_but_text(world, kind):
    text = "\n\n".join([*PAYLOADS, "<style>*{}</style>", "![x](https://example.com/x.png)", "[x](javascript:alert(1))"])
    world.upload(build_wheel("demo", "1.0", description=text, headers=[("Description-Content-Type", kind)]), "admin")
    for tag, attributes in Elements(see(world, "/project/demo/", "reader").text).found:
        assert tag not in {"img", "svg", "iframe", "object", "style"}
        assert tag != "script" or attributes["src"].startswith("/static/")
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        assert not (attributes.get("href") or "").lower().startswith(("javascript:", "data:"))


def test_yanks_and_status_are_said(world):
    world.upload(build_wheel("demo", "1.0"), "admin")
    world.send("PUT", "/api/package/demo/version/1.0/yank", "admin", json={"reason": "wrong sums"})
    world.send("PUT", "/api/package/demo/status", "admin", json={"status": "archived", "reason": "use other"})
    page = see(world, "/project/demo/", "reader").text
    assert "was yanked.</strong> <bdi>wrong sums</bdi>" in page
    assert "is archived.</strong> <bdi>use other</bdi>" in page
    world.send("PUT", "/api/package/demo/status", "admin", json={"status": "quarantined"})
    see(world, "/project/demo/", "reader", 404)
    assert "is quarantined" in see(world, "/project/demo/", "admin")


def test_dependencies_are_links_where_the_reader_may_follow(world):
    requires = ("other>=1", "secret-tool", "absent; extra == 'x'", "not a requirement !")
    world.upload(build_wheel("other", "1.0"), "admin")
    world.upload(build_wheel("secret-tool", "1.0"), "admin")
    world.upload(build_wheel("demo", "1.0", requires_dist=requires[:3]), "admin")
    for user, names in (("reader", {"other"}), ("writer", {"other", "secret-tool"})):
        page = see(world, "/project/demo/", user).text
        linked = {name for name in ("other", "secret-tool", "absent") if f'href="/project/{name}/"' in page}
        assert linked == names


def test_T01_what_is_hidden_leaves_no_trace(world):
    world.upload(build_wheel("secret-tool", "1.0", summary="hushed"), "admin")
    for path in ("/", "/search?q=secret", "/search?q=hushed"):
        for user in ("reader", None):
            text = see(world, path, user).text.replace("/search?q=secret", "")
            assert "secret-tool" not in text
            assert "hushed</div>" not in text
    hidden = see(world, "/project/secret-tool/", "reader", 404).text
    missing = see(world, "/project/nothing-here/", "reader", 404).text
    assert hidden.replace("secret-tool", "nothing-here") == missing
    login = see(world, "/project/secret-tool/", None, 302).headers["Location"]
    assert login == "/login?next=%2Fproject%2Fsecret-tool%2F"
    assert see(world, "/project/nothing-here/", None, 302).headers["Location"] == login.replace(
        "secret-tool", "nothing-here"
    )


@pytest.mark.parametrize("payload", PAYLOADS)
def test_T12_metadata_is_text(world, payload):
    names = ("Author", "License", "Home-page", "Classifier", "Author-email")
    headers = [(name, payload) for name in names] + [("Project-URL", f"{payload}, {payload}")]
    world.upload(build_wheel("demo", "1.0", summary=payload, headers=headers), "admin")
    for path in ("/", f"/search?q={'demo'}", "/project/demo/", "/search?q=" + quote(payload)):
        page = see(world, path, "reader")
        for tag, attributes in Elements(page.text).found:
            # the chart of downloads is the one drawing, and there are no downloads
            assert tag not in {"img", "svg", "iframe", "object"}
            assert not any(name.startswith("on") for name in attributes)
            assert not (attributes.get("href") or "").lower().startswith(("javascript:", "data:"))
            assert tag != "script" or attributes["src"].startswith("/static/")
        shown = re.sub(r"<time[^>]*>", "", page.text.partition("<main")[2].partition("<h2>Files")[0])
        assert "49" not in shown or payload != "{{ 7*7 }}"


def test_every_page_may_load_only_from_here(world):
    for path, status in (
        ("/", 200),
        ("/login", 200),
        ("/search", 200),
        ("/account/", 200),
        ("/search/nothing/at/all", 404),
    ):
        page = see(world, path, "reader", status)
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "<style" not in page
        assert " style=" not in page
        for tag, attributes in Elements(page.text).found:
            assert tag not in {"script", "link"} or (attributes.get("src") or attributes.get("href")).startswith(
                "/static/"
            )


def test_static_files_are_kept_for_ever_and_exist(world):
    page = see(world, "/")
    for tag, attributes in Elements(page.text).found:
        if tag in {"script", "link"}:
            path = attributes.get("src") or attributes["href"]
            assert "immutable" in world.app.get(path).headers["Cache-Control"]
            old = path.replace(path.split("/")[2], "0" * 12)
            assert world.app.get(old).headers["Cache-Control"] == "no-cache"
    world.app.get(f"/static/{'0' * 12}/nothing.css", status=404)


def test_login_leads_where_it_was_asked_for_and_logout_ends_it(world):
    world.upload(build_wheel("demo", "1.0"), "admin")
    see(world, "/project/demo/", None, 302)
    assert log_in(world, target="/project/demo/").headers["Location"] == "/project/demo/"
    assert "reader" in see(world, "/project/demo/")
    out = see(world, "/").forms[1].submit(headers=HTML)
    assert out.status_int == 303
    see(world, "/project/demo/", None, 302)


@pytest.mark.parametrize(
    "target",
    ["//evil.example.com", "/\\evil", "/\tevil", " //evil", "https://evil", "https:evil", "/%2f%2fevil", "", "/ x", "/\u00e9",
     "javascript:alert(1)", "/a\r\nSet-Cookie: x=1", "\\\\evil", "/.evil", "///evil"],
)  # fmt: skip
def test_T26_login_leads_nowhere_else(world, target):
    assert log_in(world, target=target).headers["Location"] == "/"
    page = see(world, "/login", None, 200).text
    assert "evil" not in page


def test_a_wrong_password_is_said_and_kept_out_of_the_page(world):
    answer = log_in(world, password="wrong-password", target="/search?q=x", status=403)
    assert "Wrong user name or password" in answer
    assert "wrong-password" not in answer
    assert 'value="/search?q=x"' in answer
    assert "Set-Cookie" not in answer.headers


def test_a_token_is_made_shown_once_and_revoked(world):
    log_in(world, "writer")
    form = {
        "csrf_token": csrf(world),
        "name": "ci",
        "permissions": ["read", "upload"],
        "projects": "team-*, demo",
        "networks": "192.0.2.0/24",
        "days": "90",
    }
    made = world.app.post("/account/token", form, headers=HTML)
    secret = made.text.partition("ppcl_")[2][:49]
    token = f"ppcl_{secret}"
    assert f"password = {token}" in made
    assert world.app.get("/api/user", headers={"Authorization": basic("__token__", token)}).json["scope"] == {
        "permissions": ["read", "upload"],
        "projects": ["team-*", "demo"],
        "index": None,
        "networks": [],
    }
    assert token not in see(world, "/account/").text
    listed = see(world, "/account/")
    revoke = next(one for one in listed.forms.values() if one.action.endswith("/revoke"))
    revoke.submit(headers=HTML)
    world.app.get("/api/user", headers={"Authorization": basic("__token__", token)}, status=401)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": " "}, "needs a name"),
        ({"permissions": []}, "at least one thing"),
        ({"permissions": ["admin"]}, "Only administrators"),
        ({"projects": "a/b"}, "no project name"),
        ({"networks": "here"}, "cannot be read"),
        ({"days": "5"}, "how long"),
    ],
)
def test_what_cannot_be_made_is_said_on_the_page(world, change, said):
    log_in(world)
    form = {"csrf_token": csrf(world), "name": "x", "permissions": ["read"], "days": "30", **change}
    assert said in world.app.post("/account/token", form, headers=HTML, status=400)


@pytest.mark.parametrize("path", ["/account/token", "/account/token/revoke", "/account/password", "/logout"])
def test_T10_a_form_without_the_sessions_token_changes_nothing(world, path):
    log_in(world)
    for wrong in ("", "x"):
        world.app.post(
            path, {"csrf_token": wrong, "name": "x", "permissions": "read", "token": "1"}, headers=HTML, status=403
        )
    see(world, "/account/")
    world.app.reset()
    world.app.post(path, {"csrf_token": "x"}, headers=HTML, status=401)


def test_T04_a_token_opens_no_account(world):
    made = world.send("POST", "/api/token", "writer", 201, {"name": "x", "permissions": ["read"]}).json
    headers = {**HTML, "Authorization": basic("__token__", made["token"])}
    world.app.get("/account/", headers=headers, status=403)
    world.app.post("/account/token", {"name": "x", "permissions": "read", "days": "30"}, headers=headers, status=403)


def test_the_password_is_changed_where_it_is_in_the_database(world):
    world.send("PUT", "/admin/user/dora", "admin", json={"password": "dora-pw"})
    log_in(world, "dora", "dora-pw")
    form = {"csrf_token": csrf(world), "old": "dora-pw", "new": "other-pw", "again": "other-pw"}
    for change, said in (({"again": "x"}, "differ"), ({"old": "x"}, "old password is wrong")):
        assert said in world.app.post("/account/password", {**form, **change}, headers=HTML, status=400)
    world.app.post("/account/password", form, headers=HTML, status=303)
    assert "dora" in see(world, "/account/")
    world.app.reset()
    log_in(world, "dora", "dora-pw", status=403)
    log_in(world, "dora", "other-pw")
    world.app.reset()
    log_in(world, "reader")
    assert "kept in config" in see(world, "/account/")


def test_errors_are_pages_for_browsers_and_short_for_programs(world):
    page = see(world, "/search/nothing/at/all", "reader", 404)
    assert "<h1>Not Found</h1>" in page
    for path in ("/search/nothing/at/all", "/%2f"):
        assert world.app.get(path, status=404).content_type == "text/plain"
    assert world.app.get("/project/nothing/", headers={"Accept": "application/json"}, status=401).json["error"]
    anonymous = see(world, "/packages/x-1.0.tar.gz", None, 401)
    assert 'href="/login"' in anonymous


def test_a_script_on_a_page_makes_no_browser_ask_for_a_password(world):
    for dest, scheme in (("empty", "Bearer"), ("document", "Basic"), (None, "Basic")):
        headers = {} if dest is None else {"Sec-Fetch-Dest": dest}
        answer = world.app.get("/api/user", headers=headers, status=401)
        assert answer.headers["WWW-Authenticate"].split()[0] == scheme


def test_below_a_prefix_every_link_is_below_it(world):
    world.upload(build_wheel("demo", "1.0"), "admin")
    environ = {"SCRIPT_NAME": "/pypi"}
    for path in ("/", "/login", "/project/demo/", "/search?q=demo"):
        headers = {**HTML, "Authorization": basic("reader")}
        page = world.app.get(path, headers=headers, extra_environ=environ)
        for _tag, attributes in Elements(page.text).found:
            for name in ("href", "src", "action"):
                if (attributes.get(name) or "#").startswith("/"):
                    assert attributes[name].startswith("/pypi/"), attributes


@pytest.mark.parametrize(("path", "most"), [("/", 3), ("/project/demo/", 5), ("/search?q=demo", 3)])
def test_pages_cost_few_queries(world, queries, path, most):
    for number in range(5):
        world.upload(build_wheel("demo", f"1.{number}", requires_dist=("other",)), "admin")
    with queries(world) as seen:
        page = see(world, path, "reader")
    assert len(seen) <= most, seen
    assert len(page.body) < 30_000
