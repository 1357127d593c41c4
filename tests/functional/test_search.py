"""Search and "Used here by": what is found, and that what is hidden leaves no trace in results, totals, pages, parts."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.catalog_values import file_record
from pypicloud_lite.testing.world import PASSWORDS, basic

HTML = {"Accept": "text/html"}


@pytest.fixture
def world(make_world):
    return make_world({"package.secret-*.group.developers": "rw"})


def fill(world, names, summary="handy", **core):
    with world.services.catalog.write(Author("test")) as writer:
        for name in names:
            record = file_record(f"{name.replace('-', '_')}-1.0.tar.gz", index=world.services.index, summary=summary)
            writer.add_file(record, core, name)


def search(world, query, user="reader", status=200):
    headers = {**HTML, "Authorization": basic(user)} if user else HTML
    return world.app.get(f"/search?{query}", headers=headers, status=status)


def names(page):
    return re.findall(r'href="/project/([a-z0-9-]+)/"', page.text)


def test_words_of_every_kind(world):
    world.upload(build_wheel("demo-tool", "1.0", summary="Übersicht of things"), "admin")
    world.upload(build_wheel("other", "1.0"), "admin")
    for text in ("demo", "TOOL", "tool demo", "demo_tool", "übers", "thing demo", "emo-to", "d"):
        assert names(search(world, f"q={quote(text)}")) == ["demo-tool"], text
    assert names(search(world, "q=demo+nothing")) == []


def test_what_changes_while_somebody_types(world):
    fill(world, ["demo"])
    whole, part = search(world, "q=handy"), search(world, "q=handy&part=results")
    assert part.text.strip() in whole.text
    assert "<html" not in part.text
    assert "1 package for “handy”" in part.text
    assert part.headers["Cache-Control"] == "no-store"
    assert part.headers["Content-Security-Policy"] == whole.headers["Content-Security-Policy"]
    assert search(world, "q=<script>&part=results").text.count("<script") == 0
    search(world, "q=x&part=results&page=501", status=400)
    world.app.get("/search?q=x&part=results", headers={**HTML, "Authorization": basic("reader", "wrong")}, status=401)


@pytest.mark.parametrize("hidden", [0, 3, 400])
def test_T01_what_is_hidden_is_in_no_result_total_page_or_part(world, hidden):
    """However many there are: a search then goes another way."""
    fill(world, [f"tool-{number:02}" for number in range(45)])
    fill(world, [f"secret-{number:03}" for number in range(hidden)])
    fill(world, [f"tool-secret-{number}" for number in range(2)], summary=None)
    for part in ("", "&part=results"):
        pages = [search(world, f"q=handy{part}&page={number}") for number in (1, 2, 3, 4)]
        assert [len(names(page)) for page in pages] == [20, 20, 5, 0]
        assert ['rel="next"' in page.text for page in pages] == [True, True, False, False]
        assert all("45 packages for “handy”" in page.text for page in pages)
        assert not any("secret" in page.text for page in pages)
        # Names that have a word within are looked for where few begin with it: of those that may be read.
        assert names(search(world, f"q=cret{part}")) == ["tool-secret-0", "tool-secret-1"]
        assert names(search(world, f"q=secret{part}")) == ["tool-secret-0", "tool-secret-1"]
        assert names(search(world, f"q=secret-00{part}")) == names(search(world, f"q=handy{part}", None)) == []
    assert f"{45 + hidden} packages" in search(world, "q=handy", "admin").text
    assert f"{45 + hidden} packages" in search(world, "q=handy", "writer").text


def test_T01_hidden_names_keep_nobody_from_what_has_a_word_within(world):
    fill(world, [f"secret-{number:03}" for number in range(30)])
    fill(world, ["a-xsecret"])
    assert names(search(world, "q=secret")) == ["a-xsecret"]
    fill(world, ["a-xother", "other"])
    assert names(search(world, "q=other")) == ["other", "a-xother"]


def test_many_are_counted_to_a_thousand_for_those_who_may_not_read_all(world):
    fill(world, [f"tool-{number:04}" for number in range(1030)])
    for hidden in (0, 50):
        fill(world, [f"secret-{number:03}" for number in range(hidden)])
        first, last = search(world, "q=handy"), search(world, "q=handy&page=52")
        assert "More than 1,000 packages" in first.text
        assert len(names(first)) == 20
        assert names(last) == [f"tool-{number:04}" for number in range(1020, 1030)]
        assert "1,030 packages" in last.text
        assert 'rel="next"' not in last.text
    assert "1,080 packages" in search(world, "q=handy", "admin").text


@pytest.mark.parametrize(("user", "projects", "most"), [("admin", 30, 2), ("admin", 300, 2), ("reader", 30, 2)])
def test_a_search_costs_few_queries(world, queries, user, projects, most):
    fill(world, [f"tool-{number:03}" for number in range(projects)])
    search(world, "q=handy", user)
    with queries(world) as seen:
        search(world, "q=handy", user)
    assert len(seen) <= most, seen


def test_a_large_search_of_one_who_may_not_read_all_costs_the_same_whatever_the_size(world, queries):
    counts = []
    for begin, end in ((0, 300), (300, 2500)):
        fill(world, [f"tool-{number:04}" for number in range(begin, end)])
        with queries(world) as seen:
            search(world, "q=handy")
        counts.append(len(seen))
    assert counts[0] == counts[1]
    assert counts[0] <= 6


def test_a_quarantined_project_is_not_found(world):
    fill(world, ["demo"])
    with world.services.catalog.write(Author("test")) as writer:
        writer.set_status(world.services.index, ProjectName("demo"), ProjectStatus.QUARANTINED, "x")
    assert names(search(world, "q=demo", "admin")) == []


def used_by(world, name, user):
    world.app.reset()
    page = world.app.get(f"/project/{name}/", headers={**HTML, "Authorization": basic(user)}).text
    _before, found, section = page.partition('id="dependants"')
    if not found:
        return None
    section = section.partition("<h2")[0]
    return re.search(r"(?:More than )?[\d,]+ packages?", section)[0], re.findall(r'href="/project/([^/]+)/"', section)


def test_T01_those_who_require_a_project_as_far_as_they_may_be_read(world):
    fill(world, ["base", "lonely"])
    fill(world, ["user-a", "secret-b"], requires_dist=["base>=1"])
    fill(world, ["secret-c"], requires_dist=["lonely"])
    assert used_by(world, "base", "reader") == ("1 package", ["user-a"])
    assert used_by(world, "base", "writer") == ("2 packages", ["secret-b", "user-a"])
    assert used_by(world, "lonely", "reader") is None
    assert used_by(world, "lonely", "admin") == ("1 package", ["secret-c"])


def test_twenty_are_shown_of_many(world, queries):
    fill(world, ["base"])
    fill(world, [f"user-{number:04}" for number in range(1100)], requires_dist=["base"])
    fill(world, [f"secret-{number:04}" for number in range(1100)], requires_dist=["base"])
    for user, first in (("reader", "user"), ("admin", "secret")):
        total, shown = used_by(world, "base", user)
        assert (total, shown) == ("More than 1,000 packages", [f"{first}-{number:04}" for number in range(20)])


def test_a_page_with_those_who_require_it_costs_what_it_did(make_world, queries):
    world = make_world({"pypi.auth": "config sql"})
    fill(world, ["base"], requires_dist=["user-1", "elsewhere"])
    fill(world, [f"user-{number}" for number in range(300)], requires_dist=["base"])
    world.app.post("/login", {"username": "reader", "password": PASSWORDS["reader"]}, status=303)
    world.app.get("/project/base/", headers=HTML)
    with queries(world) as seen:
        page = world.app.get("/project/base/", headers=HTML)
    assert "300 packages, of which the first 20 are shown" in page
    # Room for one more: what a page costs is asserted in test_page_costs.
    assert len(seen) <= 6, seen


def test_projects_from_before_the_search_are_made_findable(world, tmp_path):
    """As after a migration: step by step, and again from where it stopped."""
    from pypicloud_lite.catalog.search_tables import project_search, requirements, search_terms
    from pypicloud_lite.catalog.tables import catalog_state
    from pypicloud_lite.ops.search_filling import SearchFilling

    fill(world, [f"tool-{number:03}" for number in range(120)], requires_dist=["base"])
    with world.services.database.write() as connection:
        for table in (project_search, search_terms, requirements):
            connection.execute(table.delete())
        connection.execute(catalog_state.update().values(search_after=0))
    assert names(search(world, "q=handy", "admin")) == []
    filling, waits = SearchFilling(world.services.catalog), []

    def stop_after_one(_seconds):
        waits.append(1)
        return len(waits) > 1

    filling.run(stop_after_one)
    assert not filling.is_done
    assert "50 packages" in search(world, "q=handy", "admin").text
    # A change meanwhile makes its project whole by itself.
    fill(world, ["zebra"])
    SearchFilling(world.services.catalog).run(lambda _seconds: False)
    assert "121 packages" in search(world, "q=handy", "admin").text
    again = SearchFilling(world.services.catalog)
    again.run(lambda _seconds: pytest.fail("there is nothing to do"))
    assert again.is_done


def test_T01_a_token_finds_what_it_is_for(make_world):
    """However much its user may read, by a role too: nothing else is found or counted."""
    world = make_world({"pypi.auth": "config sql", "auth.readers": "reader"})
    fill(world, ["tool-a", "tool-b", "secret-c"])
    fill(world, ["base"])
    body = {"name": "x", "permissions": ["read"], "projects": ["tool-a"]}
    token = world.send("POST", "/api/token", "reader", 201, body).json["token"]
    headers = {**HTML, "Authorization": basic("__token__", token)}
    page = world.app.get("/search?q=handy", headers=headers)
    assert (names(page), "1 package for" in page.text) == (["tool-a"], True)
    assert "4 packages" in search(world, "q=handy").text
