"""What a file is for, in plain words, for the tags that real files have."""

from __future__ import annotations

import pytest

from pypicloud_lite.browse.plain_tags import by_use, plain_words
from pypicloud_lite.kernel.filenames import Filename

WHEELS = {
    "py3-none-any": "any Python 3",
    "py2.py3-none-any": "any Python 2 or 3",
    "py2-none-any": "any Python 2",
    "py27-none-any": "Python 2.7 or newer",
    "py38-none-any": "Python 3.8 or newer",
    "py310.py39.py38-none-any": "Python 3.8 or newer",
    "py27.py3-none-any": "Python 2.7 or newer and 3",
    "py3-none-win_amd64": "any Python 3 on Windows x86-64",
    "py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64": "any Python 3 on Linux x86-64 (glibc 2.17 or newer)",
    "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64": "CPython 3.11 on Linux x86-64 (glibc 2.17 or newer)",
    "cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64": (
        "CPython 3.11 on Linux x86-64 (glibc 2.17 or newer)"
    ),
    "cp39-cp39-manylinux1_i686.manylinux_2_5_i686": "CPython 3.9 on Linux 32-bit x86 (glibc 2.5 or newer)",
    "cp39-cp39-manylinux2010_x86_64": "CPython 3.9 on Linux x86-64 (glibc 2.12 or newer)",
    "cp312-cp312-manylinux_2_17_aarch64": "CPython 3.12 on Linux ARM64 (glibc 2.17 or newer)",
    "cp312-cp312-manylinux_2_17_s390x": "CPython 3.12 on Linux s390x (glibc 2.17 or newer)",
    "cp312-cp312-manylinux_2_17_ppc64le": "CPython 3.12 on Linux POWER ppc64le (glibc 2.17 or newer)",
    "cp314-cp314-manylinux_2_39_riscv64": "CPython 3.14 on Linux 64-bit RISC-V (glibc 2.39 or newer)",
    "cp312-cp312-musllinux_1_2_x86_64": "CPython 3.12 on Linux x86-64 (musl 1.2 or newer)",
    "py3-none-manylinux_2_12_x86_64.manylinux2010_x86_64.musllinux_1_1_x86_64": (
        "any Python 3 on Linux x86-64 (glibc 2.12 or newer, musl 1.1 or newer)"
    ),
    "cp311-cp311-linux_armv7l": "CPython 3.11 on Linux ARMv7",
    "cp311-cp311-linux_armv6l": "CPython 3.11 on Linux ARMv6",
    "cp311-cp311-linux_x86_64": "CPython 3.11 on Linux x86-64",
    "cp312-cp312-macosx_11_0_arm64": "CPython 3.12 on macOS 11 or newer (Apple silicon)",
    "cp312-cp312-macosx_10_13_universal2": "CPython 3.12 on macOS 10.13 or newer (Apple silicon and Intel)",
    "cp312-cp312-macosx_10_9_x86_64": "CPython 3.12 on macOS 10.9 or newer (Intel)",
    "cp27-cp27m-macosx_10_6_intel.macosx_10_9_intel.macosx_10_9_x86_64": "CPython 2.7 on macOS 10.6 or newer (Intel)",
    "cp39-cp39-macosx_10_9_x86_64.macosx_11_0_arm64": (
        "CPython 3.9 on macOS 10.9 or newer (Intel) and macOS 11 or newer (Apple silicon)"
    ),
    "cp38-cp38-win32": "CPython 3.8 on Windows 32-bit x86",
    "cp313-cp313-win_arm64": "CPython 3.13 on Windows ARM64",
    "cp313-cp313t-win_amd64": "CPython 3.13 (free-threaded) on Windows x86-64",
    "cp315-abi3.abi3t-win_amd64": "CPython 3.15 or newer (free-threaded or not) on Windows x86-64",
    "cp37-abi3-win_amd64": "CPython 3.7 or newer on Windows x86-64",
    "cp36.cp37.cp38-abi3-manylinux1_x86_64": "CPython 3.6 or newer on Linux x86-64 (glibc 2.5 or newer)",
    "cp36.cp37-none-any": "CPython 3.6 and 3.7",
    "cp27-cp27mu-manylinux1_x86_64": "CPython 2.7 on Linux x86-64 (glibc 2.5 or newer)",
    "cp38-cp38d-win_amd64": "CPython 3.8 (debug build) on Windows x86-64",
    "pp310-pypy310_pp73-win_amd64": "PyPy 3.10 on Windows x86-64",
    "pp39.pp310-none-any": "PyPy 3.9 and 3.10",
    "pp373-pypy36_pp73-win32": "PyPy 3 on Windows 32-bit x86",
    "graalpy311-graalpy242_311_native-macosx_11_0_arm64": "GraalPy 3.11 on macOS 11 or newer (Apple silicon)",
    "jy27-none-any": "Jython 2.7",
    "cp313-cp313-ios_13_0_arm64_iphoneos": "CPython 3.13 on iOS 13.0 or newer",
    "cp313-cp313-ios_13_0_x86_64_iphonesimulator": "CPython 3.13 on iOS simulator 13.0 or newer (x86-64)",
    "cp313-cp313-android_21_arm64_v8a": "CPython 3.13 on Android ARM64 (API 21 or newer)",
    "cp312-cp312-pyodide_2024_0_wasm32": "CPython 3.12 on Pyodide 2024.0",
    "cp312-cp312-emscripten_3_1_58_wasm32": "CPython 3.12 on Emscripten 3.1.58",
    "cp311-cp311-freebsd_13_2_release_amd64": "CPython 3.11 on freebsd_13_2_release_amd64",
    "xx99-none-any": "xx99",
    "py3-none-linux_x86_64.win_amd64": "any Python 3 on Linux x86-64 and Windows x86-64",
}
OTHERS = {
    "demo-1.0.tar.gz": "Source",
    "demo-1.0.zip": "Source",
    "demo-1.0-py3.8.egg": "Egg for Python 3.8",
    "demo-1.0.egg": "Egg for any Python",
    "demo-1.0-py2.7-win-amd64.egg": "Egg for Python 2.7 on Windows x86-64",
    "demo-1.0-py3.6-macosx-10.9-x86_64.egg": "Egg for Python 3.6 on macOS 10.9 or newer (Intel)",
    "demo-1.0-py3.6-linux-x86_64.egg": "Egg for Python 3.6 on Linux x86-64",
    "demo-1.0.linux-x86_64.tar.gz": "Archive of installed files",
}


