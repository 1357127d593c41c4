"""``ppc-packages``: what it does, what it prints, how it ends; beside a server that runs or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pypicloud_lite.cli.packages import main
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel
from pypicloud_lite.testing.live import write_config
from pypicloud_lite.testing.world import World, user_settings

BIN = Path(sys.executable).parent
WHEEL, SDIST, NEWER = build_wheel("demo", "1.0"), build_sdist("demo", "1.0"), build_wheel("demo", "2.0")
OTHER = build_wheel("demo", "1.0", body=b"other")


@pytest.fixture
def world(tmp_path):
    """Beside the command, over the same folder and database."""
    settings = {"storage.dir": str(tmp_path / "packages"), "db.url": f"sqlite:///{tmp_path}/catalog.sqlite"}
    write_config(tmp_path / "config.ini", {**user_settings(), **settings})
    made = World(tmp_path, settings)
    for artifact in (WHEEL, SDIST, NEWER):
        made.upload(artifact)
    yield made
    made.close()


@pytest.fixture
def packages(world, tmp_path, monkeypatch):
    """``packages(*words)``: standard output; nothing may be on the other unless the status is not 0."""
    monkeypatch.chdir(tmp_path)

    def run(*words, status=0, config=True):
        options = ["-c", tmp_path / "config.ini"] if config else []
        done = CliRunner().invoke(main, [str(word) for word in (*options, *words)], prog_name="ppc-packages")
        assert done.exit_code == status, done.output
        assert done.exception is None or isinstance(done.exception, SystemExit)
        assert (done.stderr == "") is (status == 0), done.stderr
        return done.stdout if status == 0 else done.stderr

    return run


def test_the_command_itself(world, tmp_path):
    done = subprocess.run([BIN / "ppc-packages", "list"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("demo\n", "")


def write(folder, *artifacts):
    folder.mkdir(exist_ok=True)
    paths = [folder / artifact.filename for artifact in artifacts]
    for path, artifact in zip(paths, artifacts, strict=True):
        path.write_bytes(artifact.data)
    return paths


def test_list(world, packages):
    world.upload(build_sdist("Acme.Tool", "1.0", stem="Acme.Tool-1.0"), name="Acme.Tool")
    assert packages("list").split() == ["acme-tool", "demo"]
    assert packages("list", config=False).split() == ["acme-tool", "demo"]
    assert packages("list", "Acme.*").split() == ["acme-tool"]
    assert packages("list", "nothing*") == ""
    assert "active" in packages("list", "--long")
    told = json.loads(packages("list", "--json"))
    assert [(one["name"], one["display_name"], one["status"]) for one in told] == [
        ("acme-tool", "Acme.Tool", "active"),
        ("demo", "demo", "active"),
    ]
    assert told[1]["size"] == len(WHEEL.data) + len(SDIST.data) + len(NEWER.data)


def test_show(packages):
    said = packages("show", "Demo")
    assert [name in said for name in (WHEEL.filename, SDIST.filename, NEWER.filename)] == [True] * 3
    assert WHEEL.sha256 in said
    assert NEWER.filename not in packages("show", "demo==1.0")
    told = json.loads(packages("show", SDIST.filename, "--json"))
    assert [one["filename"] for one in told["files"]] == [SDIST.filename]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["show", "absent"], 1, "no project absent"),
        (["show", "demo==9"], 1, "no release 9"),
        (["show", "demo-9.tar.gz"], 1, "no file"),
        (["show", "no such name"], 2, "not a valid project name"),
        (["show", "demo==x!"], 2, "not a valid version"),
        (["yank", "demo==9"], 1, "no release 9"),
        (["unyank", "absent"], 1, "no file"),
        (["delete", "demo==9", "--yes"], 1, "no release 9"),
        (["delete", "demo"], 2, "--yes"),
        (["status", "demo", "frozen"], 2, "frozen"),
        (["status", "absent", "archived"], 1, "no project absent"),
        (["free", "demo"], 1, "3 files"),
        (["download", "absent"], 1, "no file"),
        (["upload", "absent.whl"], 2, "absent.whl"),
    ],
)
def test_refusals(world, packages, words, status, said):
    with world.services.catalog.read() as catalog:
        before = catalog.state()
    assert said in packages(*words, status=status)
    with world.services.catalog.read() as catalog:
        assert catalog.state() == before


def test_a_wrong_configuration_is_two(packages, tmp_path):
    (tmp_path / "config.ini").write_text("[app:main]\nuse = egg:pypicloud_lite\npypi.storages = s3\n")
    assert "pypi.storage" in packages("list", status=2)


def test_upload(world, packages, tmp_path):
    artifacts = build_wheel("new", "1.0"), build_sdist("new", "1.0")
    paths = write(tmp_path / "dist", *artifacts, WHEEL)
    told = json.loads(packages("upload", *paths, "--json"))
    assert [one["created"] for one in told] == [True, True, False]
    assert {file["filename"] for file in world.project("new")["files"]} == {one.filename for one in artifacts}
    assert "already there: " in packages("upload", paths[0])


def test_upload_has_every_check(world, packages, tmp_path):
    broken = tmp_path / "broken-1.0-py3-none-any.whl"
    broken.write_bytes(b"PK but no more")
    assert "broken-1.0" in packages("upload", broken, status=1)
    renamed = tmp_path / "demo-3.0-py3-none-any.whl"
    renamed.write_bytes(WHEEL.data)
    assert "3.0" in packages("upload", renamed, status=1)
    world.send("PUT", "/api/package/demo/status", "admin", json={"status": "archived"})
    (path,) = write(tmp_path / "dist", build_wheel("demo", "3.0"))
    assert "is archived" in packages("upload", path, status=1)


def test_upload_other_bytes(world, packages, tmp_path):
    (path,) = write(tmp_path / "dist", OTHER)
    assert "--overwrite" in packages("upload", path, status=1)
    assert world.get(f"/api/package/demo/{WHEEL.filename}").body == WHEEL.data
    packages("upload", path, "--overwrite")
    assert world.get(f"/api/package/demo/{WHEEL.filename}").body == OTHER.data


def test_download(packages, tmp_path):
    said = packages("download", "demo==1.0", NEWER.filename, "-d", "out")
    assert said.count("downloaded") == 3
    found = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert found == {one.filename: one.data for one in (WHEEL, SDIST, NEWER)}
    assert packages("download", "demo", "-d", "out").count("already there") == 3
    (tmp_path / "out" / WHEEL.filename).write_bytes(b"mine")
    assert "--force" in packages("download", "demo", "-d", "out", status=1)
    assert (tmp_path / "out" / WHEEL.filename).read_bytes() == b"mine"
    told = json.loads(packages("download", "demo", "-d", "out", "--force", "--json"))
    assert sorted(one["fetched"] for one in told) == [False, False, True]


def test_a_damaged_file_is_not_written(world, packages, tmp_path):
    with world.services.catalog.read() as catalog:
        row = catalog.file(world.services.index, WHEEL.filename)
    (tmp_path / "packages" / row.key.value).write_bytes(b"x" * row.size)
    assert "damaged" in packages("download", WHEEL.filename, "-d", "out", status=1)
    assert list((tmp_path / "out").iterdir()) == []


def test_delete(world, packages):
    assert SDIST.filename in packages("delete", "demo==1.0", "--yes")
    assert {file["filename"] for file in world.project("demo")["files"]} == {NEWER.filename}
    assert json.loads(packages("delete", NEWER.filename, "--yes", "--json")) == {"deleted": [NEWER.filename]}
    world.get("/simple/demo/", status=404)
    assert packages("free", "demo") == "freed demo\n"
    world.upload(OTHER)


def test_yank_and_status(world, packages):
    packages("yank", "demo==1.0", "--reason", "bad")
    marks = {file["filename"]: file["yanked"] for file in world.project("demo")["files"]}
    assert marks == {WHEEL.filename: "bad", SDIST.filename: "bad", NEWER.filename: False}
    assert "yanked (bad)" in packages("show", "demo")
    packages("unyank", WHEEL.filename)
    assert world.project("demo")["files"][0]["yanked"] != world.project("demo")["files"][1]["yanked"]
    assert packages("status", "demo", "archived", "--reason", "use tea") == "demo: archived (use tea)\n"
    world.upload(build_wheel("demo", "3.0"), status=403)
    assert json.loads(packages("status", "demo", "--json")) == {
        "name": "demo",
        "status": "archived",
        "reason": "use tea",
    }


def test_the_journal_names_the_user_of_the_system(world, packages):
    with world.services.catalog.read() as catalog:
        before = catalog.state().serial
    packages("yank", "demo==2.0")
    with world.services.catalog.read() as catalog:
        (entry,) = catalog.journal(before)
    assert entry.action == "yank file"
    assert entry.author.name.startswith("ppc-packages (")


COMPLETION = """
eval "$(ppc-completion bash)"
COMP_WORDS=({words}) COMP_CWORD={place}
_{function}_completion {command}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ppc-packages", "sh"], {"show"}),
        (["ppc-packages", "show", "de"], {"demo"}),
        (["ppc-packages", "show", "demo==1"], {"demo==1.0"}),
        (["ppc-packages", "status", "demo", "arch"], {"archived"}),
        (["ppc-serve", "--po"], {"--port"}),
        (["ppc-db", "up"], {"upgrade"}),
        (["ppc-resync", "--rem"], {"--remove-leftovers"}),
        (["ppc-make-config", "--gen"], {"--generate-password"}),
        (["pypicloud-make-config", "--gen"], {"--generate-password"}),
    ],
)
def test_bash_completes(world, tmp_path, words, expected):
    """Through the real bash, as a line in ~/.bashrc sets it up."""
    function = words[0].replace("-", "_")
    script = COMPLETION.format(
        words=" ".join(f"'{word}'" for word in words), place=len(words) - 1, function=function, command=words[0]
    )
    environ = {"PATH": f"{BIN}:{os.defpath}", "HOME": str(tmp_path)}
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == expected, done.stderr


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_their_script(shell):
    said = subprocess.run([BIN / "ppc-completion", shell], capture_output=True, text=True, check=True).stdout
    assert said.count("PPC_PACKAGES_COMPLETE") >= 1
    assert "_PYPICLOUD_MAKE_CONFIG_COMPLETE" in said
