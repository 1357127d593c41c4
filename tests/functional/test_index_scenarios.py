"""What people do with named indexes, through devpi's dialect and through the REST API, in process."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.index_drivers import DevpiCalls, RestCalls, people_settings
from pypicloud_lite.testing.index_scenarios import SCENARIOS
from pypicloud_lite.testing.upstream_server import FakeIndex
from pypicloud_lite.testing.world import World

PUBLIC = build_wheel("labpkg", "9.9")


@pytest.mark.parametrize("kind", [DevpiCalls, RestCalls])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(
    scenario: str,
    kind: type[DevpiCalls | RestCalls],
    make_mirror: Callable[..., World],
    upstream_index: FakeIndex,
) -> None:
    upstream_index.add("labpkg", PUBLIC.filename, PUBLIC.data)
    settings = {key.replace(".", "__"): value for key, value in people_settings().items()}
    world = make_mirror("none", mirror__enabled="true", **settings)
    # WebTest's own checks know no PUSH.
    world.app.lint = False

    def call(_who: str, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        answer = world.app.request(path, method=method, body=body, headers=dict(headers), status="*")
        return answer.status_int, answer.body

    SCENARIOS[scenario](kind(call))
