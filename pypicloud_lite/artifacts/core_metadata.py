"""The text of METADATA and PKG-INFO files: header fields and a description, as values.

The format is that of the core metadata specification; the JSON names are PEP 566's. The standard library's
parser gets the headers alone: a body that claims to be MIME would make it recurse, and is only text here.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from email.parser import HeaderParser

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from pypicloud_lite.artifacts.model import CoreMetadata, MetadataValue
from pypicloud_lite.artifacts.source import Source
from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.names import ProjectName, shown
from pypicloud_lite.kernel.versions import normalised_version

_SINGLE = frozenset({
    "metadata_version", "name", "version", "summary", "description", "description_content_type", "home_page",
    "download_url", "author", "author_email", "maintainer", "maintainer_email", "license",
    "license_expression", "requires_python",
})  # fmt: skip
_MULTIPLE = frozenset({
    "dynamic", "platform", "supported_platform", "license_file", "classifier", "requires_dist",
    "requires_external", "project_url", "provides_extra", "provides_dist", "obsoletes_dist", "requires",
    "provides", "obsoletes", "import_name", "import_namespace",
})  # fmt: skip
_ONCE = ("metadata_version", "name", "version", "requires_python")
_OLDEST, _NEWEST = (1, 0), (2, 6)
_MAX_HEADER_LINES = 100_000
_MAX_REQUIREMENTS = 10_000
_MAX_SPECIFIER = 1000
_MAX_REQUIREMENT = 10_000
# Characters that databases, XML and terminals choke on; tab and line ends may stay.
_UNSTORABLE = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_END_OF_HEADERS = re.compile(r"\r?\n\r?\n|\r\r")
_STEP = "correct it in the project's configuration and build again"


def read_core_metadata(source: Source, member: str, raw: bytes, *, version_required: bool) -> CoreMetadata:
    """Parse and check one metadata file.

    ``version_required`` is about Metadata-Version, which hand-made PKG-INFO files of old sdists lack. Text
    that is not UTF-8 is read as Latin-1. Fields that occur once too often count with their first value, but
    those that decide something here are refused then. :class:`InvalidName` for a bad Name or Version,
    :class:`InvalidArtifact` for all else.
    """
    check = _Check(source, member)
    values = _values(check, raw)
    check.metadata_version(values.get("metadata_version"), required=version_required)
    name, version = check.text(values, "name"), check.text(values, "version")
    try:
        project, normalised = ProjectName.parse(name), normalised_version(version)
    except InvalidName as error:
        raise InvalidName(f"{source.name}, member {shown(member)}: {error.message}") from None
    python, summary = values.get("requires_python"), values.get("summary")
    check.requires_python(python)
    check.requires_dist(values.get("requires_dist", ()))
    return CoreMetadata(
        raw=raw,
        name=project,
        display_name=name,
        version=normalised,
        requires_python=python if isinstance(python, str) else None,
        summary=" ".join(summary.split()) if isinstance(summary, str) else None,
        values=values,
    )


class _Check:
    """The rules of single fields; each refusal names the field as the file spells it."""

    def __init__(self, source: Source, member: str) -> None:
        self._source = source
        self._member = member

    def refuse(self, rule: str, next_step: str = _STEP) -> Exception:
        return self._source.refusal(rule, next_step, self._member)

    def text(self, values: Mapping[str, MetadataValue], key: str) -> str:
        value = values.get(key)
        if not isinstance(value, str):
            raise self.refuse(f"the field {key.title()} is missing")
        return value

    def metadata_version(self, value: MetadataValue | None, *, required: bool) -> None:
        if value is None and not required:
            return
        match = re.fullmatch(r"([0-9])\.([0-9])", value) if isinstance(value, str) else None
        if match is None or not _OLDEST <= (int(match[1]), int(match[2])) <= _NEWEST:
            given = "missing" if value is None else shown(str(value))
            raise self.refuse(
                f"Metadata-Version is {given} and must be one of 1.0 to 2.6",
                "use a build tool that writes one of these",
            )

    def requires_python(self, value: MetadataValue | None) -> None:
        if value is None:
            return
        if len(value) > _MAX_SPECIFIER:
            raise self.refuse(f"Requires-Python is longer than {_MAX_SPECIFIER} characters")
        try:
            SpecifierSet(str(value))
        except ValueError:
            raise self.refuse(f"Requires-Python {shown(str(value))} is not a valid version specifier") from None

    def requires_dist(self, lines: MetadataValue) -> None:
        if len(lines) > _MAX_REQUIREMENTS:
            raise self.refuse(f"there are more than {_MAX_REQUIREMENTS} Requires-Dist fields")
        for line in lines:
            self._source.check_time()
            if len(line) > _MAX_REQUIREMENT:
                raise self.refuse(f"a Requires-Dist is longer than {_MAX_REQUIREMENT} characters")
            try:
                Requirement(line)
            # Markers nest; thousands of parentheses exhaust packaging's parser.
            except (ValueError, RecursionError):
                raise self.refuse(f"Requires-Dist {shown(line)} is not a valid requirement (PEP 508)") from None


def _values(check: _Check, raw: bytes) -> dict[str, MetadataValue]:
    """Every known field that says something, by its JSON name."""
    headers, body = _split(check, raw)
    fields: dict[str, list[str]] = {}
    for name, value in HeaderParser().parsestr(headers + "\n\n").items():
        fields.setdefault(name.lower().replace("-", "_"), []).append(_UNSTORABLE.sub("�", value.strip()))
    for key in _ONCE:
        if len(fields.get(key, ())) > 1:
            raise check.refuse(f"the field {key.replace('_', '-').title()} occurs more than once")
    values: dict[str, MetadataValue] = {}
    for key, given in fields.items():
        said = [value for value in given if value not in {"", "UNKNOWN"}]
        if said and key in _MULTIPLE:
            values[key] = tuple(said)
        elif said and key in _SINGLE:
            values[key] = _unindented(said[0]) if key == "description" else said[0]
        elif said and key == "keywords":
            values[key] = tuple(word.strip() for word in said[0].split(",") if word.strip())
    if body.strip() not in {"", "UNKNOWN"}:
        values["description"] = _UNSTORABLE.sub("�", body)
    return values


def _split(check: _Check, raw: bytes) -> tuple[str, str]:
    """The text before and after the first empty line."""
    if b"\0" in raw:
        raise check.refuse("it holds NUL characters", "remove them")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    text = text.removeprefix("\ufeff").lstrip("\r\n")
    end = _END_OF_HEADERS.search(text)
    headers, body = (text, "") if end is None else (text[: end.start()], text[end.end() :])
    if headers.count("\n") + headers.count("\r") > _MAX_HEADER_LINES:
        raise check.refuse(f"it has more than {_MAX_HEADER_LINES} lines of fields", "shorten it")
    return headers, body


def _unindented(description: str) -> str:
    """A description in a header has its later lines indented, by eight characters or by seven and a bar."""
    if "\n       |" in description:
        return re.sub(r"\n       \|", "\n", description)
    return textwrap.dedent(" " * 8 + description)
