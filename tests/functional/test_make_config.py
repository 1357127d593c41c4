"""``ppc-make-config`` as people and scripts run it, and servers on what it wrote."""

from __future__ import annotations

import os
import pty
import re
import select
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from pypicloud_lite.cli.make_config import main as make_config
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.live import LiveServer
from pypicloud_lite.testing.raw_client import RawClient
from pypicloud_lite.testing.world import PASSWORDS
from pypicloud_lite.wiring import load_settings

BIN = Path(sys.executable).parent
COMMAND = str(BIN / "ppc-make-config")
PASSWORD = PASSWORDS["admin"]
WHEEL = build_wheel("demo", "1.0")


@pytest.fixture
def make(tmp_path, monkeypatch):
    """``make(*options)`` without a terminal; checks the status."""
    (tmp_path / "password").write_text(PASSWORD + "\n")
    monkeypatch.chdir(tmp_path)

    def run(*options, status=0, text=""):
        done = CliRunner().invoke(make_config, [str(option) for option in options], input=text)
        assert done.exit_code == status, done.output
        return done.output

    return run


class Made(LiveServer):
    """The real server on the file that was made."""

    def __init__(self, folder, name, environ=None):
        super().__init__(folder / "live", {}, environ=environ, workers=1)
        self.config = folder / name


def round_trip(server):
    with server, RawClient(server.port, "admin") as client:
        assert client.upload(WHEEL).status == 200
        assert client.listed("demo").keys() == {WHEEL.filename}


@pytest.mark.parametrize("kind", ["-d", "--dev", "-t", "--test"])
def test_a_server_of_flags_alone(make, tmp_path, kind):
    said = make(kind, "--password-file", "password", "made.ini")
    assert PASSWORD not in said
    assert PASSWORD not in (tmp_path / "made.ini").read_text()
    assert stat.S_IMODE((tmp_path / "made.ini").stat().st_mode) == 0o600
    round_trip(Made(tmp_path, "made.ini"))


def test_production_with_secrets_in_files(make, tmp_path):
    """The lines that it prints start the server."""
    options = ["-p", "--storage", "file", "--dir", tmp_path / "packages", "--db-url", f"sqlite:///{tmp_path}/c.sqlite"]
    options += ["--base-url", "https://packages.example.com", "--trusted-proxies", "127.0.0.1", "--secrets", "file"]
    said = make(*options, "--password-stdin", "prod.ini", text=PASSWORD + "\n")
    text = (tmp_path / "prod.ini").read_text()
    assert "user." not in text
    assert PASSWORD not in text + said
    variables = dict(re.findall(r"(PPC_\w+)=(\S+)", said))
    assert variables.keys() == {"PPC_ADMIN_USER", "PPC_ADMIN_PASSWORD_FILE"}
    assert stat.S_IMODE(Path(variables["PPC_ADMIN_PASSWORD_FILE"]).stat().st_mode) == 0o600
    round_trip(Made(tmp_path, "prod.ini", variables))


def test_every_secret_leaves_the_file(make, tmp_path):
    (tmp_path / "key").write_text("s3-secret-0123\n")
    options = ["-p", "--bucket", "my-packages", "--region", "eu-central-1", "--access-key", "AKIAEXAMPLE"]
    options += ["--secret-key-file", "key", "--db-url", "postgresql://ppc:db-secret@127.0.0.1/x"]
    for where in ("file", "environment"):
        said = make(*options, "--generate-password", "--secrets", where, "--force", f"{where}.ini")
        for word in ("s3-secret-0123", "db-secret"):
            assert word not in (tmp_path / f"{where}.ini").read_text() + said
    environ = dict(line.split("=", 1) for line in (tmp_path / "environment.env").read_text().splitlines())
    assert environ["PPC_DB_URL"] == "postgresql://ppc:db-secret@127.0.0.1/x"
    assert environ["PPC_STORAGE_AWS_SECRET_ACCESS_KEY"] == "s3-secret-0123"
    load_settings(tmp_path / "environment.ini", environ)
    assert stat.S_IMODE((tmp_path / "environment.env").stat().st_mode) == 0o600
    inline = make(*options, "--generate-password", "inline.ini")
    assert "s3-secret-0123" in (tmp_path / "inline.ini").read_text()
    assert "s3-secret-0123" not in inline


