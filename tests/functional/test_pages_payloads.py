"""T12: whatever people may write somewhere, no page has another element or attribute for it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pypicloud_lite.access.model import Scope, ScopeWord
from pypicloud_lite.access.tokens import WantedToken
from pypicloud_lite.journal.model import Author
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.hostile_texts import HARMLESS, HOSTILE, Skeleton
from pypicloud_lite.testing.world import PASSWORDS, basic
from pypicloud_lite.web.pages import asset_path

HTML = {"Accept": "text/html,application/xhtml+xml"}
WHEEL, SDIST = "demo-1.0-py3-none-any.whl", "demo-1.1.tar.gz"
PLACES = {
    "{project:[^/]+}": "demo",
    "{username:[^/]+}": "reader",
    "{version:[^/]+}": "1.0",
    "{filename:[^/]+}": WHEEL,
}
# Those that change nothing and are no page for people: a file, a document, a redirect.
SURELY_PAGES = {"/", "/search", "/upload", "/account", "/manage/users", "/manage/rules", "/manage/journal"}


def filled(make_world, text):
    """A server where ``text`` stands wherever the people of a project, or anybody at the door, can write some."""
    world = make_world({"pypi.auth": "config sql"})
    names = ("Author", "Author-email", "Maintainer", "License", "Keywords", "Home-page", "Classifier", "Platform")
    headers = [(name, text) for name in names] + [("Project-URL", f"{text}, {text}")]
    headers.append(("Description-Content-Type", "text/plain"))
    world.upload(build_wheel("demo", "1.0", summary=text, headers=headers, description=text), "admin")
    world.upload(build_sdist("demo", "1.1", summary=text, headers=headers, description=text), "admin")
    world.upload(build_wheel("other", "1.0", headers=[("Requires-Dist", "demo")]), "admin")
    world.send("PUT", f"/api/package/demo/{WHEEL}/yank", "admin", json={"reason": text})
    world.send("PUT", "/api/package/demo/status", "admin", json={"status": "archived", "reason": text})
    scope = Scope(frozenset({ScopeWord.READ}))
    world.services.tokens.create(WantedToken("admin", text, scope, lifetime=timedelta(days=1)), Author("admin"))
    world.app.get("/simple/", headers={"Authorization": basic(text, "x"), "User-Agent": "x"}, status=401)
    world.services.refusals.write()
    form = {"username": "admin", "password": PASSWORDS["admin"], "next": "/"}
    world.app.post("/login", form, headers={**HTML, "User-Agent": text.encode("ascii", "replace").decode()}, status=303)
    return world


def pages(world, patterns):
    """Address to skeleton, of every address without a placeholder left that answers with a page."""
    found = {}
    for pattern in sorted(patterns):
        path = pattern
        for placeholder, value in PLACES.items():
            path = path.replace(placeholder, value)
        if "{" in path or path.startswith("/logout"):
            continue
        answer = world.app.get(path, headers=HTML, status="*")
        if answer.status_int == 200 and answer.content_type == "text/html":
            found[path] = Skeleton(answer.text).bones
            assert asset_path("style.css") in answer or not pattern.startswith(("/project", "/manage", "/account"))
    return found


@pytest.fixture(scope="module")
def harmless(make_shared_world, routes):
    world = filled(make_shared_world, HARMLESS)
    found = pages(world, routes(world))
    assert set(found) > SURELY_PAGES
    return found


@pytest.mark.parametrize("payload", HOSTILE)
def test_T12_no_page_has_another_element_for_it(make_world, routes, harmless, payload):
    world = filled(make_world, payload)
    found = pages(world, routes(world))
    assert set(found) == set(harmless)
    for path, bones in found.items():
        assert bones == harmless[path], path
