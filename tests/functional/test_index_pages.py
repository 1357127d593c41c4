"""Named indexes in pages: who sees what, what is hidden by what, and what forms change."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.indexes.options import OPTIONS
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel, zip_bytes
from pypicloud_lite.testing.world import PASSWORDS

HTML = {"Accept": "text/html,application/xhtml+xml"}
DEV, BASE = "writer/dev", "writer/base"


@pytest.fixture
def world(make_world):
    return make_world()


@pytest.fixture
def chain(world):
    """``writer/dev`` on ``writer/base`` on ``root/main``, with files of one name in each."""
    make(world, BASE, title="What <b>all</b> build on")
    make(world, DEV, bases=f"{BASE},root/main", description="First line\n<script>")
    world.upload(build_wheel("demo", "1.0", summary="as dev has it"), path=f"/{DEV}/")
    world.upload(build_wheel("demo", "1.0", summary="as base has it"), path=f"/{BASE}/")
    world.upload(build_sdist("demo", "1.0"), path=f"/{BASE}/")
    world.upload(build_wheel("demo", "1.1"))
    world.upload(build_wheel("tool", "2.0"))
    return world


def make(world, name, user="writer", **options):
    return world.send("PUT", f"/{name}", user, 200, options, Accept="application/json")


def log_in(world, user="writer"):
    world.app.reset()
    password = PASSWORDS.get(user, f"{user}-pw")
    world.app.post("/login", {"username": user, "password": password}, headers=HTML, status=303)


def see(world, path, status=200):
    return world.app.get(path, headers=HTML, status=status)


def token(world):
    form = next(one for one in see(world, "/account/").forms.values() if one.action.endswith("/logout"))
    return form["csrf_token"].value


def send(world, path, answered=303, **fields):
    sent = {"csrf_token": token(world), **fields}
    return world.app.post(path, sent, headers=HTML, status=answered)


def text(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page.text.partition("<main")[2]).split())


def listed(page):
    return re.findall(r'<a class="name" href="([^"]+)"', page.text)


def test_the_list_has_what_the_caller_may_see(chain):
    world = chain
    make(world, "reader/secret", "reader", acl_read="reader", acl_upload="reader", title="hidden title")
    log_in(world)
    page = see(world, "/indexes")
    assert listed(page) == ["/root/main/", "/writer/base/", "/writer/dev/"]
    assert "hidden title" not in page.text
    assert "reader/secret" not in page.text
    assert "What &lt;b&gt;all&lt;/b&gt; build on" in page.text
    assert "writer/dev stage volatile 1 project of its own" in text(page)
    assert "root/main stage default 2 projects" in text(page)
    see(world, "/reader/secret/", 404)
    log_in(world, "reader")
    assert "/reader/secret/" in listed(see(world, "/indexes"))
    assert "Who may" in see(world, "/reader/secret/")


def test_nobody_in_particular(chain):
    world = chain
    page = see(world, "/indexes")
    assert listed(page) == []
    assert "Nothing to see without a login" in page
    assert 'href="/indexes"' not in see(world, "/").text
    for path in (f"/{DEV}/", f"/project/demo/?index={DEV}", f"/indexes/remove?index={DEV}"):
        assert see(world, path, 302).headers["Location"].startswith("/login?next=")
        assert see(world, path.replace(DEV, "no/such"), 302).headers["Location"].startswith("/login?next=")
    for index in (DEV, "no/such"):
        moved = see(world, f"/{index}/demo", 302).headers["Location"]
        assert moved == f"../../project/demo/?index={index}"
        assert see(world, f"/project/demo/?index={index}", 302).headers["Location"].startswith("/login?next=")
    make(world, "writer/open", acl_read=":ANONYMOUS:")
    assert listed(see(world, "/indexes")) == ["/writer/open/"]
    assert 'href="/indexes"' in see(world, "/").text
    assert "Make an index" not in see(world, "/indexes").text


def test_a_count_tells_nothing_of_what_is_hidden(make_world):
    world = make_world({"package.private.user.admin": "r"})
    make(world, DEV)
    for name in ("private", "public"):
        world.upload(build_wheel(name, "1.0"), "admin")
    log_in(world, "reader")
    assert "root/main stage default 1 project" in text(see(world, "/indexes"))
    assert "private" not in see(world, "/root/main/").text
    assert "private" not in see(world, "/root/main/?q=priv").text.replace('value="priv"', "").partition("<main")[2]


def test_an_installer_still_gets_links_where_a_browser_gets_the_page(chain):
    page = chain.get(f"/{DEV}/", "reader", 200, Accept="text/html", User_Agent="pip/25.0")
    assert 'href="demo/"' in page
    assert "<main" not in page.text
    assert see_as(chain, f"/{DEV}", 301).headers["Location"] == f"/{DEV}/"


def see_as(world, path, status=200, user="reader"):
    return world.get(path, user, status, **HTML)


def test_an_index_page(chain):
    world = chain
    log_in(world)
    page = see(world, f"/{DEV}/")
    assert "First line\n&lt;script&gt;" in page.text
    for line in (
        "pip install --index-url http://localhost/writer/dev/+simple/ NAME",
        "twine upload --repository-url http://localhost/writer/dev/ dist/*",
        "devpi use http://localhost/writer/dev",
    ):
        assert line in page.text
    told = text(page)
    for words in ("Upload writer", "Add test results everybody", "Change the index writer, and administrators"):
        assert words in told
    tree = page.text.partition('class="tree"')[2].partition("<form")[0]
    assert re.findall(r'href="/(\w+/\w+)/"', tree) == [BASE, "root/main"]
    assert re.findall(r"number </span>(\d)", tree) == ["1", "2", "3"]
    assert listed(page) == [f"/project/{one}/?index={DEV}" for one in ("demo", "tool")]
    assert "tool from root/main" in told
    assert "demo from" not in told
    assert listed(see(world, f"/{DEV}/?q=TO")) == [f"/project/tool/?index={DEV}"]
    assert "No project has" in see(world, f"/{DEV}/?q=%00%25")
    assert "Is a base of writer/dev" in text(see(world, f"/{BASE}/"))


def test_projects_are_paged_and_the_query_count_does_not_grow_with_bases(world, queries):
    for number in range(12):
        make(world, f"writer/b{number}")
    make(world, DEV, bases="writer/b0")
    for number in range(55):
        world.upload(build_wheel(f"many-{number:02}", "1.0"), path=f"/writer/b{number % 12}/")
    log_in(world)

    def costs():
        see(world, f"/{DEV}/")
        with queries(world) as statements:
            see(world, f"/{DEV}/")
            see(world, "/indexes")
        return len(statements)

    few = costs()
    change = {"index": DEV, "bases": "\n".join(f"writer/b{number}" for number in range(12)), "volatile": "true"}
    send(world, "/indexes/change", **change)
    assert costs() == few <= 12
    first = see(world, f"/{DEV}/")
    assert len(listed(first)) == 50
    rest = see(world, re.findall(r'href="([^"]+)">More<', first.text)[0].replace("&amp;", "&"))
    assert listed(rest)[-1] == f"/project/many-54/?index={DEV}"
    assert len(listed(rest)) == 5


def test_a_base_that_is_hidden_from_the_caller_is_not_named(world):
    make(world, "writer/secret", acl_read="writer", title="hidden title")
    make(world, DEV, bases="writer/secret", acl_read=":AUTHENTICATED:")
    world.upload(build_wheel("demo", "1.0"), path="/writer/secret/")
    log_in(world, "reader")
    for path in (f"/{DEV}/", "/indexes"):
        page = see(world, path)
        assert "an index that is not shown to you" in page
        assert "secret" not in page.text
        assert "hidden title" not in page.text
        assert "demo" not in page.text
    see(world, f"/project/demo/?index={DEV}", 404)


def test_making_an_index(world):
    log_in(world)
    form = next(one for one in see(world, "/indexes").forms.values() if one.action.endswith("/indexes"))
    assert "mirror_url" not in form.fields
    form["name"], form["bases"], form["title"] = "dev", "root/main\r\n", "Mine"
    made = form.submit(headers=HTML, status=303)
    assert made.headers["Location"] == f"/{DEV}/"
    assert "Mine" in made.follow(headers=HTML)
    refused = form.submit(headers=HTML, status=409)
    assert "There is an index writer/dev already" in text(refused)
    assert 'value="Mine"' in refused.text
    for fields, status, words in (
        ({"name": "Dev!"}, 400, "cannot be part of an index name"),
        ({"name": "new", "bases": "no/such"}, 400, "there is no index no/such"),
        ({"name": "new", "owner": "reader"}, 403, "may not change index reader/new"),
        ({"name": "new", "type": "mirror", "mirror_url": "https://index.example.com/"}, 403, "Only administrators"),
        ({"name": "new", "type": "tree"}, 400, "type is stage or mirror"),
    ):
        answer = send(world, "/indexes", status, **{"owner": "writer", "type": "stage", **fields})
        assert words in text(answer)
    world.app.post("/indexes", {"owner": "writer", "name": "x", "type": "stage"}, headers=HTML, status=403)
    world.app.reset()
    world.app.post("/indexes", {"owner": "writer", "name": "x", "type": "stage"}, headers=HTML, status=(302, 303, 401))
    assert world.get("/writer/x", "writer", 404, Accept="application/json")


def test_who_has_a_name_that_can_own_no_index_is_told(make_world):
    world = make_world({"user.Big_Boss": hash_password("Big_Boss-pw", "pbkdf2_sha256", 1000)})
    log_in(world, "Big_Boss")
    page = see(world, "/indexes")
    assert "cannot own an index" in page
    assert "Make an index" not in page.text


def test_settings_change_what_was_changed_alone(chain):
    world = chain
    log_in(world)
    form = next(one for one in see(world, f"/{DEV}/").forms.values() if one.action.endswith("/indexes/change"))
    before = world.get(f"/{DEV}", "writer", 200, Accept="application/json").json["result"]
    form.submit(headers=HTML, status=303)
    assert world.get(f"/{DEV}", "writer", 200, Accept="application/json").json["result"] == before
    form["acl_upload"], form["acl_read"] = "writer\r\n:staff\r\n", "reader"
    form["mirror_whitelist"], form["title"] = "Foo_Bar", "Ours"
    form.submit(headers=HTML, status=303)
    after = world.get(f"/{DEV}", "writer", 200, Accept="application/json").json["result"]
    assert after["acl_upload"] == ["writer", ":staff"]
    assert after["acl_read"] == ["reader"]
    assert after["mirror_whitelist"] == ["foo-bar"]
    assert "acl_toxresult_upload" not in {key for key in after if after[key] != before.get(key)}
    assert "Upload writer, group staff" in text(see(world, f"/{DEV}/"))
    form["bases"], form["title"] = DEV, "kept while it is wrong"
    refused = form.submit(headers=HTML, status=400)
    assert "cannot stand on itself" in text(refused)
    assert "kept while it is wrong" in refused.text
    form["bases"], form["acl_read"], form["title"] = BASE, "", ""
    form.submit(headers=HTML, status=303)
    last = world.get(f"/{DEV}", "writer", 200, Accept="application/json").json["result"]
    assert "acl_read" not in last
    assert "title" not in last


def test_settings_are_for_who_may_configure(chain):
    world = chain
    log_in(world, "reader")
    assert "Settings" not in text(see(world, f"/{DEV}/"))
    send(world, "/indexes/change", 403, index=DEV, title="taken over")
    send(world, "/indexes/remove", 403, index=DEV, name=DEV)
    see(world, f"/indexes/remove?index={DEV}", 404)
    send(world, "/indexes/change", 404, index="no/such", title="x")
    log_in(world, "admin")
    assert "Settings" in text(see(world, f"/{DEV}/"))


def test_removal_asks_for_the_name_and_tells_what_stands_on_it(chain):
    world = chain
    log_in(world)
    page = see(world, f"/indexes/remove?index={BASE}")
    assert "It is a base of writer/dev" in text(page)
    form = next(one for one in page.forms.values() if one.action.endswith("/indexes/remove"))
    form["name"] = "base"
    assert "Nothing was changed" in text(form.submit(headers=HTML, status=400))
    form["name"] = BASE
    assert form.submit(headers=HTML, status=303).headers["Location"] == "/indexes"
    see(world, f"/{BASE}/", 404)
    send(world, "/indexes/change", index=DEV, bases="root/main", volatile="false")
    page = see(world, f"/{DEV}/")
    assert "not volatile cannot be removed" in text(page)
    see(world, f"/indexes/remove?index={DEV}", 404)
    assert "not volatile" in text(send(world, "/indexes/remove", 403, index=DEV, name=DEV))


def test_an_index_of_the_configuration_has_no_form(make_world):
    world = make_world({"index.acme/stable.title": "Fixed", "index.acme/stable.bases": "root/main"})
    log_in(world, "admin")
    page = see(world, "/acme/stable/")
    assert "defined in the configuration" in page
    assert "/indexes/change" not in page.text
    assert "Fixed" in see(world, "/indexes")


def test_a_project_as_an_index_shows_it(chain):
    world = chain
    log_in(world, "reader")
    page = see(world, f"/project/demo/1.0/?index={DEV}")
    told = text(page)
    assert "as dev has it" in told
    assert "demo-1.0-py3-none-any.whl of writer/base, hidden by the one of writer/dev other content" in told
    assert "Not the newest: 1.1 is" in told
    rows = re.findall(r"<tr>.*?</tr>", page.text.partition("<tbody>")[2], re.DOTALL)
    assert ["writer/dev" in rows[0], "writer/base" in rows[1]] == [True, True]
    assert f"--index-url http://localhost/{DEV}/+simple/ demo==1.0" in page
    address = re.findall(r'href="(/packages/writer/dev/[^"]+whl)"', page.text)[0]
    assert world.get(address, "reader", 200).body
    assert "Yank" not in told
    assert "Promote" not in told
    newest = see(world, f"/project/demo/?index={DEV}")
    assert "demo 1.1" in text(newest)
    assert "root/main" in text(newest).partition("From")[2]
    assert see(world, f"/project/Demo/1.0?index={DEV}", 301).headers["Location"] == f"/project/demo/1.0/?index={DEV}"
    for path in (f"/project/demo/9/?index={DEV}", "/project/demo/?index=no/such", "/project/demo/?index=x"):
        see(world, path, 404)
    assert see(world, "/project/demo/1.1/?index=root/main", 302).headers["Location"] == "/project/demo/1.1/"


def test_the_switch_offers_the_indexes_that_have_the_project_for_the_caller(chain, queries):
    world = chain
    make(world, "writer/secret", acl_read="writer", bases="root/main")
    world.upload(build_wheel("demo", "1.0"), path="/writer/secret/")
    make(world, "writer/empty")

    def offered(path):
        return re.findall(r"<option(?: selected)?>([^<]+)", see(world, path).text.partition('name="index"')[2])

    log_in(world, "reader")
    assert offered("/project/demo/") == ["root/main", BASE, DEV]
    assert offered(f"/project/demo/?index={DEV}") == ["root/main", BASE, DEV]
    assert offered("/project/tool/") == ["root/main", DEV]
    log_in(world, "writer")
    assert "writer/secret" in offered("/project/tool/")
    with queries(world) as statements:
        see(world, f"/project/demo/?index={DEV}")
    assert len(statements) <= 10, statements


def test_the_default_indexs_page_stays_as_it_is_where_there_is_no_other(world):
    world.upload(build_wheel("demo", "1.0"))
    log_in(world, "reader")
    assert 'name="index"' not in see(world, "/project/demo/").text


def test_a_private_name_that_hides_mirrors_is_told_with_what_to_do(make_mirror, upstream_index):
    world = make_mirror()
    for name in ("labpkg", "public"):
        wheel = build_wheel(name, "9.0")
        upstream_index.add(name, wheel.filename, wheel.data)
    make(world, DEV, bases="root/pypi")
    world.upload(build_wheel("labpkg", "1.0"), path=f"/{DEV}/")
    log_in(world)
    page = see(world, f"/project/labpkg/?index={DEV}")
    assert "The name is private here" in text(page)
    assert "mirror_whitelist" in page
    assert "9.0" not in text(page)
    public = see(world, f"/project/public/?index={DEV}")
    assert "root/pypi" in text(public)
    assert "private here" not in public.text
    assert public.headers["X-Robots-Tag"]
    missing = see(world, f"/{DEV}/?q=public")
    assert f'href="/project/public/?index={DEV}"' in missing
    send(world, "/indexes/change", index=DEV, mirror_whitelist="labpkg", bases="root/pypi")
    both = see(world, f"/project/labpkg/?index={DEV}")
    assert "labpkg 9.0" in text(both)
    assert "private here" not in both.text
    mirror = text(see(world, "/root/pypi/"))
    assert "nobody: it shows what an upstream has" in mirror


def test_the_address_of_a_mirror_is_shown_without_its_password(world):
    make(world, "root/other", "admin", type="mirror", mirror_url="https://me:s3cret@index.example.com/simple/")
    log_in(world, "admin")
    page = see(world, "/root/other/")
    assert "https://index.example.com/simple/" in page
    assert "s3cret" not in page.text
    form = next(one for one in page.forms.values() if one.action.endswith("/indexes/change"))
    form["title"] = "Elsewhere"
    form.submit(headers=HTML, status=303)
    made = next(one for one in world.services.registry.now() if str(one.name) == "root/other")
    assert made.options["mirror_url"] == "https://me:s3cret@index.example.com/simple/"


def test_a_release_is_yanked_un_yanked_and_deleted(chain):
    world = chain
    log_in(world)
    page = see(world, f"/project/demo/1.0/?index={DEV}")
    form = page.click("Yank it").forms
    form = next(one for one in form.values() if one.action.endswith("/indexes/release"))
    form["reason"] = "<b>wrong"
    form.submit(headers=HTML, status=303)
    page = see(world, f"/project/demo/1.0/?index={DEV}")
    assert "yanked" in text(page)
    assert "Un-yank" in text(page)
    chosen = {"index": DEV, "project": "demo", "version": "1.0"}
    send(world, "/indexes/release", action="restore", **chosen)
    assert "Un-yank" not in text(see(world, f"/project/demo/1.0/?index={DEV}"))
    send(world, "/indexes/release", 400, action="burn", **chosen)
    send(world, "/indexes/release", 400, action="delete", index=DEV, project="demo", version="")
    log_in(world, "reader")
    assert "may not delete" in text(send(world, "/indexes/release", 403, action="delete", **chosen))
    see(world, f"/indexes/release?action=delete&index={DEV}&project=demo&version=1.0", 404)
    log_in(world)
    send(world, "/indexes/release", action="delete", **chosen)
    after = text(see(world, f"/project/demo/1.0/?index={DEV}"))
    assert "hidden by" not in after
    assert "Delete it" not in after
    assert "as base has it" in after


@pytest.fixture
def promoting(chain):
    """A release that may go from one index to another, and one that may not."""
    log_in(chain)
    return chain


def promote_form(world, path):
    found = [one for one in see(world, path).forms.values() if one.action.endswith("/indexes/promote")]
    return next(one for one in found if one["source"].value == DEV)


def test_a_release_is_promoted(promoting):
    world = promoting
    make(world, "writer/stable")
    form = promote_form(world, f"/project/demo/1.0/?index={DEV}")
    assert DEV not in [value for value, _, _ in form["target"].options]
    form["target"] = "writer/stable"
    done = form.submit(headers=HTML, status=200)
    assert "Copied to writer/stable" in text(done)
    assert "demo-1.0-py3-none-any.whl copied" in text(done)
    assert "as dev has it" in see(world, "/project/demo/1.0/?index=writer/stable")
    assert "was there already" in text(form.submit(headers=HTML, status=200))
    form["move"] = True
    assert "Moved to writer/stable" in text(form.submit(headers=HTML, status=200))
    assert "as base has it" in see(world, f"/project/demo/1.0/?index={DEV}")


def test_a_promotion_that_is_refused_tells_which_file_and_why(promoting):
    world = promoting
    make(world, "writer/stable", volatile="False")
    world.upload(build_wheel("demo", "1.0", summary="another"), path="/writer/stable/")
    form = promote_form(world, f"/project/demo/1.0/?index={DEV}")
    form["target"] = "writer/stable"
    refused = form.submit(headers=HTML, status=409)
    assert "Nothing was promoted" in text(refused)
    assert "demo-1.0-py3-none-any.whl is here with other content" in text(refused)
    log_in(world, "reader")
    sent = {"index": DEV, "source": DEV, "target": "writer/stable", "project": "demo", "version": "1.0"}
    send(world, "/indexes/promote", 403, file="demo-1.0-py3-none-any.whl", **sent)
    send(world, "/indexes/promote", 400, **sent)
    send(world, "/indexes/promote", 404, file="demo-1.0-py3-none-any.whl", **{**sent, "source": "x"})


def test_documentation_that_stands_in_the_way_is_left_behind(promoting):
    world = promoting
    make(world, "writer/stable", volatile="False")
    services, project = world.services, ProjectName("demo")
    writer = services.authenticator.identify("writer", "writer-pw")
    for index in (DEV, "writer/stable"):
        with services.storage.spool() as spool:
            spool.write(zip_bytes({"index.html": index.encode()}))
            services.attachments.add_docs(IndexName.parse(index), project, "1.0", spool, writer, Author("writer"))
    form = promote_form(world, f"/project/demo/1.0/?index={DEV}")
    form["target"] = "writer/stable"
    assert "leave it behind" in text(form.submit(headers=HTML, status=409))
    form["no_docs"] = True
    assert "Copied to writer/stable" in text(form.submit(headers=HTML, status=200))


@pytest.mark.parametrize("word", ["indexes"])
def test_the_word_of_the_pages_is_no_owner(world, word):
    world.send("PUT", f"/{word}/dev", "admin", 404, {}, Accept="application/json")


def test_pages_below_a_path_prefix_lead_below_it(chain):
    world = chain
    log_in(world)
    environ = {"SCRIPT_NAME": "/pkgs"}
    for path in ("/indexes", f"/{DEV}/", f"/project/demo/1.0/?index={DEV}", f"/indexes/remove?index={DEV}"):
        page = world.app.get(f"/pkgs{path}", headers=HTML, extra_environ=environ, status=200)
        outside = [
            one for one in re.findall(r'(?:href|action|src)="(/[^"]*)"', page.text) if not one.startswith("/pkgs/")
        ]
        assert outside == []
    assert "http://localhost/pkgs/writer/dev/+simple/" in world.app.get(
        f"/pkgs/{DEV}/", headers=HTML, extra_environ=environ
    )


def test_every_option_is_in_the_documentation():
    docs = Path(__file__).parents[2] / "docs"
    told = "".join((docs / name).read_text("utf-8") for name in ("indexes.rst", "mirror.rst"))
    assert [name for name in OPTIONS if f"``{name}``" not in told] == []
