"""The benchmark's own arithmetic: a figure that is wrong misleads longer than one that is missing."""

from __future__ import annotations

import os

import pytest

from bench import concurrent, report
from bench.accounting import TICK, Meter, busy_seconds, parse_stat
from bench.profiling import environ_of

STAT = "4242 (a (b) c) S 1 4242 4242 0 -1 4194560 900 0 0 0 {user} {system} {waited_user} {waited_system} 20 0 9 0 77"


def test_a_process_and_its_children():
    text = STAT.format(user=3 * TICK, system=TICK, waited_user=TICK // 2, waited_system=TICK // 2)
    assert parse_stat(text) == pytest.approx(5.0)


def test_the_machine_without_idle_and_waiting():
    ticks = [one * TICK for one in (1, 2, 3, 1000, 1000, 4, 5, 6, 0, 0)]
    assert busy_seconds("cpu  " + " ".join(map(str, ticks)) + "\ncpu0 0 0 0 0") == pytest.approx(21.0)


def test_work_of_the_load_itself_is_no_foreign_work():
    with Meter([os.getpid()]) as meter:
        sum(number * number for number in range(2_000_000))
    assert meter.spent.cpu > 0
    assert meter.spent.wall >= meter.spent.cpu - 2 / TICK


def line(**rounds):
    made = report.Line("x")
    for name, figures in rounds.items():
        for cpu, foreign in figures:
            made.add(name, report.Round(cpu, 2 * cpu, foreign))
    return made


def test_a_ratio_compares_rounds_of_one_turn():
    drifting = line(ours=[(2, 0), (20, 0), (6, 0)], bare=[(1, 0), (10, 0), (2, 0)])
    assert drifting.ratios("ours", "bare") == [2, 2, 3]
    assert report.ratio(drifting, "ours", "bare") == "2.00 (2.00-3.00)"


def test_disturbed_rounds_are_left_out_where_there_are_others():
    found = line(ours=[(2, 0), (9, 0.9), (4, 0)], bare=[(1, 0), (1, 0), (1, 0.5)])
    assert (found.ratios("ours", "bare"), found.noisy) == ([2], 2)
    assert found.cpu("ours") == 3
    assert line(ours=[(2, 0.9)], bare=[(1, 0.9)]).ratios("ours", "bare") == [2]


def test_a_line_beside_another_one_of_the_same_server():
    told = report.beside(line(ours=[(3, 0), (3, 0), (90, 0.9)]), line(ours=[(2, 0)]), "ours")
    assert told == "x beside x: 1.50 x its CPU, 1.50 x its time"


def test_rounds_of_two_servers_are_compared_with_each_other():
    def turns(*figures):
        return [concurrent.Turn(0.1, whole, 1, foreign) for whole, foreign in figures]

    told = concurrent.summary(turns((1, 0), (9, 0), (2, 0)), turns((4, 0), (9, 0.9), (10, 0)))
    assert told == "this server / devpi-server: 0.225 (0.200-0.250), 2 of 3 rounds undisturbed"
    assert "0.500 (0.500-0.500), 0 of 1" in concurrent.summary(turns((1, 2)), turns((2, 2)))


def test_nothing_is_divided_by_nothing():
    none = line(ours=[(2, 0)], bare=[(0, 0)])
    assert none.ratios("ours", "bare") == []
    assert report.ratio(none, "ours", "bare") == "-"
    assert report.ratio(none, "ours", "nginx") == "-"


def test_the_table_and_the_most_expensive_line():
    cheap, dear = line(ours=[(2, 0)], bare=[(1, 0)], nginx=[(0.1, 0)]), line(ours=[(9, 0)], bare=[(1, 0)])
    cheap.name, dear.name = "cheap", "dear"
    rows = report.table([cheap, dear], "ours", "bare", "nginx").splitlines()
    assert rows[2].split()[:3] == ["cheap", "2.00", "(2.00-2.00)"]
    assert "20.00" in rows[2]
    assert rows[3].split()[3] == "-"
    assert report.most_expensive([cheap, dear], "ours", "bare") == "dear"


def test_an_environment_of_bytes():
    message = b"POST /a%20b?c=d HTTP/1.1\r\nHost: h\r\nContent-Type: text/x\r\nContent-Length: 2\r\nIf-None-Match: e\r\n\r\nxy"
    environ = environ_of(message)
    assert (environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"]) == ("POST", "/a b", "c=d")
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"], environ["HTTP_IF_NONE_MATCH"]) == ("text/x", "2", "e")
    assert environ["wsgi.input"].read() == b"xy"
