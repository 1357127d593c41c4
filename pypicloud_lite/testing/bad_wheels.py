"""Wheels whose own directories contradict the filename, the members or each other, with the words of the refusal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pypicloud_lite.testing.artifacts import build_wheel, core_metadata, record, wheel_files, zip_bytes
from pypicloud_lite.testing.bad_zips import Shape

_INFO = "acme_widget-1.0.dist-info"
_PLAIN = core_metadata("acme-widget", "1.0")
_FILES = wheel_files("acme-widget", "1.0", _PLAIN)
_COMMANDS = f"{_INFO}/entry_points.txt"


def bad_wheels() -> Iterator[Shape]:
    """Every shape."""
    for shapes in (_directories(), _records(), _metadata()):
        for key, (words, data) in shapes.items():
            yield key, words, data
    for key, (words, text) in _ENTRY_POINTS.items():
        yield f"entry_points_{key}", words, _with({_COMMANDS: text})


def _with(more: Mapping[str, bytes]) -> bytes:
    """The good wheel with more files, all recorded."""
    return build_wheel("acme-widget", "1.0", extra_files=more.items()).data


def _without(name: str) -> bytes:
    return zip_bytes({path: data for path, data in _FILES.items() if path != f"{_INFO}/{name}"})


def _in(directory: str) -> bytes:
    """The good wheel with its ``.dist-info`` directory renamed."""
    files = {path.replace(_INFO, directory): data for path, data in _FILES.items() if not path.endswith("RECORD")}
    return zip_bytes({**files, f"{directory}/RECORD": record(files, f"{directory}/RECORD")})


def _recorded(old: bytes, new: bytes) -> bytes:
    """The good wheel with a change in its RECORD."""
    text = _FILES[f"{_INFO}/RECORD"]
    assert old in text, old
    return zip_bytes({**_FILES, f"{_INFO}/RECORD": text.replace(old, new)})


def _directories() -> dict[str, tuple[str, bytes]]:
    return {
        "no_metadata": ("must have the file METADATA", _without("METADATA")),
        "no_wheel": ("must have the file WHEEL", _without("WHEEL")),
        "no_record": ("must have the file RECORD", _without("RECORD")),
        "no_dist_info": ("exactly one .dist-info directory, not 0", zip_bytes({"acme_widget.py": b""})),
        "dist_info_of_another_name": ("is not that of acme-widget 1.0", _in("other-1.0.dist-info")),
        "dist_info_of_another_version": ("is not that of acme-widget 1.0", _in("acme_widget-1.1.dist-info")),
        "dist_info_without_version": ("is not that of acme-widget 1.0", _in("acme_widget.dist-info")),
        "two_dist_infos": ("exactly one .dist-info directory, not 2", _with({"other-1.0.dist-info/METADATA": b""})),
        "dist_info_in_two_cases": ("exactly one .dist-info directory, not 2", _with({f"{_INFO.upper()}/METADATA": b""})),
        "dist_info_with_a_dot": ("exactly one .dist-info directory, not 2", _with({f"{_INFO}./METADATA": b""})),
        "dist_info_with_a_space": ("exactly one .dist-info directory, not 2", _with({f"{_INFO} /METADATA": b""})),
        "metadata_in_two_cases": ("the same file as", _with({f"{_INFO}/Metadata": b""})),
        "metadata_with_a_dot": ("the same file as", _with({f"{_INFO}/METADATA.": b""})),
        "metadata_as_a_stream": ("the same file as", _with({f"{_INFO}/METADATA::$DATA": b""})),
        "directory_named_as_metadata": ("the same file as", _with({f"{_INFO}/metadata/x": b""})),
        "accent_written_in_two_ways": ("the same file as", _with({f"{_INFO}/\u00e9": b"", f"{_INFO}/e\u0301": b""})),
        "data_of_another_name": (".data directory is not that of", _with({"other-1.0.data/scripts/x": b""})),
        "data_of_another_version": (".data directory is not that of", _with({"acme_widget-2.data/scripts/x": b""})),
        "data_for_nowhere": ("only the directories purelib", _with({"acme_widget-1.0.data/etc/x": b""})),
        "data_beside_the_directories": ("only the directories purelib", _with({"acme_widget-1.0.data/scripts": b""})),
    }  # fmt: skip


def _records() -> dict[str, tuple[str, bytes]]:
    line = b"acme_widget.py,"
    return {
        "unlisted": ("it is not listed in RECORD", zip_bytes({**_FILES, "x.py": b""})),
        "listed_under_another_name": ("it is not listed in RECORD", _recorded(line, b"other.py,")),
        "listed_and_not_there": ("the wheel does not have it", _recorded(line, b"gone.py,,\n" + line)),
        "listed_twice": ("two different things of it", _recorded(line, line + b",1\n" + line)),
        "wrong_size": ("its size is not that which RECORD says", _recorded(b",%d\n" % len(_PLAIN), b",1\n")),
        "wrong_hash_of_metadata": ("its hash is not that which RECORD says", _recorded(b"METADATA,sha256=", b"METADATA,sha256=x")),
        "wrong_hash_of_a_module": ("its hash is not that which RECORD says", _recorded(line + b"sha256=", line + b"sha256=x")),
        "hash_of_other_algorithm": ("its hash is not that which RECORD says", _recorded(line + b"sha256=", line + b"sha512=")),
        "weak_hash": ("none of sha256 or better", _recorded(line + b"sha256=", line + b"md5=")),
        "hash_without_algorithm": ("none of sha256 or better", _recorded(line + b"sha256=", line)),
        "record_with_four_columns": ("not a list of path, hash and size", _recorded(line, line + b",")),
        "record_with_open_quote": ("not a list of path, hash and size", _recorded(line, b'"')),
        "record_not_utf8": ("not a list of path, hash and size", _recorded(line, b"\xff")),
    }  # fmt: skip


def _metadata() -> dict[str, tuple[str, bytes]]:
    def wheel(text: bytes) -> bytes:
        return build_wheel("acme-widget", "1.0", metadata=text).data

    return {
        "metadata_of_another_name": ("Name is other", wheel(core_metadata("other", "1.0"))),
        "metadata_of_another_version": ("Version is 2", wheel(core_metadata("acme-widget", "2"))),
        "metadata_of_no_version": ("the field Version is missing", wheel(b"Metadata-Version: 2.1\nName: acme-widget\n")),
        "metadata_of_the_future": ("must be one of 1.0 to 2.6", wheel(core_metadata("acme-widget", "1.0", metadata_version="3.0"))),
        "metadata_with_two_names": ("occurs more than once", wheel(b"Name: other\n" + _PLAIN)),
        "metadata_with_nul": ("NUL", wheel(_PLAIN + b"\0")),
        "metadata_of_megabytes": ("it is larger than", wheel(_PLAIN + b"x" * 3 * 1024 * 1024)),
    }  # fmt: skip


_ENTRY_POINTS = {
    "not_utf8": ("not an INI file in UTF-8", b"[a]\n\xff\xfe = b\n"),
    "no_section": ("not an INI file in UTF-8", b"acme = acme:main\n"),
    "no_equals_sign": ("not an INI file in UTF-8", b"[console_scripts]\nacme\n"),
    "colon_for_equals_sign": ("not an INI file in UTF-8", b"[console_scripts]\nacme: acme\n"),
    "leaves_its_directory": ("a script name in [console_scripts]", b"[console_scripts]\n../../bin/sh = acme:main\n"),
    "path": ("a script name in [gui_scripts]", b"[gui_scripts]\na/b = acme:main\n"),
    "hidden_file": ("a script name", b"[console_scripts]\n.hidden = acme:main\n"),
    "path_in_a_continuation": ("a script name", b"[console_scripts]\nacme = acme:main\n  ../evil = acme:main\n"),
    "continuation": ("is not 'name = object'", b"[acme.plugins]\nacme =\n  acme:main\n"),
    "no_function": ("must be 'module:function'", b"[console_scripts]\nacme = acme\n"),
    "no_object": ("must be 'module:function'", b"[console_scripts]\nacme =\n"),
    "code": ("must be 'module:function'", b"[console_scripts]\nacme = acme:main; import os\n"),
}
