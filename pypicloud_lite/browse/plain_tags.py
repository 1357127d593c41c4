"""What a file is for, in plain words: ``Wheel for CPython 3.11 on Linux x86-64 (glibc 2.17 or newer)``.

Tags that this module does not know are shown as they are. The words follow what installers do with the tags: a file
for ``py38`` or ``cp38-abi3`` also suits newer versions, one for ``cp38-cp38`` does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pypicloud_lite.kernel.filenames import Filename

_IMPLEMENTATIONS = {"cp": "CPython", "pp": "PyPy", "graalpy": "GraalPy", "ip": "IronPython", "jy": "Jython"}
_PYTHON = re.compile(r"(?P<kind>[a-z]+?)(?P<major>\d)(?P<minor>\d*)")
_GRAAL = re.compile(r"graalpy\d*_(?P<major>\d)(?P<minor>\d+)_native")
_EGG_PLATFORM = re.compile(r"-py\d+(?:\.\d+)?-(?P<platform>.+)\.egg")
# pp373 was PyPy 7.3 for Python 3, before tags told the version of Python.
_MOST_MINOR = 50
_PROCESSORS = {
    "x86_64": "x86-64",
    "amd64": "x86-64",
    "i686": "32-bit x86",
    "i386": "32-bit x86",
    "aarch64": "ARM64",
    "arm64": "ARM64",
    "arm64_v8a": "ARM64",
    "armv7l": "ARMv7",
    "armv6l": "ARMv6",
    "armeabi_v7a": "ARMv7",
    "ppc64le": "POWER ppc64le",
    "ppc64": "POWER ppc64",
    "riscv64": "64-bit RISC-V",
}
_MACS = {
    "arm64": ("Apple silicon",),
    "x86_64": ("Intel",),
    "universal2": ("Apple silicon", "Intel"),
    "intel": ("Intel",),
    "i386": ("32-bit Intel",),
    "fat": ("32-bit Intel", "PowerPC"),
    "fat32": ("32-bit Intel", "PowerPC"),
    "fat64": ("Intel", "PowerPC"),
    "fat3": ("Intel", "PowerPC"),
    "universal": ("Intel", "PowerPC"),
    "ppc": ("PowerPC",),
    "ppc64": ("PowerPC",),
}
_LINUX = re.compile(
    r"(?P<libc>manylinux|musllinux)_(?P<major>\d+)_(?P<minor>\d+)_(?P<cpu>.+)|(?P<old>manylinux(?:1|2010|2014))_(?P<old_cpu>.+)"
    r"|linux_(?P<plain_cpu>.+)"
)
_OLD_GLIBC = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_LIBCS = {"manylinux": "glibc", "musllinux": "musl"}
_MAC = re.compile(r"macosx_(?P<major>\d+)_(?P<minor>\d+)_(?P<cpu>.+)")
_FIRST_WHOLE_MAC = 11
_OTHERS = (
    (re.compile(r"win32"), "Windows 32-bit x86"),
    (re.compile(r"win_(?P<cpu>.+)"), "Windows {cpu}"),
    (re.compile(r"android_(?P<major>\d+)_(?P<cpu>.+)"), "Android {cpu} (API {major} or newer)"),
    (re.compile(r"ios_(?P<major>\d+)_(?P<minor>\d+)_(?P<cpu>.+)_iphoneos"), "iOS {major}.{minor} or newer"),
    (
        re.compile(r"ios_(?P<major>\d+)_(?P<minor>\d+)_(?P<cpu>.+)_iphonesimulator"),
        "iOS simulator {major}.{minor} or newer ({cpu})",
    ),
    (re.compile(r"(?:pyodide|pyemscripten)_(?P<major>\d+)_(?P<minor>\d+)_wasm32"), "Pyodide {major}.{minor}"),
    (
        re.compile(r"emscripten_(?P<major>\d+)_(?P<minor>\d+)_(?P<patch>\d+)_wasm32"),
        "Emscripten {major}.{minor}.{patch}",
    ),
)


def plain_words(filename: Filename) -> str:
    """What kind of file this is, and what it is for."""
    match filename.packagetype:
        case "sdist":
            return "Source"
        case "bdist_dumb":
            return "Archive of installed files"
        case "bdist_egg":
            return _egg(filename)
        case "bdist_wheel":
            pythons, abis, platforms = _tags(filename)
            return f"Wheel for {_pythons(pythons, abis)}{_on(platforms)}"


def by_use(filename: Filename) -> tuple[int, Sequence[tuple[str, int, int]], str]:
    """A key that sorts files as somebody looks for them: wheels for any platform, other wheels, eggs, source."""
    order = {"bdist_wheel": 1, "bdist_egg": 2, "sdist": 3, "bdist_dumb": 4}[filename.packagetype]
    versions: Sequence[tuple[str, int, int]] = ()
    if filename.is_wheel:
        pythons, _, platforms = _tags(filename)
        versions = sorted(found for tag in pythons if (found := _version(tag)) is not None)
        order -= platforms == ["any"]
    return order, versions, filename.value


def _tags(filename: Filename) -> tuple[list[str], list[str], list[str]]:
    pythons, abis, platforms = filename.value.removesuffix(".whl").lower().split("-")[-3:]
    return pythons.split("."), abis.split("."), platforms.split(".")


def _egg(filename: Filename) -> str:
    python = "any Python" if filename.python == "any" else f"Python {filename.python}"
    match = _EGG_PLATFORM.search(filename.value)
    if match is None:
        return f"Egg for {python}"
    # The version of macOS has a dot there: macosx-10.9-x86_64.
    return f"Egg for {python}{_on([re.sub(r'[-.]', '_', match['platform'].lower())])}"


def _version(tag: str) -> tuple[str, int, int] | None:
    """Implementation, major and minor version; -1 where the tag names none."""
    match = _PYTHON.fullmatch(tag)
    if match is None:
        return None
    minor = int(match["minor"]) if match["minor"] else -1
    return match["kind"], int(match["major"]), minor if minor < _MOST_MINOR else -1


def _pythons(tags: Sequence[str], abis: Sequence[str]) -> str:
    graal = next((match for abi in abis if (match := _GRAAL.fullmatch(abi))), None)
    if graal is not None:
        return f"GraalPy {graal['major']}.{graal['minor']}"
    found: dict[str, list[tuple[int, int]]] = {}
    others: list[str] = []
    for tag in tags:
        version = _version(tag)
        if version is None or (version[0] != "py" and version[0] not in _IMPLEMENTATIONS):
            others.append(tag)
        else:
            found.setdefault(version[0], []).append(version[1:])
    words = [_versions(kind, sorted(versions), abis) for kind, versions in found.items()]
    return _and([*words, *others])


def _versions(kind: str, versions: Sequence[tuple[int, int]], abis: Sequence[str]) -> str:
    if kind == "py":
        return _generic(versions)
    newer = not {"abi3", "abi3t"}.isdisjoint(abis)
    numbers = [_number(one) for one in (versions[:1] if newer else versions)]
    words = f"{_IMPLEMENTATIONS[kind]} {_and(numbers)}{' or newer' if newer else ''}"
    free = [abi for abi in abis if re.fullmatch(r"cp\d+d?t|abi3t", abi)]
    if free:
        words += " (free-threaded)" if len(free) == len(abis) else " (free-threaded or not)"
    if any(re.fullmatch(r"cp\d+t?d[mu]*", abi) for abi in abis):
        words += " (debug build)"
    return words


def _generic(versions: Sequence[tuple[int, int]]) -> str:
    """Of each major version the lowest minor one: newer ones take the file too."""
    lowest: dict[int, int] = {}
    for major, minor in versions:
        lowest.setdefault(major, minor)
    if all(minor < 0 for minor in lowest.values()):
        return f"any Python {_and([str(major) for major in lowest], 'or')}"
    return "Python " + _and(
        [_number((major, minor)) + (" or newer" if minor >= 0 else "") for major, minor in lowest.items()]
    )


def _number(version: tuple[int, int]) -> str:
    major, minor = version
    return str(major) if minor < 0 else f"{major}.{minor}"


def _on(platforms: Sequence[str]) -> str:
    if "any" in platforms:
        return ""
    words = [*_linuxes(platforms), *_macs(platforms), *_other_platforms(platforms)]
    return f" on {_and(words)}"


def _linuxes(platforms: Iterable[str]) -> list[str]:
    """For each processor the oldest C library of each kind that will do."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for platform in platforms:
        match = _LINUX.fullmatch(platform)
        if match is None:
            continue
        libcs = found.setdefault(match["cpu"] or match["old_cpu"] or match["plain_cpu"], {})
        if match["old"]:
            libc, version = "glibc", _OLD_GLIBC[match["old"]]
        elif match["libc"]:
            libc, version = _LIBCS[match["libc"]], (int(match["major"]), int(match["minor"]))
        else:
            continue
        libcs[libc] = min(libcs.get(libc, version), version)
    return [f"Linux {_processor(cpu)}{_needed(libcs)}" for cpu, libcs in found.items()]


