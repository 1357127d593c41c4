"""The folder that ``devpi-export`` writes: ``dataindex.json`` and the files that it names.

The document is held in memory whole, some hundred bytes for each file of the export. Of the files nothing is read here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from pypicloud_lite.kernel.errors import InvalidName, InvalidRequest
from pypicloud_lite.kernel.names import ProjectName, shown

_DOCUMENT = "dataindex.json"
_DUMP_VERSIONS = ("2",)
_TOX_DEPTH = 5
# Whoever tells of earlier uploads has no clock.
_FIRST_YEAR = 1970
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class WrongExport(InvalidRequest):
    """The folder is no export, or none of a kind that is understood here."""

    code = "wrong-export"


class Rel(StrEnum):
    """What devpi calls a kind of file; it may have others, of plugins."""

    RELEASE = "releasefile"
    DOCS = "doczip"
    RESULT = "toxresult"


@dataclass(frozen=True, slots=True)
class ExportedUser:
    """``more`` are those of e-mail, title, description and custom_data that were set."""

    name: str
    password_hash: str | None = field(repr=False)
    created_at: datetime | None = None
    more: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """``hashes`` are in hex by algorithm; ``tested`` is the file that a tox result is about.

    ``tested_digest`` is how the hash of that file begins, as devpi's address of it has it: sha256, of old servers md5.
    """

    rel: str
    version: str
    relpath: str
    hashes: Mapping[str, str]
    uploaded_at: datetime | None = None
    uploader: str | None = None
    tested: str | None = None
    tested_digest: str = ""

    @property
    def filename(self) -> str:
        """The name under which devpi served it."""
        return PurePosixPath(self.relpath).name


@dataclass(frozen=True, slots=True)
class ExportedProject:
    """``name`` is None where ours cannot be spelled so. Several spellings of one name are one project."""

    spelling: str
    name: ProjectName | None
    versions: frozenset[str]
    files: Sequence[ExportedFile]


@dataclass(frozen=True, slots=True)
class ExportedIndex:
    """``config`` as devpi has it. What is in it is read as it is asked for, a project at a time."""

    name: str
    config: Mapping[str, Any] = field(repr=False)
    _projects: Mapping[str, Mapping[str, Any]] = field(repr=False)
    _files: Sequence[Mapping[str, Any]] = field(repr=False)

    @property
    def file_count(self) -> int:
        """How many files of all kinds it has."""
        return len(self._files)

    def projects(self) -> Iterator[ExportedProject]:
        """Every project that was registered or has a file, by name."""
        spellings: dict[str, list[str]] = {}
        files: dict[str, list[Mapping[str, Any]]] = {}
        for spelling in self._projects:
            spellings.setdefault(_normalised(spelling), []).append(spelling)
        for raw in self._files:
            files.setdefault(_normalised(raw["projectname"]), []).append(raw)
        for name in sorted(spellings.keys() | files.keys()):
            found = files.get(name, [])
            metadata = [self._projects[one] for one in spellings.get(name, ())]
            spelling = _spelling(metadata) or (spellings.get(name) or [found[0]["projectname"]])[0]
            yield ExportedProject(
                spelling,
                _project_name(spelling),
                frozenset(version for one in metadata for version in one),
                [_file(raw) for raw in found],
            )


@dataclass(frozen=True, slots=True)
class Export:
    """``root`` is the folder, without links on the way."""

    root: Path
    users: Sequence[ExportedUser]
    indexes: Sequence[ExportedIndex]

    def path(self, relpath: str) -> Path:
        """Where a file of the export lies; InvalidRequest where it is not there, or leads out of the folder."""
        given = PurePosixPath(relpath)
        if given.is_absolute() or ".." in given.parts or "\0" in relpath:
            raise InvalidRequest("the export names a place outside of its folder")
        try:
            found = (self.root / given).resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            raise InvalidRequest("the file is missing in the export") from None
        if not found.is_relative_to(self.root):
            raise InvalidRequest("a link leads out of the folder of the export")
        if not found.is_file():
            raise InvalidRequest("it is no file in the export")
        return found


def read_export(folder: Path) -> Export:
    """Read the document of an export; WrongExport says what is wrong with it."""
    path = folder / _DOCUMENT
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise WrongExport(
            f"{path} cannot be read ({error.strerror}): name the folder that devpi-export wrote"
        ) from None
    except (ValueError, RecursionError):
        raise WrongExport(f"{path} is no JSON: export it again") from None
    version = str(_mapping(document, "the document").get("dumpversion"))
    if version not in _DUMP_VERSIONS:
        raise WrongExport(
            f"{path} has dumpversion {shown(version)}, and only {', '.join(_DUMP_VERSIONS)} is understood: "
            "export it with devpi-server 6"
        )
    users = _mapping(document.get("users"), "users")
    indexes = _mapping(document.get("indexes"), "indexes")
    return Export(
        folder.resolve(),
        [_user(name, _mapping(raw, f"user {shown(name)}")) for name, raw in users.items()],
        [_index(name, _mapping(raw, f"index {shown(name)}")) for name, raw in indexes.items()],
    )


def _user(name: str, raw: Mapping[str, Any]) -> ExportedUser:
    # Before devpi-server 4.2 a hash was one of the password and this.
    stored = None if raw.get("pwsalt") else raw.get("pwhash")
    created = None
    with suppress(ValueError, TypeError, OverflowError):
        created = _plausible(datetime.fromisoformat(raw.get("created", "")).astimezone(UTC))
    more = {key: raw[key] for key in ("email", "title", "description", "custom_data") if raw.get(key)}
    return ExportedUser(name, stored if isinstance(stored, str) else None, created, more)


def _index(name: str, raw: Mapping[str, Any]) -> ExportedIndex:
    where = f"index {shown(name)}"
    config = _mapping(raw.get("indexconfig"), f"indexconfig of {where}")
    projects = _mapping(raw.get("projects", {}), f"projects of {where}")
    for project, versions in projects.items():
        _mapping(versions, f"project {shown(project)} of {where}")
    files = raw.get("files", [])
    if not isinstance(files, list):
        raise WrongExport(f"files of {where}: this is no list, so it is no export of devpi's")
    for number, file in enumerate(files):
        entry = _mapping(file, f"file {number} of {where}")
        if not all(isinstance(entry.get(key), str) for key in ("type", "projectname", "relpath")):
            raise WrongExport(f"file {number} of {where} lacks type, projectname or relpath: export it again")
    return ExportedIndex(name, config, projects, files)


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise WrongExport(f"{what}: this is no JSON object, so it is no export of devpi's")
    return value


def _normalised(spelling: str) -> str:
    name = _project_name(spelling)
    return spelling if name is None else name.value


def _project_name(spelling: str) -> ProjectName | None:
    try:
        return ProjectName.parse(spelling)
    except InvalidName:
        return None


def _spelling(metadata: Sequence[Mapping[str, Any]]) -> str | None:
    """As the metadata spell it: devpi's own keys are normalised."""
    for versions in metadata:
        for one in versions.values():
            name = one.get("name") if isinstance(one, dict) else None
            if isinstance(name, str) and _project_name(name) is not None:
                return name
    return None


