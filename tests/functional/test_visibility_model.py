"""What each index shows, after any history of changes, is what forty lines say that were written from the rules alone.

Every change goes through HTTP, refused ones too, and every question through the pages that installers read.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from pypicloud_lite.access.model import Identity, Role
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import PpcError
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.databases import empty_tables
from pypicloud_lite.testing.upstream_server import upstream_server
from pypicloud_lite.testing.world import JSON, World

DEFAULT, MIRROR, FIXED = "root/main", "root/pypi", "acme/fixed"
MADE = ["writer/a", "writer/b", "writer/c", "writer/d"]
PROJECTS = ["alpha", "beta"]
# Twice the same names with other bytes.
FILES = {
    project: [
        made
        for summary in ("one", "another")
        for made in (
            build_wheel(project, "1.0", summary=summary),
            build_sdist(project, "1.0", summary=summary),
            build_wheel(project, "2.0", summary=summary),
        )
    ]
    for project in PROJECTS
}
PUBLIC = {
    "alpha": [build_wheel("alpha", "1.0", summary="public"), build_wheel("alpha", "9.0")],
    "beta": [build_wheel("beta", "9.0")],
}


@dataclass
class Index:
    """``names`` are those of the projects that it has or had; ``gone`` is what its removed filenames stand for."""

    bases: list[str] = field(default_factory=list)
    whitelist: set[str] = field(default_factory=set)
    union: bool = False
    volatile: bool = True
    files: dict[str, dict[str, str]] = field(default_factory=dict)
    gone: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


class Reference:
    """Which index shows which file: the rules of visibility."""

    def __init__(self) -> None:
        public = {name: {one.filename: one.sha256 for one in files} for name, files in PUBLIC.items()}
        fixed = Index(bases=[MADE[0], MIRROR])
        self.indexes = {DEFAULT: Index(volatile=False), MIRROR: Index(files=public), FIXED: fixed}

    def chain(self, name: str) -> list[str]:
        order: list[str] = []
        queue = [name]
        while queue:
            one = queue.pop(0)
            if one in self.indexes and one not in order:
                order.append(one)
                queue += self.indexes[one].bases
        return sorted(order, key=lambda one: one == MIRROR)

    def names(self, name: str) -> set[str]:
        return set().union(*(self.indexes[one].names for one in self.chain(name)))

    def page(self, name: str, project: str) -> dict[str, tuple[str, str]]:
        chain = self.chain(name)
        lists = [self.indexes[one].whitelist for one in (chain if self.indexes[name].union else [name])]
        is_private = project in self.names(name) | self.indexes[DEFAULT].names
        shown: dict[str, tuple[str, str]] = {}
        for one in chain:
            if one != MIRROR or not is_private or set().union(*lists) & {project, "*"}:
                for filename, digest in self.indexes[one].files.get(project, {}).items():
                    shown.setdefault(filename, (digest, one))
        return shown

    def set_bases(self, name: str, bases: list[str]) -> None:
        for lost in set(self.indexes[name].bases) - set(bases):
            self.indexes[name].names |= self.names(lost)
        self.indexes[name].bases = bases

    def drop(self, name: str) -> None:
        for other, index in self.indexes.items():
            if name in index.bases:
                index.names |= self.names(name)
                index.bases = [one for one in index.bases if one != name or other == FIXED]
        del self.indexes[name]


class Model(Reference):
    """The same with what is refused: each step says whether it is done, and does it."""

    def make(self, name: str, bases: list[str], options: dict[str, Any]) -> bool:
        if name in self.indexes or not self._may_stand_on(name, bases, []):
            return False
        self.indexes[name] = Index()
        self.set_bases(name, bases)
        return self.change(name, options)

    def rebase(self, name: str, bases: list[str]) -> bool:
        if not self._is_changeable(name) or not self._may_stand_on(name, bases, self.indexes[name].bases):
            return False
        self.set_bases(name, bases)
        return True

    def change(self, name: str, options: dict[str, Any]) -> bool:
        if not self._is_changeable(name):
            return False
        for key, value in options.items():
            setattr(self.indexes[name], key, value)
        return True

    def upload(self, name: str, project: str, number: int) -> bool:
        file, index = FILES[project][number], self.indexes.get(name)
        if index is None or name == MIRROR:
            return False
        there = index.files.get(project, {})
        stands_for = there.get(file.filename, index.gone.get(file.filename, file.sha256))
        if stands_for != file.sha256 and not index.volatile:
            return False
        index.files.setdefault(project, {})[file.filename] = file.sha256
        index.gone.pop(file.filename, None)
        index.names.add(project)
        return True

    def remove(self, name: str, project: str, number: int, what: str) -> bool:
        file, index = FILES[project][number], self.indexes.get(name)
        if index is None or name == MIRROR or not (index.volatile or name == DEFAULT):
            return False
        there = index.files.get(project, {})
        wanted = {
            "file": [one for one in there if (one, there[one]) == (file.filename, file.sha256)],
            "version": [one for one in there if one.split("-")[1][:3] == file.filename.split("-")[1][:3]],
            "project": list(there),
        }[what]
        for filename in wanted:
            index.gone[filename] = there.pop(filename)
        return bool(wanted)

    def free(self, name: str, project: str) -> bool:
        index = self.indexes.get(name)
        if index is None or project not in index.names or index.files.get(project):
            return False
        index.names.discard(project)
        index.gone = {one: digest for one, digest in index.gone.items() if not one.startswith(project)}
        return True

    def remove_index(self, name: str) -> bool:
        if name not in MADE or name not in self.indexes or not self.indexes[name].volatile:
            return False
        self.drop(name)
        return True

    def _is_changeable(self, name: str) -> bool:
        return name in self.indexes and name not in {FIXED, MIRROR}

    def _may_stand_on(self, name: str, bases: list[str], before: list[str]) -> bool:
        there = all(base in self.indexes or base in before for base in bases)
        return there and name not in {one for base in bases for one in self._reached(base)}

    def _reached(self, name: str) -> set[str]:
        """Also by way of an index that is not there now."""
        bases = self.indexes[name].bases if name in self.indexes else []
        return {name}.union(*(self._reached(base) for base in bases))


class Server:
    """One world for all histories, emptied between them, that does the same steps."""

    def __init__(self, folder: Path, upstream: str) -> None:
        given = {
            "pypi.fallback": "none",
            "mirror.enabled": "true",
            "pypi.fallback_base_url": upstream,
            "mirror.freshness": "1 day",
            "mirror.missing_for": "1 day",
            f"index.{FIXED}.bases": f"{MADE[0]} {MIRROR}",
            f"index.{FIXED}.acl_upload": "writer",
        }
        self.world = World(folder, given)
        self.world.services.first_rebuild().settle_trivial()
        self._packages = folder / "data" / "packages"
        self._admin = Identity("admin", roles=frozenset({Role.ADMIN}))

    def empty(self) -> None:
        services = self.world.services
        with services.catalog.read() as catalog:
            serial = catalog.state().serial
        empty_tables(services.database, serial=serial + 1)
        for path in self._packages.iterdir():
            if not path.name.startswith("."):
                shutil.rmtree(path)

    def state(self) -> Any:
        """It changes with whatever changes in any index, and with any definition."""
        with self.world.services.catalog.read() as catalog:
            return catalog.state()

    def make(self, name: str, bases: list[str], options: dict[str, Any]) -> bool:
        return self._send("PUT", f"/{name}", {"bases": bases, **_options(options)})

    def rebase(self, name: str, bases: list[str]) -> bool:
        return self._send("PATCH", f"/{name}", [f"bases={','.join(bases)}"])

    def change(self, name: str, options: dict[str, Any]) -> bool:
        return self._send("PATCH", f"/{name}", _options(options))

    def upload(self, name: str, project: str, number: int) -> bool:
        answer = self.world.upload(FILES[project][number], "writer", "*", path=f"/{name}/")
        assert answer.status_int in {200, 404, 409}, answer
        return bool(answer.status_int == 200)

    def remove(self, name: str, project: str, number: int, what: str) -> bool:
        file = FILES[project][number]
        digest, version = file.sha256, "2.0" if "-2.0" in file.filename else "1.0"
        path = {
            "file": f"+f/{digest[:3]}/{digest[3:16]}/{file.filename}",
            "version": f"{project}/{version}",
            "project": project,
        }[what]
        return self._send("DELETE", f"/{name}/{path}")

    def free(self, name: str, project: str) -> bool:
        try:
            self.world.services.removals.free(IndexName.parse(name), ProjectName(project), self._admin, Author("admin"))
        except PpcError:
            return False
        return True

    def remove_index(self, name: str) -> bool:
        return self._send("DELETE", f"/{name}")

    def page(self, name: str, project: str) -> dict[str, tuple[str, str]]:
        answer = self.world.get(f"/{name}/+simple/{project}/", "reader", "*", Accept=JSON)
        if answer.status_int == 404:
            return {}
        assert answer.status_int == 200, answer
        files = answer.json["files"]
        # ../../../../packages/OWNER/INDEX/PROJECT/...
        found = {one["filename"]: (one["hashes"]["sha256"], "/".join(one["url"].split("/")[5:7])) for one in files}
        assert len(found) == len(files)
        return found

    def _send(self, method: str, path: str, json: object = None) -> bool:
        user = "admin" if path == f"/{DEFAULT}" else "writer"
        answer = self.world.send(method, path, user, "*", json, Accept="application/json")
        assert answer.status_int in {200, 201, 400, 403, 404, 405, 409}, answer
        return bool(answer.status_int < 300)


def _options(options: dict[str, Any]) -> dict[str, Any]:
    read = {
        "volatile": lambda value: {"volatile": str(value)},
        "whitelist": lambda value: {"mirror_whitelist": sorted(value)},
        "union": lambda value: {"mirror_whitelist_inheritance": "union" if value else "intersection"},
    }
    return {key: value for name, given in options.items() for key, value in read[name](given).items()}


def _some(names: list[str], *last: str) -> st.SearchStrategy[list[str]]:
    """Up to three of them in any order; then, more often than not, what comes last."""
    few = st.lists(st.sampled_from(names), max_size=3, unique=True)
    return st.tuples(few, st.sampled_from([list(last), list(last), []])).map(lambda drawn: drawn[0] + drawn[1])


made = st.sampled_from(MADE)
indexes = st.sampled_from([*MADE, *MADE, FIXED, DEFAULT])
bases = _some([*MADE, DEFAULT, MIRROR, FIXED])
projects = st.sampled_from(PROJECTS)
numbers = st.integers(0, 5)
options = st.fixed_dictionaries(
    {},
    optional={
        "volatile": st.sampled_from([True, True, False]),
        "whitelist": st.sets(st.sampled_from([*PROJECTS, "*"]), max_size=2),
        "union": st.booleans(),
    },
)
make = st.tuples(st.just("make"), made, bases, options)
uploads = st.tuples(st.just("upload"), indexes, projects, numbers)
HOWS = ["file", "version", "project", "free", "free", "lose", "lose"]
# A removal of something that is there, a name that is kept without files, a base that goes: what chance alone hardly ever hits.
aimed = st.tuples(st.just("aim"), st.integers(0, 999), st.sampled_from(HOWS))
steps = st.one_of(
    make,
    uploads,
    uploads,
    uploads,
    aimed,
    st.tuples(st.just("rebase"), indexes, bases),
    st.tuples(st.just("change"), indexes, options),
    st.tuples(st.just("remove"), indexes, projects, numbers, st.sampled_from(["file", "version", "project"])),
    st.tuples(st.just("free"), indexes, projects),
    st.tuples(st.just("remove_index"), made),
    aimed,
)
# All four are made, each on what is there already, and get some files; then anything may happen.
makes = st.tuples(
    *(
        st.tuples(st.just("make"), st.just(name), _some([*MADE[:number], DEFAULT, FIXED], MIRROR), options)
        for number, name in enumerate(MADE)
    )
)
histories = st.tuples(makes, st.lists(uploads, min_size=5, max_size=10), st.lists(steps, min_size=6, max_size=18))


def _history(makes: dict[str, list[str]], *steps: tuple[Any, ...]) -> Any:
    return [("make", name, given_, {}) for name, given_ in makes.items()], [], steps


A, B, C, D = MADE
STACKED = {A: [], B: [A], C: [B, MIRROR], D: [C]}
EXAMPLES = [
    # Breadth first: c before a.
    _history({A: [], B: [A], C: [], D: [B, C]}, ("upload", A, "alpha", 0), ("upload", C, "alpha", 0)),
    # A name stays private where its base goes, or the index below, though others lie between.
    _history(STACKED, ("upload", A, "alpha", 2), ("rebase", C, [MIRROR])),
    _history(STACKED, ("upload", A, "alpha", 2), ("remove_index", B)),
    # Where its last file goes too, until it is free.
    _history(STACKED, ("upload", A, "alpha", 2), ("remove", A, "alpha", 2, "project"), ("free", A, "alpha")),
    # A removed index is gone with its names; one on which it stood is not.
    _history(STACKED, ("upload", A, "beta", 0), ("remove_index", A), ("make", A, [MIRROR], {})),
    # Only the index that is asked says that others' lists count.
    _history(STACKED, ("upload", A, "beta", 0), ("change", B, {"whitelist": {"beta"}}), ("change", D, {"union": True})),
]


def targets(model: Model, how: str) -> list[tuple[Any, ...]]:
    """Every step of that kind which finds something."""
    stages = [(name, index) for name, index in model.indexes.items() if name != MIRROR]
    if how == "free":
        return [
            ("free", name, one) for name, index in stages for one in sorted(index.names) if not index.files.get(one)
        ]
    if how == "lose":
        changed = [
            (name, [one for one in index.bases if one != base]) for name, index in stages for base in index.bases
        ]
        return [("rebase", name, left) for name, left in changed if name != FIXED]
    return [
        ("remove", name, project, number, how)
        for name, index in stages
        for project, there in index.files.items()
        for number, file in enumerate(FILES[project])
        if there.get(file.filename) == file.sha256
    ]


def check(server: Server, model: Model, names: list[str], done: Counter[Any]) -> None:
    """Every page of these indexes."""
    for name in names:
        for project in PROJECTS:
            expected = model.page(name, project) if name in model.indexes else {}
            assert server.page(name, project) == expected, (name, project)
            sources = {index for _digest, index in expected.values()}
            asks = name in model.indexes and MIRROR in model.chain(name) and project in PUBLIC
            done["of several"] += len(sources) > 1
            done["private and public"] += MIRROR in sources and len(sources) > 1
            done["hidden"] += asks and bool(expected) and MIRROR not in sources
            done["kept"] += asks and not expected


def run(server: Server, count: int, *, derandomize: bool) -> Counter[Any]:
    """Tell how often each step was done and refused, and what was seen."""
    done: Counter[Any] = Counter()
    everything = [*MADE, FIXED, DEFAULT, MIRROR]

    @settings(
        max_examples=count,
        derandomize=derandomize,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(histories)
    def agree(history: Any) -> None:
        server.empty()
        model = Model()
        done["histories"] += 1
        for number, step in enumerate([*history[0], *history[1], *history[2]]):
            what, *given_ = step
            if what == "aim":
                found = targets(model, given_[1])
                if not found:
                    continue
                what, *given_ = found[given_[0] % len(found)]
            before = server.state()
            wanted = getattr(model, what)(*given_)
            assert getattr(server, what)(*given_) == wanted, (what, given_)
            assert wanted or server.state() == before, (what, given_)
            done[what, wanted] += 1
            # All pages now and then, so that those are known that a later step must change.
            check(server, model, everything if number % 6 == 5 else [given_[0]] if wanted else [], done)
        check(server, model, everything, done)

    for one in EXAMPLES:
        agree = example(one)(agree)
    agree()
    return done


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="ppc-") as folder, upstream_server() as upstream:
        for project, files in PUBLIC.items():
            for one in files:
                upstream.add(project, one.filename, one.data)
        made_ = Server(Path(folder), upstream.url)
        yield made_
        made_.world.close()


def test_random_histories_show_what_the_rules_say(server: Server) -> None:
    run(server, 50, derandomize=True)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(3600)
def test_two_thousand_random_histories_show_what_the_rules_say(server: Server) -> None:
    done = run(server, 2000, derandomize=False)
    wanted = {(what, is_done) for what in STEPS for is_done in (True, False)}
    wanted |= {"of several", "private and public", "hidden", "kept"}
    assert {one: done[one] for one in wanted if done[one] < 100} == {}
    assert done["histories"] >= 2000


STEPS = ("make", "rebase", "change", "upload", "remove", "free", "remove_index")
