"""T33 and line 49: no password, hash, header or backend's credential in a log line, a response or a repr."""

from __future__ import annotations

import base64
import sqlite3
import urllib.error
import urllib.request

import pytest
import structlog

from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.kernel.errors import PpcError
from pypicloud_lite.serve.simple import SimpleApi
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.live import LiveServer, free_port
from pypicloud_lite.testing.world import World, basic, user_settings
from pypicloud_lite.web.logs import configure_logging
from pypicloud_lite.wiring import build, load_raw, prepare

CANARY = "zzyzx-canary"
PASSWORD = f"{CANARY}-password"
SECRETS = {
    "storage.aws_access_key_id": f"{CANARY}-id",
    "storage.aws_secret_access_key": f"{CANARY}-key",
    "storage.aws_session_token": f"{CANARY}-session",
}


def leaks(text, *more):
    """Which of the canaries, in any of the forms in which they travel, are in ``text``."""
    hashes = [secret for secret in more if secret]
    encoded = [base64.b64encode(f"{user}:{PASSWORD}".encode()).decode() for user in ("reader", "writer")]
    return [secret for secret in (CANARY, *encoded, *hashes) if secret in text]


def settings():
    stored = hash_password(PASSWORD, "pbkdf2_sha256", 1000)
    return {**user_settings(), "user.reader": stored, "user.writer": stored}


def everything(url):
    """Good, refused and broken requests, with the secret in each place where a client may put it."""
    authorization = basic("reader", PASSWORD)
    wrong = basic("reader", f"{PASSWORD}-wrong")
    form = (
        f'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n{PASSWORD}\r\n'
        f'--b\r\nContent-Disposition: form-data; name="content"; filename="demo-1.0.tar.gz"\r\n\r\nx\r\n--b--\r\n'
    ).encode()
    multipart = {"Content-Type": "multipart/form-data; boundary=b"}
    for path in (
        "/",
        "/simple/",
        "/simple/demo/",
        "/packages/root/main/demo/demo-1.0.tar.gz",
        "/health",
        "/api/package/demo/x",
    ):
        for header in (authorization, wrong, f"Bearer {PASSWORD}", f"Basic {PASSWORD}", f"Token {PASSWORD}"):
            yield urllib.request.Request(url + path, headers={"Authorization": header})
    yield urllib.request.Request(
        url + "/simple/", headers={"Cookie": f"session={PASSWORD}", "Referer": f"http://u:{PASSWORD}@x/"}
    )
    for header in (authorization, wrong):
        yield urllib.request.Request(url + "/", data=form, headers={**multipart, "Authorization": header})
        yield urllib.request.Request(url + "/", data=form[:-20], headers={**multipart, "Authorization": header})


def answers(url):
    seen = []
    for request in everything(url):
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                seen.append(f"{answer.status} {answer.reason} {answer.headers} {answer.read().decode('latin-1')}")
        except urllib.error.HTTPError as error:
            with error:
                seen.append(f"{error.code} {error.reason} {error.headers} {error.read().decode('latin-1')}")
    return seen


def test_T33_49_no_secret_in_responses_and_logs_of_the_real_server(tmp_path):
    configured = settings()
    with LiveServer(tmp_path / "live", configured, workers=1) as server:
        seen = answers(server.url)
        # A table that is gone: what is then logged is more than a line.
        with sqlite3.connect(server.folder / "data" / "catalog.sqlite", isolation_level=None) as database:
            database.execute("DROP TABLE journal")
            database.execute("ALTER TABLE files RENAME TO mislaid")
        database.close()
        seen += answers(server.url)
        log = server.log.read_text("utf-8")
    assert any(answer.startswith(("500", "503")) for answer in seen)
    assert any(answer.startswith("401") for answer in seen)
    assert '"GET /simple/demo/ HTTP/1.1"' in log
    for text in (*seen, log):
        assert leaks(text, configured["user.reader"]) == []
        assert "Traceback" not in text or text is log


@pytest.fixture
def production_logging():
    """The application's log as ``ppc-serve`` sets it up."""
    configure_logging()
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("production_logging")
def test_T33_a_bug_is_logged_without_the_callers_secrets(tmp_path, monkeypatch, capsys, caplog):
    world = World(tmp_path, settings())
    message = f"postgresql://who:{PASSWORD}@db.example.com/ppc and Authorization: {basic('reader', PASSWORD)}"

    def broken(self, identity, index, name, form, root):
        raise RuntimeError(message)

    monkeypatch.setattr(SimpleApi, "project", broken)
    answer = world.app.get("/simple/demo/", headers={"Authorization": basic("reader", PASSWORD)}, status=500)
    world.close()
    captured = capsys.readouterr()
    logged = captured.out + captured.err + caplog.text
    assert "RuntimeError" in logged
    assert answer.text.split()[-1] in logged
    assert leaks(logged) == []
    assert leaks(answer.text, "RuntimeError", "postgresql") == []


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://who:{}@127.0.0.1:{}/ppc", "mysql+pymysql://who:{}@127.0.0.1:{}/ppc"]
)
def test_T33_a_database_that_is_down_is_reported_without_its_password(tmp_path, url, capsys, caplog):
    raw = {**settings(), "db.url": url.format(PASSWORD, free_port())}
    loaded = load_raw(raw, tmp_path, {})
    with pytest.raises(PpcError) as caught:
        prepare(loaded)
    services = build(loaded)
    captured = capsys.readouterr()
    for text in (
        str(caught.value),
        repr(caught.value),
        repr(loaded),
        str(loaded),
        repr(services),
        repr(services.database),
    ):
        assert leaks(text, raw["user.reader"]) == []
    assert leaks(captured.out + captured.err + caplog.text) == []
    services.database.dispose()


def test_T33_no_repr_shows_a_secret(tmp_path):
    raw = {
        **settings(),
        "pypi.storage": "s3",
        "storage.bucket": "packages",
        "storage.region_name": "us-east-1",
        **SECRETS,
    }
    loaded = load_raw(raw, tmp_path, {"PPC_ADMIN_USER": "boss", "PPC_ADMIN_PASSWORD": PASSWORD})
    services = build(loaded)
    for thing in (loaded, services, *(getattr(services, name) for name in type(services).__dataclass_fields__)):
        for text in (repr(thing), str(thing), f"{thing}"):
            assert leaks(text, raw["user.reader"]) == [], type(thing)
    services.database.dispose()


def test_49_no_secret_in_an_answer_to_an_upload(world):
    wheel = build_wheel("demo", "1.0")
    for user, status in (("writer", 200), ("reader", 403)):
        answer = world.upload(wheel, user, status, password=PASSWORD, summary="x")
        assert leaks(f"{answer.status} {answer.headers} {answer.text}") == []
