"""A project with 5,000 versions in a named index costs no more questions than one with two, and all of it is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pypicloud_lite.catalog.model import FileRecord, ProjectRecord
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.digests import digests_of
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName, StorageKey
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.world import JSON, World

DEV, BASES = IndexName("writer", "dev"), (IndexName("writer", "base1"), IndexName("writer", "base2"))
GROWS = IndexName("writer", "grows")
MANY, FEW = 5000, 2
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
# What narrows a question about files to one of them, or to those of one release.
NARROWED = re.compile(r"WHERE .*files\.(filename|version|id) = ")


def version(number: int) -> str:
    return f"{number // 100}.{number % 100}.1"


def fill(world: World, index: IndexName, name: str, numbers: range) -> None:
    """Rows without bytes, all in one scope."""
    project, records = ProjectName(name), []
    for number in numbers:
        filename = Filename.parse(f"{name}-{version(number)}-py3-none-any.whl")
        digests = digests_of(f"{index}{filename}".encode())
        key = StorageKey(f"{index}/{name}/{digests.sha256[:8]}-0123456789abcdef/{filename}")
        records.append(FileRecord(index, project, filename, 1000, digests, key, key, WHEN))
    with world.services.catalog.write(Author("tester")) as catalog:
        catalog.restore_project(ProjectRecord(index, project, name, 0, 0), [(one, {}) for one in records], ())


@pytest.fixture(scope="module")
def world(make_shared_world: Callable[..., World]) -> World:
    made = make_shared_world()
    for index in BASES:
        made.send("PUT", f"/{index}", json={})
    made.send("PUT", f"/{DEV}", json={"bases": [str(one) for one in BASES]})
    made.send("PUT", f"/{GROWS}", json={"bases": [str(one) for one in BASES]})
    for name, count in (("many", MANY), ("few", FEW)):
        fill(made, DEV, name, range(count))
        fill(made, GROWS, name, range(count))
        # Of the last version both have a file of the same name, and each base has a version of its own.
        fill(made, BASES[0], name, range(count - 1, count + 1))
        fill(made, BASES[1], name, range(count + 1, count + 2))
    # Which indexes there are is read once for a process.
    made.get(f"/{DEV}/+simple/nothing/", "writer", 404)
    return made


@pytest.fixture
def counted(world: World, queries: Callable[..., Any]) -> Callable[..., tuple[list[str], Any]]:
    """``counted(call)``: the statements meanwhile but those that begin and end a scope, and what was answered."""

    def call(ask: Callable[[], Any]) -> tuple[list[str], Any]:
        with queries(world) as seen:
            answer = ask()
        return [one for one in seen if not one.startswith(("BEGIN", "COMMIT"))], answer

    return call


def test_the_devpi_client_is_told_all_versions_by_as_many_queries(world: World, counted: Callable[..., Any]) -> None:
    counts = {}
    for name, count in (("many", MANY), ("few", FEW)):
        seen, answer = counted(lambda name=name: world.get(f"/{DEV}/{name}", "writer", 200, Accept="application/json"))
        counts[name] = len(seen)
        told = answer.json["result"]
        assert list(told) == [version(number) for number in reversed(range(count + 2))]
        where = {one: links["+links"][0]["href"].split("/")[4] for one, links in told.items()}
        assert where.pop(version(count)) == "base1"
        assert where.pop(version(count + 1)) == "base2"
        assert set(where.values()) == {"dev"}
        assert {len(links["+links"]) for links in told.values()} == {1}
        assert [one for one, links in told.items() if "+shadowing" in links] == [version(count - 1)]
        own, answer = counted(
            lambda name=name: world.get(f"/{DEV}/{name}/?ignore_bases=", "writer", 200, Accept="application/json")
        )
        assert len(answer.json["result"]) == count
        assert len(own) == len(seen)
    assert counts == {"many": 3, "few": 3}


@pytest.mark.parametrize("accept", [JSON, "text/html"])
def test_its_page_costs_as_many_queries(world: World, counted: Callable[..., Any], accept: str) -> None:
    counts = {}
    for name, count in (("many", MANY), ("few", FEW)):

        def ask(status: int = 200, name: str = name, **headers: str) -> Any:
            return world.get(f"/{DEV}/+simple/{name}/", "writer", status, Accept=accept, **headers)

        cold, page = counted(ask)
        warm, again = counted(ask)
        unchanged, _ = counted(lambda ask=ask, page=page: ask(304, If_None_Match=page.headers["ETag"]))
        assert again.body == page.body
        listed = re.findall(rf"{name}-([\d.]+)-py3-none-any\.whl", page.text)
        assert set(listed) == {version(number) for number in range(count + 2)}
        assert page.text.count("/packages/writer/base") == 2
        counts[name] = len(cold), len(warm), len(unchanged)
    assert counts == {"many": (2, 1, 1), "few": (2, 1, 1)}


@pytest.mark.parametrize(
    ("strict", "artifact", "lists"), [(False, build_wheel, 0), (True, build_wheel, 0), (True, build_sdist, 2)]
)
def test_an_upload_of_one_more_reads_no_list_of_files(
    world: World, counted: Callable[..., Any], strict: bool, artifact: Callable[..., Any], lists: int
) -> None:
    """Only where a rule is about the others of a release: an index that is strict has one sdist of each."""
    world.send("PATCH", f"/{GROWS}", json=[f"strict={strict}"])
    world.get(f"/{GROWS}/+simple/nothing/", "writer", 404)
    counts = {}
    for name in ("many", "few"):
        new = artifact(name, f"{100 + strict}.0", requires_python=">=3.9")
        seen, _ = counted(lambda new=new: world.upload(new, path=f"/{GROWS}/"))
        wide = [one for one in seen if "FROM files" in one and not NARROWED.search(" ".join(one.split()))]
        assert len(wide) == lists
        counts[name] = len(seen)
        page = world.get(f"/{GROWS}/+simple/{name}/", "writer", 200, Accept=JSON).json
        assert new.filename in {one["filename"] for one in page["files"]}
        told = world.get(f"/{GROWS}/{name}", "writer", 200, Accept="application/json").json["result"]
        assert new.filename in {one["href"].rpartition("/")[2] for one in told[f"{100 + strict}.0"]["+links"]}
    assert counts["many"] == counts["few"]
