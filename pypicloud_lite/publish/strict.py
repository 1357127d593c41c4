"""What ``upload.strict`` refuses besides: the rules of the public PyPI that a private index rarely wants.

Pure functions; each refusal names the file, the rule and the setting.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename
from trove_classifiers import classifiers, deprecated_classifiers

from pypicloud_lite.artifacts.model import CoreMetadata
from pypicloud_lite.catalog.model import FileRecord
from pypicloud_lite.kernel.errors import InvalidArtifact
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import shown
from pypicloud_lite.kernel.versions import parse_version

_LINUX = "aarch64|armv7l|i686|ppc64le|riscv64|s390x|x86_64"
_PLATFORM = re.compile(
    r"any|win32|win_(amd64|arm64|ia64)|linux_armv[67]l"
    r"|manylinux1_(i686|x86_64)|manylinux2010_(i686|x86_64)"
    r"|manylinux2014_(aarch64|armv7l|i686|ppc64|ppc64le|s390x|x86_64)"
    rf"|manylinux_\d+_\d+_({_LINUX}|ppc64)|musllinux_\d+_\d+_({_LINUX})"
    r"|macosx_[1-9]\d_\d+_(arm64|fat|fat3|fat64|i386|intel|ppc|ppc64|universal|universal2|x86_64)"
    r"|ios_\d+_\d+_(arm64|x86_64)_iphone(os|simulator)"
    r"|android_\d+_(arm64_v8a|armeabi_v7a|x86|x86_64)"
    r"|pyemscripten_\d+_\d+_wasm32",
    re.ASCII,
)
"""The platform tags that the public PyPI takes: those that say which machines can run the file."""

_REBUILD = "build it again with a current build tool"


def check_strict(filename: Filename, metadata: CoreMetadata) -> None:
    """Everything that the file alone decides; raises :class:`InvalidArtifact`."""
    if filename.is_wheel:
        _check_wheel_name(filename)
        _check_platforms(filename)
    else:
        _check_sdist_name(filename)
    if parse_version(filename.version).local is not None:
        raise _refusal(filename, f"{filename.version} is a local version", "leave out what follows the plus sign")
    _check_classifiers(filename, metadata)
    _check_requirements(filename, metadata)
    for path in metadata.absent_license_files:
        raise _refusal(
            filename,
            f"License-File names {shown(path)} and it does not have that file",
            "include the file, or name no such file in the project's configuration",
        )


def check_only_sdist(filename: Filename, files: Iterable[FileRecord]) -> None:
    """One sdist per version: ``files`` are those that the project has (only their filenames count).

    When this filename is among them, repeating or replacing it is the business of other rules.
    """
    if filename.packagetype != "sdist":
        return
    others = [record.filename for record in files if record.filename.packagetype == "sdist"]
    if filename in others:
        return
    for other in others:
        if parse_version(other.version) == parse_version(filename.version):
            raise _refusal(
                filename,
                f"version {filename.version} has an sdist already, {other}, and a version has only one",
                "upload it as a new version, or delete the other file first",
            )


def _check_sdist_name(filename: Filename) -> None:
    """PEP 625."""
    if filename.packagetype != "sdist":
        raise _refusal(filename, f"a {filename.packagetype} is neither a wheel nor an sdist", "build a wheel")
    expected = f"{_escaped(filename)}-{filename.version}.tar.gz"
    if filename.value != expected:
        raise _refusal(filename, f"an sdist of this version must be named {expected} (PEP 625)", _REBUILD)


def _check_wheel_name(filename: Filename) -> None:
    expected = f"{_escaped(filename)}-{filename.version}-"
    if not filename.value.startswith(expected):
        raise _refusal(filename, f"the name of this wheel must begin with {expected}", _REBUILD)


def _escaped(filename: Filename) -> str:
    return filename.project.value.replace("-", "_")


def _check_platforms(filename: Filename) -> None:
    tags = parse_wheel_filename(filename.value)[3]
    for platform in sorted({tag.platform for tag in tags}):
        if not _PLATFORM.fullmatch(platform):
            raise _refusal(
                filename,
                f"platform tag {platform} does not tell which machines can run it",
                "repair the wheel with auditwheel, delocate or cibuildwheel"
                if platform.startswith("linux_")
                else "build it for a platform that the specifications name",
            )


def _check_classifiers(filename: Filename, metadata: CoreMetadata) -> None:
    for classifier in metadata.values.get("classifier", ()):
        if classifier in deprecated_classifiers:
            instead = " or ".join(shown(other) for other in deprecated_classifiers[classifier])
            raise _refusal(
                filename, f"classifier {shown(classifier)} is deprecated", f"use {instead}" if instead else "remove it"
            )
        if classifier not in classifiers:
            rule = "says that it shall not be uploaded" if classifier.startswith("Private ::") else "does not exist"
            raise _refusal(filename, f"classifier {shown(classifier)} {rule}", "remove it or correct its spelling")


def _check_requirements(filename: Filename, metadata: CoreMetadata) -> None:
    for line in metadata.values.get("requires_dist", ()):
        if Requirement(line).url is not None:
            raise _refusal(
                filename,
                f"Requires-Dist {shown(line)} names an address",
                "name a version of a project that an index has",
            )


def _refusal(filename: Filename, rule: str, next_step: str) -> InvalidArtifact:
    return InvalidArtifact(f"{filename}: {rule} (upload.strict = true); {next_step}")
