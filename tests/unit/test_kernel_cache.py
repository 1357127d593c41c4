"""What is kept in memory stays within its size and its time."""

from __future__ import annotations

from pypicloud_lite.kernel.cache import Cache


def test_the_cache_stays_within_its_size():
    cache = Cache(10_000, len)
    for number in range(100):
        cache.put(bytes([number]), "y" * 2000)
        assert cache.get(b"\0") is not None or number > 3
        assert cache.weight <= 10_000
    assert cache.get(bytes([99])) is not None
    assert cache.get(bytes([50])) is None


def test_the_cache_keeps_what_is_asked_for():
    cache = Cache(10_000, len)
    for number in range(100):
        cache.put(bytes([number]), "y" * 2000)
        assert cache.get(b"\0") is not None


def test_one_entry_stays_whatever_its_size():
    cache = Cache(10, len)
    cache.put(b"a", "x" * 1000)
    assert cache.get(b"a") == "x" * 1000
    cache.put(b"b", "y" * 2000)
    assert (cache.get(b"a"), cache.get(b"b")) == (None, "y" * 2000)


def test_an_entry_ends_with_its_time_and_may_be_put_again():
    now = [0.0]
    cache = Cache(10_000, len, lambda: now[0])
    cache.put(b"a", "x" * 1000, 60)
    empty = Cache(10_000, len).weight
    now[0] = 59.9
    assert cache.get(b"a") is not None
    now[0] = 60.0
    assert cache.get(b"a") is None
    assert cache.weight == empty
    for _ in range(3):
        cache.put(b"a", "x" * 1000, 60)
    assert cache.weight < 2000
