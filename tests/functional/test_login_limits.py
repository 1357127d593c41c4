"""T07, T29 and F31 through the whole application: limits as they are set, whoever says where a request comes from."""

from __future__ import annotations

import http.client

import pytest

from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.world import basic, user_settings


def wrong(world, user="reader", number=0, address="192.0.2.1", **headers):
    """The status of a login that fails, and what Retry-After says."""
    sent = {
        "Authorization": basic(user, f"wrong{number}"),
        **{key.replace("_", "-"): text for key, text in headers.items()},
    }
    answer = world.app.get("/simple/", headers=sent, extra_environ={"REMOTE_ADDR": address}, status=[401, 429])
    return answer.status_int, answer.headers.get("Retry-After")


def test_t07_the_limits_are_those_of_the_settings(make_world):
    world = make_world(
        {"auth.limit_user": "2", "auth.limit_address": "3", "auth.limit_overall": "5", "auth.limit_window": "2 min"}
    )
    assert [wrong(world, number=number) for number in range(3)] == [(401, None), (401, None), (429, "120")]
    assert [wrong(world, "writer", number) for number in range(2)] == [(401, None), (429, "120")]
    assert [wrong(world, "admin", number, "198.51.100.1") for number in range(3)] == [
        (401, None),
        (401, None),
        (429, "120"),
    ]
    assert wrong(world, "outsider", 0, "203.0.113.1") == (429, "120")


def test_t07_who_was_let_in_before_goes_on_while_all_is_used_up(make_world):
    world = make_world({"auth.limit_overall": "3"})
    world.get("/simple/", "reader", 200)
    assert [wrong(world, f"user{number}", number, f"198.51.100.{number}")[0] for number in range(4)] == [
        401,
        401,
        401,
        429,
    ]
    world.get("/simple/", "reader", 200)
    world.get("/simple/", "writer", 429)


@pytest.mark.parametrize("header", ["X_Forwarded_For", "Forwarded", "X_Real_IP", "X_Client_IP"])
def test_t29_nobody_gets_another_try_by_saying_where_it_comes_from(make_world, header):
    world = make_world({"auth.limit_user": "3"})
    seen = [wrong(world, number=number, **{header: f"198.51.100.{number}"})[0] for number in range(5)]
    assert seen == [401, 401, 401, 429, 429]


def test_t29_behind_a_trusted_proxy_each_caller_has_its_own_limit(make_world):
    world = make_world({"auth.limit_user": "2", "pypi.trusted_proxies": "192.0.2.1"})
    for caller in ("198.51.100.1", "198.51.100.2"):
        assert [wrong(world, number=number, X_Forwarded_For=caller)[0] for number in range(3)] == [401, 401, 429]
    # What the caller itself wrote before the proxy's own word is no other caller.
    spoofed = [
        wrong(world, number=number, X_Forwarded_For=f"203.0.113.{number}, 198.51.100.1")[0] for number in range(3)
    ]
    assert spoofed == [429] * 3


def test_f31_while_redis_is_down_logins_work_and_are_limited(make_world, redis_server):
    redis_server.stop()
    world = make_world({"auth.limit_url": redis_server.url, "auth.limit_user": "3"})
    world.get("/simple/", "reader", 200)
    assert [wrong(world, number=number)[0] for number in range(4)] == [401, 401, 401, 429]
    world.get("/health/ready", None, 200)


def test_t07_workers_share_the_limit_in_redis(tmp_path, redis_server):
    """Each on connections of their own, which reach any of them."""
    folder = tmp_path / "live"
    settings = {
        **user_settings(),
        "auth.limit_url": redis_server.url,
        "auth.limit_user": "8",
        "db.url": f"sqlite:///{folder}/catalog.sqlite",
        "storage.dir": f"{folder}/packages",
    }
    with LiveServer(folder, settings, workers=3) as server:
        statuses = [status(server, f"wrong{number}") for number in range(24)]
        assert statuses == [401] * 8 + [429] * 16
        assert redis_server.url not in server.log.read_text()


def status(server, password):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", "/simple/", headers={"Authorization": basic("reader", password)})
        return connection.getresponse().status
    finally:
        connection.close()


def test_t33_the_password_of_redis_is_in_no_message(make_world):
    world = make_world({"auth.limit_url": "redis://:zzyzx-canary@127.0.0.1:1/0"})
    world.get("/simple/", "reader", 200)
    assert "canary" not in repr(world.loaded)
    assert "canary" not in str(world.services.warnings)
