"""Small projects for real build tools: the same package described for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_BACKENDS = {
    "setuptools": ("setuptools", "setuptools.build_meta"),
    "hatchling": ("hatchling", "hatchling.build"),
    "flit-core": ("flit_core", "flit_core.buildapi"),
    "pdm-backend": ("pdm-backend", "pdm.backend"),
    "poetry-core": ("poetry-core", "poetry.core.masonry.api"),
    "uv-build": ("uv_build", "uv_build"),
    "whey": ("whey", "whey"),
    "scikit-build-core": ("scikit-build-core", "scikit_build_core.build"),
}
# What a backend needs to be told so that it finds a package in src/, or at all.
_OPTIONS = {
    "hatchling": (
        "[tool.hatch]\nmetadata.allow-direct-references = true\n"
        'build.targets.wheel.packages = ["src/PACKAGE"]\nbuild.targets.wheel.shared-data = { "LICENSE" = "share/L" }\n'
    ),
    "flit-core": '[tool.flit.module]\nname = "PACKAGE"\n',
    "poetry-core": '[tool.poetry]\npackages = [{ include = "PACKAGE", from = "src" }]\n',
    "whey": '[tool.whey]\nsource-dir = "src"\npackage = "PACKAGE"\n',
    "scikit-build-core": '[tool.scikit-build]\nwheel.packages = ["src/PACKAGE"]\nwheel.cmake = false\n',
}
_SETUP_PY = """\
from setuptools import Extension, setup

setup(
    name="Demo.Legacy",
    version="1.0-rc1",
    description="Demo",
    packages=["demo_legacy"],
    scripts=["demo-legacy"],
    data_files=[("share/demo", ["data.txt"])],
    entry_points={"console_scripts": ["demo2 = demo_legacy:main [x]"], "demo.plugins": ["a.b = demo_legacy"]},
    extras_require={"x": ["packaging>=20"]},
)
"""
# The command line without a [build-system]: the oldest way, and the formats that only it makes.
_LEGACY = ("sdist --formats=gztar,zip,bztar", "bdist_wheel", "bdist_dumb", "bdist_egg")


@dataclass(frozen=True, slots=True)
class SourceTree:
    """Files by path, symbolic links, and the arguments for Python, one list a command, which make ``dist/``."""

    id: str
    files: Mapping[str, str]
    commands: Sequence[Sequence[str]]
    links: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Put the files there."""
        for path, text in self.files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        for path, leads_to in self.links.items():
            (folder / path).symlink_to(leads_to)


def source_trees() -> Iterator[SourceTree]:
    """Every backend with a plain project and a rich one, and ``setup.py``."""
    for backend in _BACKENDS:
        yield _tree(backend, "plain", _plain)
        yield _tree(backend, "rich", _rich)
    files = {
        "setup.py": _SETUP_PY,
        "demo_legacy/__init__.py": "def main():\n    pass\n",
        "demo-legacy": "#!/usr/bin/env python\n",
        "data.txt": "data\n",
        "README": "Demo\n",
    }
    commands = [["setup.py", *command.split()] for command in _LEGACY]
    yield SourceTree("setup-py", files, commands)


def _tree(backend: str, kind: str, project: Mapping[str, str]) -> SourceTree:
    name = f"Demo.{backend}-{kind}"
    package = name.lower().replace(".", "_").replace("-", "_")
    requirement, module = _BACKENDS[backend]
    system = f'[build-system]\nrequires = ["{requirement}"]\nbuild-backend = "{module}"\n\n'
    files = {path.replace("PACKAGE", package): text.replace("NAME", name) for path, text in project.items()}
    options = _OPTIONS.get(backend, "")
    files["pyproject.toml"] = (system + files["pyproject.toml"] + options).replace("PACKAGE", package)
    links = {f"src/{package}/link.md": "../../README.md"} if "README.md" in files else {}
    return SourceTree(f"{backend}-{kind}", files, [["-m", "build", "--no-isolation"]], links)


_plain = {
    "pyproject.toml": '[project]\nname = "NAME"\nversion = "1.0"\ndescription = "Demo"\n\n',
    "src/PACKAGE/__init__.py": '"""Demo."""\n',
}
_rich = {
    "pyproject.toml": """\
[project]
name = "NAME"
version = "1!2.0.post1.dev3"
description = "Démonstration"
readme = "README.md"
requires-python = ">=3.9"
license = { file = "LICENSE" }
authors = [{ name = "Zoë", email = "zoe@example.com" }]
keywords = ["a", "b c"]
classifiers = ["Programming Language :: Python :: 3"]
dependencies = ["packaging>=20; python_version > '3.8'", "tool @ https://files.example.com/tool-1.0.tar.gz"]

[project.optional-dependencies]
extra = ["click[x]>=8"]

[project.urls]
Home = "https://demo.example.com/"

[project.scripts]
demo-one = "PACKAGE:main"
demo_two = "PACKAGE.deep.er:Class.method"

[project.entry-points."demo.plugins"]
"a.b" = "PACKAGE"

""",
    "README.md": "# Demo\n\nnaïve\n",
    "LICENSE": "MIT\n",
    "src/PACKAGE/__init__.py": '"""Demo."""\n\n\ndef main():\n    pass\n',
    "src/PACKAGE/deep/__init__.py": "",
    "src/PACKAGE/deep/er.py": "class Class:\n    pass\n",
    "src/PACKAGE/naïve/文.txt": "names beyond ASCII\n",
    "src/PACKAGE/with space.txt": "a name with a space\n",
    f"src/PACKAGE/{'long-' * 20}/{'longer-' * 20}.txt": "a path of more than 256 bytes\n",
    "src/PACKAGE/empty.txt": "",
}
