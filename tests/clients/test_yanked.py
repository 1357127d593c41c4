"""A yanked version (PEP 592): clients pass it over, unless exactly that version is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pypicloud_lite.catalog.model import Author
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import World

REASON = "its tables are upside down"


@pytest.fixture
def yank(index):
    """``yank(artifact)``: no HTTP address does that yet, so the catalog's port does, behind the server's back."""
    beside = World(index.server.folder)

    def change(artifact, *, yanked=True, reason=REASON):
        with beside.services.catalog.write(Author("tester")) as catalog:
            record = catalog.file(beside.services.index, artifact.filename)
            project = catalog.project(beside.services.index, record.project)
            core = catalog.core_metadata(record.id)
            newer = replace(record, serial=record.serial + 1, yanked=yanked, yanked_reason=reason)
            catalog.restore_project(replace(project, serial=project.serial + 1), [(newer, core)], ())

    yield change
    beside.close()


@pytest.fixture(params=["pip", "uv"])
def install(request, tools, run, index, target):
    """``install(*arguments)`` as the reader, with either client."""
    options = {
        "pip": [tools / "python", "-m", "pip", "--python", target.python, "install", "--index-url"],
        "uv": [tools / "uv", "pip", "install", "--python", target.python, "--default-index"],
    }[request.param]

    def call(*arguments):
        return run(*options, index.url_for("reader"), *arguments).output

    call.client = request.param
    return call


def test_24_an_open_requirement_passes_a_yanked_version_over(index, install, target, yank):
    name = f"yanked-open-{install.client}"
    good, bad = build_wheel(name, "1.0"), build_wheel(name, "2.0")
    index.put(good, bad)
    yank(bad)
    said = install(f"{name}>=1")
    assert target.installed() == {name.replace("-", "_"): "1.0"}
    assert REASON not in said
    yank(bad, yanked=False, reason=None)
    # Neither client keeps the page as it was.
    install("--upgrade", name)
    assert target.installed() == {name.replace("-", "_"): "2.0"}


def test_24_a_yanked_version_is_installed_when_it_is_asked_for_with_a_warning(index, install, target, yank):
    name = f"yanked-exact-{install.client}"
    good, bad = build_wheel(name, "1.0"), build_wheel(name, "2.0")
    index.put(good, bad)
    yank(bad)
    said = install(f"{name}==2.0")
    assert target.installed() == {name.replace("-", "_"): "2.0"}
    assert "yanked" in said
    assert REASON in said
