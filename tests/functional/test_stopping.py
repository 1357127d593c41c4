"""How a running server ends: politely, also on Ctrl-C, which a terminal sends to every process of it."""

from __future__ import annotations

import os
import signal
import socket
import urllib.request

import pytest

from pypicloud_lite.testing.live import LiveServer


@pytest.mark.parametrize("whole_group", [True, False], ids=["group", "master"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_in_flight_is_answered(tmp_path, number, whole_group):
    settings = {"pypi.default_write": "everyone", "pypi.default_read": "everyone"}
    with LiveServer(tmp_path, settings) as server:
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
