"""More than a hundred real files, of every build tool that matters: a private index must take them all.

Wheels come from the configured index, by hash, for other platforms than this one too; sdists are built here by the
real backends. Both are kept below ``.cache/corpus/`` of the checkout.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pypicloud_lite.artifacts.reading import read_artifact
from pypicloud_lite.kernel.errors import InvalidRequest
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.publish.strict import check_strict
from pypicloud_lite.testing.artifacts import BuiltArtifact
from pypicloud_lite.testing.source_trees import SourceTree, source_trees
from pypicloud_lite.testing.world import World

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "corpus"
MANYLINUX = ["manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64"]
WHEELS = {
    "manylinux": MANYLINUX,
    "old": MANYLINUX,
    "musllinux": ["musllinux_1_1_x86_64", "musllinux_1_2_x86_64"],
    "macosx": ["macosx_10_9_universal2", "macosx_11_0_arm64"],
    "windows": ["win_amd64"],
}
TOOLS = {"bazel-wheelmaker", "bdist_wheel", "flit", "hatchling", "maturin", "meson", "pdm-backend", "poetry-core"}
TOOLS |= {"scikit-build-core", "setuptools", "uv", "whey"}


@contextmanager
def kept(name: str, *makings: bytes) -> Iterator[tuple[Path, bool]]:
    """A folder that is made once for these makings, and whether it is complete already; others wait meanwhile."""
    digest = hashlib.sha256(b"\0".join(makings)).hexdigest()[:16]
    folder = CACHE / f"{name}-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        complete = folder / "complete"
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        yield folder, complete.exists()
        complete.touch()


def run(command: list[str], **more: object) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **more)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {(done.stdout + done.stderr)[-2000:]}")


def downloaded(name: str) -> list[Path]:
    requirements = HERE / "requirements" / f"corpus-{name}.txt"
    with kept(name, requirements.read_bytes()) as (folder, complete):
        if not complete:
            rules = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps", "--only-binary=:all:"]
            target = ["--implementation=cp", "--python-version=3.11", "--abi=cp311", "--abi=abi3", "--abi=none"]
            target += [f"--platform={platform}" for platform in WHEELS[name]]
            where = ["--dest", str(folder), "--requirement", str(requirements)]
            run([sys.executable, "-m", "pip", "download", *rules, *target, *where])
        return sorted(folder.glob("*.whl"))


def built(tree: SourceTree, environment: Callable[[str], Path]) -> list[Path]:
    programs = environment("backends")
    with kept(tree.id, str(programs).encode(), repr(tree).encode()) as (folder, complete):
        if not complete:
            tree.write(folder)
            environ = {"PATH": f"{programs}:{os.defpath}", "HOME": str(folder), "LANG": "C.UTF-8"}
            for command in tree.commands:
                run([str(programs / "python"), *command], cwd=folder, env=environ)
        return sorted((folder / "dist").iterdir())


@pytest.fixture(scope="module")
def corpus(environment, missing) -> list[Path]:
    """Every file."""
    try:
        wheels = [path for name in WHEELS for path in downloaded(name)]
    except RuntimeError as error:
        missing("clients", f"the real wheels could not be downloaded: {error}")
    return wheels + [path for tree in source_trees() for path in built(tree, environment)]


def tool(wheel: Path) -> str:
    """The program that wrote a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (path,) = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith(".dist-info/WHEEL")]
        lines = archive.read(path).decode().splitlines()
    return next((line.split()[1] for line in lines if line.startswith("Generator:")), "")


def test_the_corpus_is_of_many_build_tools(corpus):
    tools = {tool(path) for path in corpus if path.suffix == ".whl"}
    assert tools >= TOOLS
    assert len(corpus) >= 100
    kinds = {Filename.parse(path.name).packagetype for path in corpus}
    assert kinds == {"bdist_wheel", "sdist", "bdist_egg", "bdist_dumb"}


def test_every_real_artifact_is_taken(corpus, tmp_path):
    world = World(tmp_path)
    refused = {}
    try:
        for path in corpus:
            filename = Filename.parse(path.name)
            artifact = BuiltArtifact(path.name, path.read_bytes(), b"")
            answer = world.upload(artifact, name=str(filename.project), version=filename.version, status="*")
            if answer.status_int != 200:
                refused[path.name] = answer.text
    finally:
        world.close()
    assert refused == {}


def test_a_strict_index_takes_all_but_those_that_break_its_rules(corpus):
    """The others: names of before PEP 625, formats of before wheels, and the address that our rich projects require."""
    refused, taken = {}, 0
    for path in corpus:
        filename = Filename.parse(path.name)
        with path.open("rb") as file:
            metadata = read_artifact(file, filename)
        try:
            check_strict(filename, metadata)
            taken += 1
        except InvalidRequest as refusal:
            refused[path.name] = refusal.message
    known = (
        "name of this wheel must begin with",
        "must be named",
        "is neither a wheel nor an sdist",
        "names an address",
    )
    assert {name: text for name, text in refused.items() if not any(words in text for words in known)} == {}
    assert taken >= 100, refused