@pytest.mark.parametrize(("tags", "words"), WHEELS.items())
def test_wheels(tags, words):
    assert plain_words(Filename.parse(f"demo-1.0-{tags}.whl")) == f"Wheel for {words}"
    assert plain_words(Filename.parse(f"demo-1.0-1build-{tags}.whl")) == f"Wheel for {words}"


@pytest.mark.parametrize(("filename", "words"), OTHERS.items())
def test_what_is_no_wheel(filename, words):
    assert plain_words(Filename.parse(filename)) == words


def test_files_are_in_the_order_in_which_they_are_looked_for():
    ordered = [
        "demo-1.0-py2.py3-none-any.whl",
        "demo-1.0-py3-none-any.whl",
        "demo-1.0-unheard-none-win32.whl",
        "demo-1.0-cp39-cp39-win32.whl",
        "demo-1.0-cp39-cp39-win_amd64.whl",
        "demo-1.0-cp310-cp310-macosx_11_0_arm64.whl",
        "demo-1.0-cp310-cp310-win_amd64.whl",
        "demo-1.0-pp310-pypy310_pp73-win_amd64.whl",
        "demo-1.0-py3.8.egg",
        "demo-1.0.tar.gz",
        "demo-1.0.linux-x86_64.tar.gz",
    ]
    names = [Filename.parse(one) for one in reversed(ordered)]
    assert [str(one) for one in sorted(names, key=by_use)] == ordered
