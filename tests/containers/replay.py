"""``python replay.py CHECKOUT ROOM``: the steps of docker/Dockerfile, done one after the other without an engine.

Runs in a mount namespace of its own, as root. The base image is this machine: each stage begins as an overlay over
``/`` with this Python first on the path, and what its steps write lands in ``ROOM/STAGE/upper``. Instructions that this
program does not know end it. ``ROOM/image.json`` says at the end how the image is to be started.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

PYTHON = Path(os.path.realpath(sys._base_executable))
INSTRUCTION = re.compile(r"([A-Z]+)\s+(.*)", re.DOTALL)


@dataclass
class Stage:
    name: str
    root: str
    env: dict = field(default_factory=lambda: {"PATH": f"{PYTHON.parent}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
    workdir: str = "/"
    user: str = "0:0"
    labels: dict = field(default_factory=dict)
    volumes: list = field(default_factory=list)
    ports: list = field(default_factory=list)
    entrypoint: list = field(default_factory=list)
    cmd: list = field(default_factory=list)
    healthcheck: list = field(default_factory=list)
    stop_signal: str = "SIGTERM"

    def path(self, name):
        return Path(self.root) / str(Path(self.workdir) / name).lstrip("/")


def instructions(text):
    """Each instruction with its arguments, continued lines joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    for line in filter(str.strip, joined.splitlines()):
        yield INSTRUCTION.fullmatch(line.strip()).groups()


class Replay:
    def __init__(self, checkout, room):
        self.checkout = checkout
        self.room = room
        self.arguments = {}
        self.stages = {}
        self.stage = None
        self.ignored = (checkout / ".dockerignore").read_text().split("\n")

    def run(self, text):
        for name, rest in instructions(text):
            sys.stdout.write(f"{name} {rest}"[:200] + "\n")
            sys.stdout.flush()
            getattr(self, f"do_{name.lower()}")(rest)
        (self.room / "image.json").write_text(json.dumps(asdict(self.stage)))

    def do_arg(self, rest):
        name, _, value = rest.partition("=")
        self.arguments[name] = value

    def do_from(self, rest):
        image, *more = self.expand(rest, self.arguments).split()
        assert image == self.arguments["PYTHON_IMAGE"]
        name = more[1] if more else f"stage{len(self.stages)}"
        self.stage = self.stages[name] = Stage(name, str(begin(self.room / name)))

    def do_workdir(self, rest):
        self.stage.workdir = str(Path(self.stage.workdir) / rest)
        if not self.stage.path(".").is_dir():
            self.stage.path(".").mkdir(parents=True)

    def do_env(self, rest):
        self.stage.env.update(pairs(self.expand(rest, self.stage.env)))

    def do_label(self, rest):
        self.stage.labels.update(pairs(rest))

    def do_user(self, rest):
        self.stage.user = rest

    def do_volume(self, rest):
        self.stage.volumes.append(rest)

    def do_expose(self, rest):
        self.stage.ports.append(rest)

    def do_stopsignal(self, rest):
        self.stage.stop_signal = rest

    def do_entrypoint(self, rest):
        self.stage.entrypoint = json.loads(rest)

    def do_cmd(self, rest):
        self.stage.cmd = json.loads(rest)

    def do_healthcheck(self, rest):
        self.stage.healthcheck = json.loads(re.search(r"CMD (\[.*\])", rest)[1])

    def do_run(self, rest):
        assert self.stage.user == "0:0"
        # What this machine needs to reach its own registry is no part of the image.
        outer = {name: text for name, text in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
        environ = {**outer, **self.stage.env, "HOME": "/root"}
        command = [
            "/usr/sbin/chroot",
            self.stage.root,
            "/bin/sh",
            "-c",
            f"cd {shlex.quote(self.stage.workdir)} && {rest}",
        ]
        subprocess.run(command, env=environ, check=True, stdin=subprocess.DEVNULL)

    def do_copy(self, rest):
        words = rest.split()
        options = dict(word.removeprefix("--").split("=") for word in words if word.startswith("--"))
        *sources, target = [word for word in words if not word.startswith("--")]
        assert options.keys() <= {"from", "chmod"}
        destination = self.stage.path(target)
        for source in sources:
            if "from" in options:
                origin = Path(self.stages[options["from"]].root) / source.lstrip("/")
                shutil.copytree(origin, destination, symlinks=True)
            else:
                self.copy(self.checkout / source, destination, options, into=target.endswith("/"))

    def copy(self, origin, destination, options, *, into):
        """Of a folder its content, as an engine does."""
        if origin.is_dir():
            shutil.copytree(origin, destination, dirs_exist_ok=True, ignore=self.excluded)
            return
        assert not self.is_excluded(origin), f"{origin} is in .dockerignore"
        destination = destination / origin.name if into else destination
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, destination)
        destination.chmod(int(options.get("chmod", "0644"), 8))

    def excluded(self, folder, names):
        return [name for name in names if self.is_excluded(Path(folder) / name)]

    def is_excluded(self, path):
        """By .dockerignore: the last pattern that fits decides, a folder's for all below it."""
        relative = path.relative_to(self.checkout)
        excluded = False
        for pattern in filter(None, (line.strip() for line in self.ignored)):
            if pattern.startswith("#"):
                continue
            keep, glob = pattern.startswith("!"), pattern.lstrip("!").strip("/")
            if any(fits(str(part), glob) for part in [relative, *relative.parents][:-1]):
                excluded = not keep
        return excluded

    @staticmethod
    def expand(text, values):
        return re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], text)


def fits(path, glob):
    if glob.startswith("**/"):
        return fnmatch.fnmatch(path.rpartition("/")[2], glob.removeprefix("**/"))
    return fnmatch.fnmatch(path, glob) and path.count("/") == glob.count("/")


def pairs(text):
    return dict(word.split("=", 1) for word in shlex.split(text))


def begin(folder):
    """An overlay over this machine, whose Python every user may run."""
    upper, work, merged = (folder / name for name in ("upper", "work", "merged"))
    for one in (upper, work, merged):
        one.mkdir(parents=True)
    options = f"lowerdir=/,upperdir={upper},workdir={work}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, merged], check=True)
    subprocess.run(["mount", "--rbind", "/dev", merged / "dev"], check=True)
    subprocess.run(["mount", "-t", "proc", "proc", merged / "proc"], check=True)
    for parent in PYTHON.parents:
        inside = merged / str(parent).lstrip("/")
        inside.chmod(inside.stat().st_mode | 0o055)
    return merged


if __name__ == "__main__":
    checkout, room = map(Path, sys.argv[1:])
    Replay(checkout, room).run((checkout / "docker" / "Dockerfile").read_text())
