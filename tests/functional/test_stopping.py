"""How a running server ends: politely, also on Ctrl-C, which a terminal sends to every process of it."""

from __future__ import annotations

import os
import signal
import socket
import time
import urllib.request

import pytest

from pypicloud_lite.testing.live import LiveServer, write_config


@pytest.mark.parametrize("whole_group", [True, False], ids=["group", "master"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_in_flight_is_answered(tmp_path, number, whole_group):
    settings = {"pypi.default_write": "everyone", "pypi.default_read": "everyone"}
    # One worker: a second one might still be starting, and ends otherwise then.
    with LiveServer(tmp_path, settings, workers=1) as server:
        master = server.process
        with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
            body = b'--b\r\nContent-Disposition: form-data; name=":action"\r\n\r\nsubmit\r\n--b--\r\n'
            head = (
                "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\n"
                f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            connection.sendall(head.encode())
            # The view has begun to read: the request is in flight.
            assert connection.recv(1024).startswith(b"HTTP/1.1 100 ")
            (os.killpg if whole_group else os.kill)(master.pid, number)
            connection.sendall(body)
            assert connection.recv(1024).startswith(b"HTTP/1.1 200 ")
        assert master.wait(20) == 0
    assert "Traceback" not in server.log.read_text()


def test_it_starts_without_any_file_and_keeps_nothing_open(tmp_path):
    with LiveServer(tmp_path, {}) as server:
        with urllib.request.urlopen(f"{server.url}/health", timeout=10) as answer:
            assert answer.status == 200
        assert server.stop() == 0
    assert (tmp_path / "data" / "catalog.sqlite").is_file()


def answers_until(server, is_so):
    """Ask for pages until something is so; each one must be answered."""
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline, server.log.read_text()
        with urllib.request.urlopen(f"{server.url}/health/live", timeout=10) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"pypi.max_upload_size": "many"}, "pypi.max_upload_size"), ({"db.url": "nonsense://"}, "db.url")],
    ids=["value", "database"],
)
def test_a_reload_with_a_mistake_in_the_file_changes_nothing(tmp_path, wrong, said):
    with LiveServer(tmp_path, {}) as server:
        workers = server.worker_pids()
        write_config(server.config, wrong)
        server.process.send_signal(signal.SIGHUP)
        answers_until(server, lambda: "Not reloaded" in server.log.read_text())
        assert said in server.log.read_text().partition("Not reloaded")[2]
        assert server.worker_pids() == workers
        # Mended, it is taken over by new workers.
        write_config(server.config, {"pypi.realm": "mended"})
        server.process.send_signal(signal.SIGHUP)
        answers_until(server, lambda: server.worker_pids() and not set(workers) & set(server.worker_pids()))
        assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()
