"""Apache's password files: bytes to hashes by name, with every line that cannot be used named by its number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pypicloud_lite.access.passwords import identify, is_weak
from pypicloud_lite.kernel.names import shown

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class PasswordLines:
    """What one file says: a hash for each name; a warning with file and line, and without the value, for each doubt."""

    hashes: Mapping[str, str] = field(repr=False)
    warnings: tuple[str, ...]


def read_lines(data: bytes, source: str) -> PasswordLines:
    """Read a file as Apache does: ``name:hash``, what follows a second colon is dropped, a name's first line counts.

    Never raises: a line that cannot be used is left out, and the others hold.
    """
    hashes: dict[str, str] = {}
    first: dict[str, int] = {}
    warnings: list[str] = []
    for number, line in _entries(data):
        name, problem, stored = _read(line)
        if name and name in first:
            problem, stored = f"{shown(name)} stands in line {first[name]} already, which counts: remove one", None
        elif name:
            first[name] = number
        if problem is not None:
            warnings.append(f"{source}, line {number}: {problem}")
        if stored is not None:
            hashes[name] = stored
    return PasswordLines(MappingProxyType(hashes), tuple(warnings))


def _entries(data: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith(b"#"):
            yield number, stripped


def _read(line: bytes) -> tuple[str, str | None, str | None]:
    """The name, what is wrong or weak, and the hash where it can be used."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "", "it is not UTF-8: save the file as UTF-8", None
    name, colon, rest = text.partition(":")
    stored = rest.partition(":")[0]
    if not name or not colon:
        return "", "it is not name:hash: make it anew with htpasswd -B", None
    who = f"the line of {shown(name)}"
    if not stored:
        return name, f"{who} has no hash, so nobody logs in with it: set a password with htpasswd -B", None
    if identify(stored) is None:
        why = "plain text, DES crypt, or no whole hash"
        return name, f"{who} is refused ({why}): set the password anew with htpasswd -B", None
    if is_weak(stored):
        return name, f"{who} is a weak hash ($apr1$ or {{SHA}}): set the password anew with htpasswd -B", stored
    return name, None, stored
