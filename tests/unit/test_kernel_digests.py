from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypicloud_lite.kernel.digests import Digests, Hasher, digests_of
from pypicloud_lite.kernel.errors import InvalidRequest

EMPTY = digests_of(b"")


def test_the_digests_of_nothing_are_the_published_ones():
    assert (
        Digests(
            sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            blake2b_256="0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8",
            md5="d41d8cd98f00b204e9800998ecf8427e",
        )
        == EMPTY
    )


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_pieces_give_what_the_whole_gives(chunks):
    hasher = Hasher()
    for kind, chunk in zip((bytes, bytearray, memoryview, bytes, bytes), chunks, strict=False):
        hasher.update(kind(chunk))
    data = b"".join(chunks)

    assert hasher.digests() == digests_of(data)
    assert hasher.size == len(data)
    assert hasher.digests().sha256 == hashlib.sha256(data).hexdigest()


def test_digests_can_be_read_before_the_end():
    hasher = Hasher()
    hasher.update(b"a")
    first = hasher.digests()
    hasher.update(b"b")

    assert (first, hasher.digests()) == (digests_of(b"a"), digests_of(b"ab"))


@pytest.mark.parametrize("name", ["sha256", "blake2b_256", "md5"])
@pytest.mark.parametrize(
    "change",
    [
        lambda good: good[:0],
        lambda good: good[:-1],
        lambda good: good + "0",
        lambda good: "g" + good[1:],
        lambda good: "A" + good[1:],
        lambda good: good[:-1] + "\n",
        lambda good: "\u0661" + good[1:],
    ],
)
def test_what_is_no_digest(name, change):
    values = {"sha256": EMPTY.sha256, "blake2b_256": EMPTY.blake2b_256, "md5": EMPTY.md5}
    values[name] = change(values[name])

    with pytest.raises(InvalidRequest, match=f"A {name} digest"):
        Digests(**values)
