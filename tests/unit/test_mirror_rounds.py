"""What was found without asking some servers says something of asking fewer, for a moment."""

from __future__ import annotations

from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.mirror.rounds import Rounds

DEMO, OTHER = ProjectName("demo"), ProjectName("other")


class Time:
    now = 0.0

    def __call__(self):
        return self.now


def test_known_for_the_same_servers_and_more_of_them_for_ten_seconds():
    time = Time()
    rounds = Rounds(time)
    assert not rounds.knows(DEMO, "a")
    rounds.remember(DEMO, ["a"])
    assert rounds.knows(DEMO, ["a"])
    assert rounds.knows(DEMO, ["b", "a"])
    assert not rounds.knows(DEMO, ["b"])
    assert not rounds.knows(DEMO, [])
    assert not rounds.knows(OTHER, ["a"])
    time.now = 5
    rounds.remember(DEMO, ["b"])
    time.now = 10
    assert not rounds.knows(DEMO, ["a"])
    assert rounds.knows(DEMO, ["b"])


def test_oldest_of_too_many_is_forgotten():
    rounds = Rounds()
    for number in range(1025):
        rounds.remember(ProjectName(f"demo-{number}"), ["a"])
    assert not rounds.knows(ProjectName("demo-0"), ["a"])
    assert rounds.knows(ProjectName("demo-1"), ["a"])
