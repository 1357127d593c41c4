"""The text of ``entry_points.txt``: what installers make commands of."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator

from pypicloud_lite.artifacts.source import Source
from pypicloud_lite.kernel.names import shown

_SCRIPTS = {"console_scripts", "gui_scripts"}
_SCRIPT = re.compile(r"\w[\w.-]*")
_OBJECT = re.compile(r"[\w.-]+\s*:\s*[\w.-]+\s*(\[[\w\s,.-]*\])?")
_NEXT = "correct the project's entry points"


def check_entry_points(source: Source, path: str, data: bytes) -> None:
    """Refuse what some installer fails at, and script names that are no plain file names.

    The file is read twice: as INI, as the specification says, and line by line, as pip and the standard library
    do, for whom the continuation of a value is an entry of its own.
    """
    try:
        text = data.decode()
        configparser.ConfigParser(delimiters=("=",), strict=False, interpolation=None).read_string(text)
    except (configparser.Error, UnicodeDecodeError):
        raise source.refusal("it is not an INI file in UTF-8", _NEXT, path) from None
    for group, name, value in _lines(source, path, text):
        if group in _SCRIPTS:
            _check_script(source, path, group, name, value)


def _lines(source: Source, path: str, text: str) -> Iterator[tuple[str, str, str]]:
    group = ""
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith(("#", ";")):
            continue
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1]
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise source.refusal(f"the line {shown(line)} is not 'name = object'", _NEXT, path)
        yield group, name.strip(), value.strip()


def _check_script(source: Source, path: str, group: str, name: str, value: str) -> None:
    """Installers make files of the names in the script groups, and Python code of the values."""
    if not _SCRIPT.fullmatch(name):
        raise source.refusal(
            f"a script name in [{group}] has other characters than letters, digits, '.', '_' and '-'",
            "rename the script",
            path,
        )
    if not _OBJECT.fullmatch(value):
        raise source.refusal(
            f"script {shown(name)} in [{group}] is {shown(value)} and must be 'module:function'", _NEXT, path
        )
