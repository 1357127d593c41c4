"""What the ``.dist-info`` directory of a wheel must hold and agree with."""

from __future__ import annotations

import configparser
import csv
import hashlib
import re
from base64 import urlsafe_b64encode

from packaging.utils import canonicalize_name

from pypicloud_lite.artifacts.source import Source
from pypicloud_lite.artifacts.zips import ZipArchive
from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.versions import parse_version

_SMALL = 1024 * 1024
_MAX_RECORD = 32 * 1024 * 1024
_REBUILD = "build the wheel again, or repair it with 'wheel unpack' and 'wheel pack'"
_SCRIPT = re.compile(r"\w[\w.-]*")


def read_wheel(source: Source, filename: Filename) -> tuple[str, bytes]:
    """The name and bytes of METADATA; RECORD, WHEEL and entry points have been checked.

    The rules are those of the binary distribution format: RECORD lists every file, and its sizes, and the
    hashes of the few members that are read, must be right. Other members' hashes are left to installers.
    """
    archive = ZipArchive(source)
    directory = _dist_info(source, archive, filename)
    needed = {name: f"{directory}/{name}" for name in ("METADATA", "WHEEL", "RECORD")}
    for name, path in needed.items():
        if path not in archive.members:
            raise source.refusal(f"a wheel must have the file {name} in {directory}", _REBUILD)
    read = {
        needed["METADATA"]: archive.read(needed["METADATA"], source.limits.metadata_bytes),
        needed["WHEEL"]: archive.read(needed["WHEEL"], _SMALL),
    }
    entry_points = f"{directory}/entry_points.txt"
    if entry_points in archive.members:
        read[entry_points] = archive.read(entry_points, _SMALL)
        _check_entry_points(source, entry_points, read[entry_points])
    _check_record(source, archive, directory, read)
    return needed["METADATA"], read[needed["METADATA"]]


def _dist_info(source: Source, archive: ZipArchive, filename: Filename) -> str:
    """The one ``.dist-info`` directory, which must be this release's."""
    tops = {name.partition("/")[0] for name in archive.members}
    found = sorted(top for top in tops if top.lower().endswith(".dist-info"))
    if len(found) != 1:
        raise source.refusal(f"a wheel must have exactly one .dist-info directory, not {len(found)}", _REBUILD)
    name, _, version = found[0].removesuffix(".dist-info").rpartition("-")
    try:
        same = canonicalize_name(name) == filename.project.value and (
            parse_version(version) == parse_version(filename.version)
        )
    except InvalidName:
        same = False
    if not same:
        raise source.refusal(
            f"its .dist-info directory is not that of {filename.project} {filename.version}, the filename's",
            "do not rename wheels",
            found[0],
        )
    return found[0]


def _check_record(source: Source, archive: ZipArchive, directory: str, read: dict[str, bytes]) -> None:
    record = f"{directory}/RECORD"
    rows = _record_rows(source, record, archive.read(record, _MAX_RECORD))
    exempt = {record, f"{record}.jws", f"{record}.p7s"}
    files = {name for name in archive.members if not name.endswith("/")}
    for missing in sorted(files - rows.keys() - exempt)[:1]:
        raise source.refusal("it is not listed in RECORD", _REBUILD, missing)
    for missing in sorted(rows.keys() - files - exempt)[:1]:
        raise source.refusal("RECORD lists it and the wheel does not have it", _REBUILD, missing)
    for path in sorted(files - exempt):
        digest, size = rows[path]
        if size and size != str(archive.members[path].size):
            raise source.refusal("its size is not that which RECORD says", _REBUILD, path)
        if path in read and digest.startswith("sha256="):
            actual = urlsafe_b64encode(hashlib.sha256(read[path]).digest()).rstrip(b"=").decode()
            if digest.removeprefix("sha256=").rstrip("=") != actual:
                raise source.refusal("its hash is not that which RECORD says", _REBUILD, path)


def _record_rows(source: Source, record: str, data: bytes) -> dict[str, tuple[str, str]]:
    """Path to digest (``algorithm=value``) and size, both possibly empty."""
    rows: dict[str, tuple[str, str]] = {}
    try:
        for count, row in enumerate(csv.reader(data.decode().splitlines())):
            if count % 1024 == 0:
                source.check_time()
            if row:
                path, digest, size = row
                rows[path] = (digest, size)
    except (ValueError, csv.Error):
        raise source.refusal("it is not a list of path, hash and size", _REBUILD, record) from None
    return rows


def _check_entry_points(source: Source, path: str, data: bytes) -> None:
    """Installers make files of the names in the script groups, so these may be nothing but file names."""
    parser = configparser.ConfigParser(delimiters=("=",), strict=False, interpolation=None)
    # Names of entry points are case-sensitive.
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(data.decode())
    except (configparser.Error, UnicodeDecodeError):
        raise source.refusal("it is not an INI file in UTF-8", "correct the project's entry points", path) from None
    for group in ("console_scripts", "gui_scripts"):
        for name in parser[group] if parser.has_section(group) else ():
            if not _SCRIPT.fullmatch(name):
                raise source.refusal(
                    f"a script name in [{group}] has other characters than letters, digits, '.', '_' and '-'",
                    "rename the script",
                    path,
                )