def test_a_container(make, tmp_path):
    make("-r", "--password-file", "password", "docker.ini")
    text = (tmp_path / "docker.ini").read_text()
    assert "storage.dir = /var/lib/pypicloud_lite/data/packages" in text
    assert "db.url = sqlite:////var/lib/pypicloud_lite/data/catalog.sqlite" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], ["-d (dev)", "-p (prod)"]),
        (["-d"], ["--password-file", "--generate-password"]),
        (["-p", "--storage", "s3"], ["--bucket", "--password-file"]),
        (["-d", "--generate-password", "--password-file", "password"], ["one way"]),
        (["-p", "--bucket", "my-packages", "--access-key", "x", "--generate-password"], ["--secret-key-file"]),
        (["-p", "--bucket", "arn:aws:s3:::x", "--generate-password"], ["storage.bucket"]),
        (["-p", "--db-url", "oracle://x", "--generate-password"], ["db.url"]),
        (["-d", "--default-read", "", "--admin", "a b", "--generate-password"], ["--admin"]),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(make, tmp_path, options, words):
    said = make(*options, "made.ini", status=2)
    for word in words:
        assert word in said
    assert "Traceback" not in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["password"]


def test_a_second_run_replaces_nothing(make, tmp_path):
    make("-d", "--generate-password")
    before = (tmp_path / "config.ini").read_text()
    assert "--force" in make("-d", "--generate-password", status=2)
    assert (tmp_path / "config.ini").read_text() == before
    make("-d", "--generate-password", "--force")
    assert (tmp_path / "config.ini").read_text() != before


def test_pypiclouds_name(tmp_path):
    done = subprocess.run(
        [BIN / "pypicloud-make-config", "-t", "--generate-password", "server.ini"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    load_settings(tmp_path / "server.ini", {})


class Terminal:
    """A person at a terminal."""

    def __init__(self, folder, *options):
        self.read = b""
        self.pid, self.descriptor = pty.fork()
        if not self.pid:
            os.chdir(folder)
            os.execv(COMMAND, [COMMAND, *options])

    def answer(self, question, text):
        self.wait_for(question)
        os.write(self.descriptor, text.encode() + b"\n")

    def wait_for(self, question):
        deadline = time.monotonic() + 30
        while question.encode() not in self.read:
            assert time.monotonic() < deadline, self.read
            if select.select([self.descriptor], [], [], 1)[0]:
                self.read += os.read(self.descriptor, 65536)
        self.read = self.read.partition(question.encode())[2]

    def end(self):
        said = self.read
        try:
            while piece := os.read(self.descriptor, 65536):
                said += piece
        except OSError:
            pass
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), said.decode()


def test_asked_at_a_terminal(tmp_path):
    terminal = Terminal(tmp_path, "--prod")
    terminal.answer("Address by which people reach it", "https://packages.example.com")
    terminal.answer("Proxies in front of it", "")
    terminal.answer("Where do the files go", "file")
    terminal.answer("Folder of the files", str(tmp_path / "packages"))
    terminal.answer("Database", f"sqlite:///{tmp_path}/catalog.sqlite")
    terminal.answer("Groups that may download", "")
    terminal.answer("Name of the administrator", "")
    terminal.answer("Password of the administrator", PASSWORD)
    terminal.answer("Repeat for confirmation", PASSWORD)
    status, said = terminal.end()
    assert status == 0, said
    assert PASSWORD not in said
    assert "@packages.example.com/simple/" in said
    round_trip(Made(tmp_path, "config.ini"))


def test_asked_before_a_file_is_replaced(tmp_path):
    (tmp_path / "config.ini").write_text("mine")
    terminal = Terminal(tmp_path, "--dev", "--generate-password")
    terminal.answer("Replace it?", "n")
    status, _said = terminal.end()
    assert status == 1
    assert (tmp_path / "config.ini").read_text() == "mine"
