"""Documentation that would do harm, in a real browser: it is shown, and reaches nothing."""

from __future__ import annotations

import urllib.request

import pytest

from pypicloud_lite.testing.artifacts import zip_bytes
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.world import PASSWORDS, basic, user_settings

PAGE = b"""<!doctype html><meta charset="utf-8"><title>loading</title>
<link rel="stylesheet" href="style.css"><script src="app.js"></script><p id="text">Documentation</p>
<script>
const found = { origin: self.origin, script: window.ran };
const attempt = (name, what) => { try { found[name] = what(); } catch (error) { found[name] = error.name; } };
attempt("cookie", () => document.cookie);
attempt("storage", () => localStorage.length);
const got = (address, more) => fetch(address, more).then((answer) => answer.text(), () => "refused");
const post = () => fetch("/account/token", { method: "POST", credentials: "include" }).then(() => "sent", () => "refused");
Promise.all([got("data.json"), got("/api/user", { credentials: "include" }), post()]).then(([own, api, sent]) => {
  Object.assign(found, { own, api, sent, color: getComputedStyle(document.getElementById("text")).color });
  window.found = found;
  document.title = "done";
});
</script>"""
SITE = {
    "index.html": PAGE,
    "style.css": b"p { color: rgb(1, 2, 3) }",
    "app.js": b"window.ran = true;",
    "data.json": b'{"a": 1}',
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {**user_settings(), "pypi.auth": "config sql", "pypi.default_read": "everyone"}
    with LiveServer(tmp_path_factory.mktemp("docs"), settings, workers=1) as made:
        yield made


def upload(server):
    parts = {":action": b"doc_upload", "name": b"demo", "version": b"1.0"}
    body = b"".join(
        f'--b0undary\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"
        for name, value in parts.items()
    )
    head = '--b0undary\r\nContent-Disposition: form-data; name="content"; filename="demo.zip"\r\n\r\n'
    body += head.encode() + zip_bytes(SITE) + b"\r\n--b0undary--\r\n"
    headers = {"Authorization": basic("writer"), "Content-Type": "multipart/form-data; boundary=b0undary"}
    with urllib.request.urlopen(urllib.request.Request(f"{server.url}/", body, headers)) as answer:
        assert (answer.status, answer.read()) == (200, b"")


def test_scripts_run_and_reach_nothing(server, chromium):
    upload(server)
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{server.url}/login")
    page.fill("[name=username]", "reader")
    page.fill("[name=password]", PASSWORDS["reader"])
    page.press("[name=password]", "Enter")
    page.wait_for_url(lambda url: "login" not in url)
    page.goto(f"{server.url}/root/main/demo/stable/+doc/")
    page.wait_for_function("document.title === 'done'")
    assert page.evaluate("window.found") == {
        "origin": "null",
        "script": True,
        "color": "rgb(1, 2, 3)",
        "cookie": "SecurityError",
        "storage": "SecurityError",
        "own": '{"a": 1}',
        "api": "refused",
        "sent": "refused",
    }
    context.close()