def _needed(libcs: dict[str, tuple[int, int]]) -> str:
    needs = [f"{libc} {_number(version)} or newer" for libc, version in sorted(libcs.items())]
    return f" ({', '.join(needs)})" if needs else ""


def _macs(platforms: Iterable[str]) -> list[str]:
    oldest: dict[str, tuple[int, int]] = {}
    for platform in platforms:
        match = _MAC.fullmatch(platform)
        if match is not None:
            version = int(match["major"]), int(match["minor"])
            for cpu in _MACS.get(match["cpu"], (match["cpu"],)):
                oldest[cpu] = min(oldest.get(cpu, version), version)
    cpus: dict[tuple[int, int], list[str]] = {}
    for cpu, version in oldest.items():
        cpus.setdefault(version, []).append(cpu)
    return [f"macOS {_mac_number(version)} or newer ({_and(names)})" for version, names in sorted(cpus.items())]


def _mac_number(version: tuple[int, int]) -> str:
    major, minor = version
    return str(major) if major >= _FIRST_WHOLE_MAC and not minor else f"{major}.{minor}"


def _other_platforms(platforms: Iterable[str]) -> list[str]:
    rest = [one for one in platforms if not _LINUX.fullmatch(one) and not _MAC.fullmatch(one)]
    return [_other(platform) for platform in rest]


def _other(platform: str) -> str:
    for pattern, words in _OTHERS:
        match = pattern.fullmatch(platform)
        if match is not None:
            parts = match.groupdict()
            return words.format(**{**parts, "cpu": _processor(parts.get("cpu") or "")})
    return platform


def _processor(tag: str) -> str:
    return _PROCESSORS.get(tag, tag)


def _and(words: Sequence[str], last: str = "and") -> str:
    if len(words) < 2:  # noqa: PLR2004  nothing to join
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
