"""The graph of projects for resolvers is what it says."""

from __future__ import annotations

from packaging.metadata import parse_email
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pypicloud_lite.testing.graph import COUNT, NOT_ASKED_FOR, ROOT, build_graph

GRAPH = build_graph()


def requirements_of(project, extras):
    """The requirements of its pinned release that hold here."""
    raw, _ = parse_email(GRAPH.wheel(project).artifact.metadata)
    provided = set(raw.get("provides_extra", []))
    for line in raw.get("requires_dist", []):
        requirement = Requirement(line)
        if requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in {"", *(extras & provided)}
        ):
            yield requirement


def test_what_is_pinned_is_all_that_the_root_requires_and_satisfies_it():
    wanted, reached = [(ROOT, frozenset())], set()
    while wanted:
        project, extras = wanted.pop()
        reached.add(project)
        for requirement in requirements_of(project, extras):
            name = canonicalize_name(requirement.name)
            assert requirement.specifier.contains(GRAPH.pinned[name], prereleases=True), requirement
            wanted.append((name, frozenset(requirement.extras)))
    assert reached == GRAPH.pinned.keys()
    assert len(reached) == COUNT


def test_what_nobody_asks_for_is_required_somewhere_and_nowhere_to_be_had():
    text = b"".join(file.artifact.metadata for file in GRAPH.files)
    for name in NOT_ASKED_FOR:
        assert name.encode() in text
        assert name not in GRAPH.pinned


def test_releases_that_may_not_be_taken_are_there():
    by_name = {file.artifact.filename: file for file in GRAPH.files}
    assert by_name["graph_06-2.0-py3-none-any.whl"].yanked
    assert by_name["graph_06-2.0.tar.gz"].yanked
    assert by_name["graph_11-3.0-py3-none-any.whl"].requires_python == ">=4"
    assert "graph_10-3.0rc1-py3-none-any.whl" in by_name
    assert len(by_name) == len(GRAPH.files)


def test_same_bytes_each_time():
    assert build_graph() == GRAPH
