"""A browser sends a remembered login along with any page's request: another site's page may change nothing."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.world import basic

WHEEL = build_wheel("demo", "1.0")
ADDRESS = f"/api/package/demo/{WHEEL.filename}"
HOST = "packages.example.com"

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "cross-site", "Origin": f"https://{HOST}"},
    {"Origin": "https://evil.example.com"},
    {"Origin": f"https://{HOST}.evil.example.com"},
    {"Origin": f"https://{HOST}:8443"},
    {"Origin": "null"},
]
OWN = [
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": f"https://{HOST}"},
    {"Origin": f"https://{HOST}"},
    {"Origin": f"http://{HOST}"},
]


def named(headers):
    return ",".join(f"{name}={value}" for name, value in headers.items()) or "none"


def send(world, method, headers, status):
    headers = {"Authorization": basic("writer"), "Host": HOST, **headers}
    if method == "DELETE":
        return world.app.delete(ADDRESS, headers=headers, status=status)
    form = {":action": "file_upload", "protocol_version": "1", "metadata_version": "2.1"}
    return world.app.post(
        "/",
        {**form, "name": "demo", "version": "1.0"},
        upload_files=[("content", WHEEL.filename, WHEEL.data)],
        headers=headers,
        status=status,
    )


def listed(world):
    return [file["filename"] for file in world.project("demo")["files"]]


@pytest.mark.parametrize("headers", FOREIGN, ids=named)
def test_another_sites_page_changes_nothing(world, headers):
    answer = send(world, "POST", headers, 403)
    assert "another site" in answer.text
    world.get("/simple/demo/", status=404)
    world.upload(WHEEL)
    send(world, "DELETE", headers, 403)
    assert listed(world) == [WHEEL.filename]


@pytest.mark.parametrize("headers", OWN, ids=named)
def test_own_pages_and_package_clients_may(world, headers):
    send(world, "POST", headers, 200)
    assert listed(world) == [WHEEL.filename]
    send(world, "DELETE", headers, 200)
    world.get("/simple/demo/", status=404)


@pytest.mark.parametrize("headers", FOREIGN, ids=named)
def test_anyone_may_link_here(world, headers):
    world.upload(WHEEL)
    for path in ("/", "/simple/demo/", f"/packages/root/main/demo/{WHEEL.filename}"):
        world.app.get(path, headers={"Authorization": basic("reader"), **headers}, status=200)
