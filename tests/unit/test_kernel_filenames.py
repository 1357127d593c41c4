from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypicloud_lite.kernel.errors import InvalidName
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import ProjectName


@pytest.mark.parametrize(
    ("value", "project", "version", "packagetype", "python"),
    [
        ("a-1.0-py3-none-any.whl", "a", "1.0", "bdist_wheel", "py3"),
        ("My_Pkg-1.0.0-1-cp311-cp311-linux_x86_64.whl", "my-pkg", "1.0.0", "bdist_wheel", "cp311"),
        ("a-1.0-py2.py3-none-any.whl", "a", "1.0", "bdist_wheel", "py2.py3"),
        ("a-1.0+local.1-py3-none-any.whl", "a", "1.0+local.1", "bdist_wheel", "py3"),
        ("a-1!2.0-py3-none-any.whl", "a", "1!2.0", "bdist_wheel", "py3"),
        ("my_pkg-1.0.tar.gz", "my-pkg", "1.0", "sdist", "source"),
        ("My.Pkg-1.0.tar.gz", "my-pkg", "1.0", "sdist", "source"),
        ("my-pkg-1.0.tar.gz", "my-pkg", "1.0", "sdist", "source"),
        ("a-1.0-RC1.zip", "a", "1.0rc1", "sdist", "source"),
        ("a-1.0.tar.bz2", "a", "1.0", "sdist", "source"),
        ("a-1.0.tgz", "a", "1.0", "sdist", "source"),
        ("a-1.0-py3.11.egg", "a", "1.0", "bdist_egg", "3.11"),
        ("a_b-1.0_r5-py2.7-linux-x86_64.egg", "a-b", "1.0.post5", "bdist_egg", "2.7"),
        ("a-1.0.egg", "a", "1.0", "bdist_egg", "any"),
        ("a-1.0.linux-x86_64.tar.gz", "a", "1.0", "bdist_dumb", "any"),
        ("a-1.0.macosx-10.9-x86_64.zip", "a", "1.0", "bdist_dumb", "any"),
    ],
)
def test_what_a_filename_says(value, project, version, packagetype, python):
    filename = Filename.parse(value)

    assert (filename.project.value, filename.version) == (project, version)
    assert (filename.packagetype, filename.python) == (packagetype, python)
    assert str(filename) == value
    assert filename.is_wheel is (packagetype == "bdist_wheel")


def test_the_project_decides_between_two_readings():
    assert Filename.parse("a-2-1.0.tar.gz").project == ProjectName("a-2")
    assert Filename.parse("a-2-1.tar.gz", ProjectName("a-2")).version == "1"
    assert Filename.parse("a-2-1.tar.gz", ProjectName("a")).version == "2.post1"
    with pytest.raises(InvalidName, match="of project b"):
        Filename.parse("a-2-1.tar.gz", ProjectName("b"))


SEGMENTS = (
    *("..", ".", "../a", "../../etc/passwd", "/etc/passwd", "..\\..\\a", "C:\\a", "%2e%2e%2f", "%252e%252e%252f"),
    *("..%c0%af", "a/../..", "a\x00", "\x00", "a\n", "a\r\nX: y", "\uff0e\uff0e\uff0f", "\u2024\u2024/", "\u2025/"),
    *("\u0430", "\uff41", "\u0131", "\u0130", "\u212a", "a\u200b", "\u202e", "a b", " a", "a*", "a?", "<a>", '"', "'"),
    *("a;b", "a|b", "a&b", "$(a)", "`a`", "~", "a:b", "a\u0301", "a\ud800", "", "-", "--"),
)
SHAPES = ("{}", "{}-1.0.tar.gz", "{}-1.0-py3-none-any.whl", "a-{}.tar.gz", "a-{}-py3-none-any.whl", "{}-1.0.egg")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("segment", SEGMENTS)
def test_a_trick_is_no_filename(shape, segment):
    with pytest.raises(InvalidName) as caught:
        Filename.parse(shape.format(segment))

    assert caught.value.message.isascii()
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    "value",
    [
        *(
            "a.tar.gz",
            "a-1.0",
            "a-1.0.txt",
            "a-1.0.exe",
            "a-1.0.whl",
            "a-1.0.WHL",
            "a-1.0.tar.gz.asc",
            "CON",
            "NUL.tar.gz",
        ),
        *("-1.0.tar.gz", "a-.tar.gz", "a-one.tar.gz", "a-1.0.tar.gz/", ".a-1.0.tar.gz", "a-1.0-py3-none.whl"),
        *("a-one-py3-none-any.whl", "a--1.0-py3-none-any.whl", "a-1.0-x-py3-none-any.whl"),
        *("a-1.0.linux-x86_64", "one.linux-x86_64.tar.gz", "a-1.0-py3-none-any-extra-parts.whl"),
        *("a" * 194 + "-1.0.tar.gz", "a-" + "1" * 190 + ".tar.gz", "a" * 130 + "-1.0.tar.gz"),
    ],
)
def test_what_is_no_filename(value):
    with pytest.raises(InvalidName):
        Filename.parse(value)


def test_the_longest_filename():
    version = "1." + "0" * 90
    name = "a" * (200 - len(f"-{version}.tar.gz"))
    assert len(Filename.parse(f"{name}-{version}.tar.gz").value) == 200
    with pytest.raises(InvalidName, match="at most 200"):
        Filename.parse(f"{name}a-{version}.tar.gz")


@given(st.text(max_size=40), st.sampled_from([".tar.gz", ".zip", ".whl", ".egg", "-1.0.tar.gz", "-1-py3-none-any.whl"]))
def test_a_filename_is_refused_or_safe(stem, suffix):
    try:
        filename = Filename.parse(stem + suffix)
    except InvalidName:
        return
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+!-]*", filename.value)
    assert "/" not in filename.value
    assert ProjectName.parse(filename.project.value) == filename.project


@given(
    st.from_regex(r"[a-z0-9]+(_[a-z0-9]+){0,2}", fullmatch=True).filter(lambda name: len(name) < 100),
    st.integers(0, 9999),
    st.integers(0, 9999),
)
def test_a_built_filename_is_read_back(name, major, minor):
    version = f"{major}.{minor}"
    for suffix in (".tar.gz", "-py3-none-any.whl"):
        filename = Filename.parse(f"{name}-{version}{suffix}")
        assert (filename.project, filename.version) == (ProjectName.parse(name), version)
