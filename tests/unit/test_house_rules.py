"""Rules of the house that no linter knows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Spelled in pieces, so that this file passes its own test.
REGISTRIES = ("pypi" + ".org", "python" + "hosted.", "npm" + "js.", "debian" + ".org", "crates" + ".io")


def tracked():
    """Files that belong to the project: known to git, or new and not ignored; what it holds without git else."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, capture_output=True, check=False)
    names = listing.stdout.decode().split("\0") if listing.returncode == 0 else []
    found = [ROOT / name for name in names if name] or list((ROOT / "pypicloud_lite").rglob("*.*"))
    return [path for path in found if path.is_file()]


def offenders(pattern, suffixes=("",)):
    return [
        f"{path.relative_to(ROOT)}: {match.group().decode()}"
        for path in tracked()
        if path.name.endswith(tuple(suffixes))
        for match in [re.search(pattern, path.read_bytes(), re.IGNORECASE)]
        if match
    ]


def test_modules_are_short():
    """A table of cases may be longer than code."""
    lengths = {path: len(path.read_bytes().splitlines()) for path in tracked() if path.suffix == ".py"}
    limits = {path: 600 if path.is_relative_to(ROOT / "tests") else 400 for path in lengths}
    assert lengths
    assert [f"{path.relative_to(ROOT)}: {lines}" for path, lines in lengths.items() if lines >= limits[path]] == []


def test_no_public_registry_is_named():
    assert offenders("|".join(re.escape(name) for name in REGISTRIES).encode()) == []


def test_nothing_imports_what_new_setuptools_lack():
    assert offenders(rb"^\s*(?:import|from) pkg_" + rb"resources", (".py",)) == []


def test_no_path_of_a_developers_machine():
    here = "|".join(re.escape(f"{folder}/") for folder in (ROOT, sys.prefix))
    assert offenders(here.encode()) == []
