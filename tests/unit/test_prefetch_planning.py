"""Which releases are chosen for what is asked for."""

from __future__ import annotations

from packaging.markers import default_environment
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag

from pypicloud_lite.indexes.page_file import PageFile
from pypicloud_lite.kernel.errors import NotFound
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.ops.prefetch.planning import Offer, Planner, Taste, Whose
from pypicloud_lite.ops.prefetch.wishes import Wish

ANY = Taste()
ENVIRONMENT = {name: str(value) for name, value in default_environment().items()}


def file(filename: str, **told: object) -> PageFile:
    return PageFile(Filename.parse(filename), "packages/x", {"sha512": "ab" * 8, **told.pop("hashes", {})}, **told)


def planned(index: dict[str, list[PageFile]], *wishes: Wish, requires=None, taste: Taste = ANY):
    def offer(project: ProjectName) -> Offer | None:
        files = index.get(project.value)
        return None if files is None else Offer(Whose.UPSTREAM, files)

    plan = Planner(offer, requires, taste, ENVIRONMENT).plan(wishes)
    versions = {f"{one.wish.project}": one.version for one in plan.chosen.values()}
    return versions, {str(one.wish.project): one.why for one in plan.unsatisfied}


def wish(name: str, versions: str = "", **more: object) -> Wish:
    return Wish(ProjectName(name), SpecifierSet(versions), **more)


FILES = {
    "demo": [
        file("demo-1.0-py3-none-any.whl"),
        file("demo-2.0-py3-none-any.whl", yanked=True),
        file("demo-3.0rc1-py3-none-any.whl"),
        file("demo-1.5-py3-none-any.whl", requires_python=">=99"),
        file("demo-1.2.tar.gz"),
        file("demo-1.3-cp27-none-win32.whl"),
    ]
}


def test_the_highest_that_is_neither_yanked_nor_a_pre_release_nor_for_another_python():
    assert planned(FILES, wish("demo")) == ({"demo": "1.3"}, {})
    assert planned(FILES, wish("demo"), taste=Taste(tags=frozenset({Tag("py3", "none", "any")})))[0] == {"demo": "1.2"}
    assert planned(FILES, wish("demo"), taste=Taste(sdists=False, tags=frozenset({Tag("py3", "none", "any")})))[0] == {
        "demo": "1.0"
    }


def test_a_yanked_release_is_for_those_who_name_it():
    assert planned(FILES, wish("demo", "==2.0"))[0] == {"demo": "2.0"}
    assert planned(FILES, wish("demo", "==2.*"))[1] == {"demo": "no file that may be taken fits"}


def test_a_pre_release_is_taken_where_nothing_else_fits():
    assert planned(FILES, wish("demo", ">2"))[0] == {"demo": "3.0rc1"}


def test_any_kind_of_hash_chooses():
    assert planned(FILES, wish("demo", hashes=frozenset({"sha512:" + "ab" * 8})))[0] == {"demo": "1.3"}
    assert planned(FILES, wish("demo", hashes=frozenset({"sha512:" + "cd" * 8})))[1].keys() == {"demo"}


def test_wishes_of_one_project_are_one_but_a_locks_pins():
    assert planned(FILES, wish("demo"), wish("demo", "<1.3"))[0] == {"demo": "1.2"}
    assert planned(FILES, wish("demo", "==1.0"), wish("demo", "==1.2"))[1].keys() == {"demo"}
    plan = planned(FILES, wish("demo", "==1.0", is_pin=True), wish("demo", "==1.2", is_pin=True))
    assert plan == ({"demo": "1.2"}, {})


def test_a_constraint_asks_for_nothing():
    assert planned(FILES, wish("demo", "<1.3", is_limit=True)) == ({}, {})
    assert planned(FILES, wish("demo"), wish("demo", "<1.3", is_limit=True))[0] == {"demo": "1.2"}


def test_what_is_needed_is_chosen_too_and_what_is_not_known_is_told():
    index = {"app": [file("app-1.0-py3-none-any.whl")], "odd": [file("odd-1.0.tar.gz")], **FILES}
    needs = {"app": ["demo<1.3", "demo>=1; python_version > '3'", "win; sys_platform == 'none'", "not a requirement!"]}

    def requires(chosen):
        if chosen.wish.project.value == "odd":
            raise NotFound("nobody knows")
        return needs.get(chosen.wish.project.value, [])

    assert planned(index, wish("app"), requires=requires) == ({"app": "1.0", "demo": "1.2"}, {})
    versions, problems = planned(index, wish("odd"), wish("none"), requires=requires)
    assert versions == {}
    assert "nobody knows" in problems["odd"]
    assert "no" in problems["none"]
