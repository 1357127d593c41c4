"""What calls that take no file read of a body that is far too long: a little, and none before the right is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pypicloud_lite.testing.world import World, basic

MIB = 1024 * 1024
ANNOUNCED = 300 * MIB


class Endless:
    """The body, which counts what is taken of it."""

    def __init__(self) -> None:
        self.left = ANNOUNCED
        self.most_at_once = 0

    def read(self, size: int = -1) -> bytes:
        size = self.left if size < 0 else min(size, self.left)
        assert size <= 2 * MIB, "the whole body is asked for at once"
        self.left -= size
        self.most_at_once = max(self.most_at_once, size)
        return b" " * size

    @property
    def taken(self) -> int:
        return ANNOUNCED - self.left


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    world = make_world({"pypi.auth": "sql config", "index.acme/stable.bases": "root/main"})
    world.send("PUT", "/writer/dev", "writer", 200, {"acl_read": "writer"})
    world.app.lint = False
    return world


def ask(world: World, method: str, path: str, user: str | None, *, chunked: bool = False) -> tuple[Any, Endless]:
    body = Endless()
    request = world.app.RequestClass.blank(path, method=method, environ={"REMOTE_ADDR": "192.0.2.1"})
    request.environ["wsgi.input"] = body
    request.environ |= {"HTTP_ACCEPT": "application/json", "CONTENT_TYPE": "application/json"}
    if chunked:
        request.environ |= {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
        request.environ.pop("CONTENT_LENGTH", None)
    else:
        request.environ["CONTENT_LENGTH"] = str(ANNOUNCED)
    if user is not None:
        request.environ["HTTP_AUTHORIZATION"] = basic(user)
    return world.app.do_request(request, status="*", expect_errors=True), body


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
@pytest.mark.parametrize(
    ("method", "path", "user", "status"),
    [
        ("PUT", "/writer/new", None, 401),
        ("PUT", "/writer/new", "reader", 403),
        ("PUT", "/nobody/new", "reader", 404),
        ("PUT", "/writer/new", "writer", 413),
        ("PATCH", "/writer/dev", None, 401),
        ("PATCH", "/writer/dev", "reader", 404),
        ("PATCH", "/writer/none", None, 401),
        ("PATCH", "/root/main", "reader", 403),
        ("PATCH", "/acme/stable", "admin", 409),
        ("PATCH", "/writer/dev", "writer", 413),
        ("PUSH", "/writer/dev", None, 413),
        ("PUSH", "/writer/dev", "writer", 413),
        ("PUT", "/somebody", None, 413),
        ("PATCH", "/writer", "writer", 413),
        ("POST", "/+login", None, 413),
        ("PUT", "/api/index/writer/new", None, 401),
        ("PATCH", "/api/index/writer/dev", "reader", 413),
        ("POST", "/api/promote", "writer", 413),
    ],
)
def test_a_body_that_is_too_long_is_not_taken_in(
    world: World, method: str, path: str, user: str | None, status: int, chunked: bool
) -> None:
    answer, body = ask(world, method, path, user, chunked=chunked)
    assert answer.status_int == status, answer.text
    assert body.taken <= 8 * MIB
    if status != 413:
        # Only to be forgotten, piece by piece.
        assert body.most_at_once <= MIB // 4


def test_a_body_that_fits_is_read_whatever_says_where_it_ends(world: World) -> None:
    headers = {"Authorization": basic("writer"), "Accept": "application/json"}
    titles = ["x" * 10_000, "y"]
    body = b'{"title": "' + titles[0].encode() + b'"' + b" " * (MIB - 10_020) + b"}"
    for more in ({}, {"Transfer-Encoding": "chunked"}):
        answer = world.app.request("/writer/dev", method="PATCH", headers={**headers, **more}, body=body, status=200)
        assert answer.json["result"]["title"] == titles[0]
    world.app.request("/writer/bare", method="PUT", headers=headers, body=b"  ", status=200)
    world.app.request("/writer/dev", method="PATCH", headers=headers, body=b"  ", status=400)