def _file(raw: Mapping[str, Any]) -> ExportedFile:
    given = raw.get("entrymapping")
    entry: Mapping[str, Any] = given if isinstance(given, dict) else {}
    uploaded_at, uploader = _upload(raw.get("log"))
    tested, tested_digest = _tested(raw.get("for_entrypath"))
    return ExportedFile(
        rel=raw["type"],
        version=str(raw.get("version", "")),
        relpath=raw["relpath"],
        hashes=_hashes(raw, entry),
        uploaded_at=uploaded_at or _http_date(entry.get("last_modified")),
        uploader=uploader,
        tested=tested,
        tested_digest=tested_digest,
    )


def _tested(entrypath: object) -> tuple[str | None, str]:
    """The name at the end of ``USER/INDEX/+f/123/4567890abcdef/NAME``, and the digits before it."""
    if not isinstance(entrypath, str):
        return None, ""
    *before, name = PurePosixPath(entrypath).parts or ("",)
    return name, "".join(before[before.index("+f") + 1 :]) if "+f" in before else ""


def _hashes(raw: Mapping[str, Any], entry: Mapping[str, Any]) -> Mapping[str, str]:
    """Everything that is said of the bytes, in whichever of devpi's ways."""
    given = entry.get("hashes")
    found = dict(given) if isinstance(given, dict) else {}
    if "md5" in entry:
        found["md5"] = entry["md5"]
    spec = entry.get("hash_spec")
    if isinstance(spec, str) and "=" in spec:
        algorithm, _, value = spec.partition("=")
        found[algorithm] = value
    hashes = {str(algorithm): str(value).lower() for algorithm, value in found.items() if value}
    parts = PurePosixPath(raw["relpath"]).parts
    if raw["type"] == Rel.RESULT and len(parts) == _TOX_DEPTH:
        # devpi-server 6.5 to 6.8 wrote the hash of the file that was tested.
        algorithm, _, value = parts[3].partition("=")
        if hashes.get(algorithm) == value:
            return {}
    return hashes


def _upload(log: object) -> tuple[datetime | None, str | None]:
    """When and by whom: the last upload, as one that replaced another comes after it; else the push that brought it."""
    lines = [one for one in log if isinstance(one, dict)] if isinstance(log, list) else []
    for what in ("upload", "push"):
        for line in reversed(lines):
            if line.get("what") == what:
                who = line.get("who")
                return _moment(line.get("when")), who if isinstance(who, str) and who[:1] not in {
                    "",
                    "<",
                    ":",
                } else None
    return None, None


def _plausible(moment: datetime) -> datetime | None:
    return moment if moment.year >= _FIRST_YEAR else None


def _moment(when: object) -> datetime | None:
    try:
        return _plausible(datetime(*when, tzinfo=UTC))  # type: ignore[misc]  # anything else is a TypeError
    except (TypeError, ValueError, OverflowError):
        return None


def _http_date(text: object) -> datetime | None:
    try:
        return _plausible(parsedate_to_datetime(text).astimezone(UTC))  # type: ignore[arg-type]  # as above
    except (TypeError, ValueError, AttributeError, OverflowError):
        return None
