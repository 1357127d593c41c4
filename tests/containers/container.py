"""``python container.py CHECKOUT ROOM SCENARIO``: starts the image that ``replay.py`` made, and tells what it saw.

Runs in mount and network namespaces of its own, as root: nothing but the loopback interface is there, the image's
files are read-only, the checkout is hidden, and the image's user has no right that its uid does not give.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

CHECKOUT, ROOM = map(Path, sys.argv[1:3])
IMAGE = json.loads((ROOM / "image.json").read_text())
ADMIN = {"PPC_ADMIN_USER": "admin", "PPC_ADMIN_PASSWORD": "swordfish-42"}
URL = "http://127.0.0.1:8080"
LOGIN = {"Authorization": "Basic " + base64.b64encode(b"admin:swordfish-42").decode()}
GRACE = 70


def loopback_up():
    with socket.socket() as probe:
        request = struct.pack("16sh14x", b"lo", 0x1 | 0x40)
        fcntl.ioctl(probe, 0x8914, request)


class Container:
    """The image over a volume; ``run`` is ``docker run``, ``start`` and ``stop`` those of compose's service."""

    def __init__(self, name, owner=10001):
        self.root = ROOM / f"{name}-root"
        self.volume = ROOM / f"{name}-volume"
        self.log = ROOM / f"{name}.log"
        self.root.mkdir()
        self.volume.mkdir()
        os.chown(self.volume, owner, owner)
        self.process = None
        self.overlay(ROOM / f"{name}-layers")
        self.mount("--rbind", "/dev", self.root / "dev")
        self.mount("--bind", self.volume, self.inside(IMAGE["volumes"][0]))
        # It must not be there that the program comes from; it may itself lie below /tmp.
        self.mount("-t", "tmpfs", "tmpfs", self.inside(str(CHECKOUT)))
        self.mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", self.root / "tmp")

    def overlay(self, layers):
        """The image's files over this machine, read-only; hard links, as one layer cannot be mounted twice."""
        layers.mkdir()
        upper, work = layers / "upper", layers / "work"
        subprocess.run(["cp", "-al", ROOM / IMAGE["name"] / "upper", upper], check=True)
        work.mkdir()
        options = f"lowerdir=/,upperdir={upper},workdir={work}"
        self.mount("-t", "overlay", "overlay", "-o", options, self.root)
        self.mount("-o", "remount,ro", self.root)

    def inside(self, path):
        return self.root / path.lstrip("/")

    @staticmethod
    def mount(*arguments):
        subprocess.run(["mount", *map(str, arguments)], check=True)

    def command(self, words, environ):
        uid, gid = IMAGE["user"].split(":")
        env = [f"{name}={text}" for name, text in {**IMAGE["env"], **environ}.items()]
        limits = ["--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
        drop = ["setpriv", f"--reuid={uid}", f"--regid={gid}", *limits, "env", "-i", *env]
        inner = f'cd {IMAGE["workdir"]} && exec "$@"'
        return ["/usr/sbin/chroot", str(self.root), *drop, "/bin/sh", "-c", inner, "sh", *words]

    def run(self, *words, environ=ADMIN):
        done = subprocess.run(
            self.command([*IMAGE["entrypoint"], *(words or IMAGE["cmd"])], environ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return {"status": done.returncode, "output": done.stdout + done.stderr}

    def start(self, environ):
        words = self.command([*IMAGE["entrypoint"], *IMAGE["cmd"]], environ)
        with self.log.open("ab") as log:
            # The entrypoint is process 1 of its own world.
            self.process = subprocess.Popen(
                ["unshare", "--pid", "--fork", "--kill-child", *words], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            if self.health() == 0:
                return True
        return False

    def health(self):
        command = self.command(IMAGE["healthcheck"], {})
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode

    def stop(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        began = time.monotonic()
        os.kill(int(children[0]), signal.Signals[IMAGE["stop_signal"]])
        status = self.process.wait(GRACE)
        return {"status": status, "seconds": time.monotonic() - began}


def get(path):
    with urllib.request.urlopen(urllib.request.Request(URL + path, headers=LOGIN), timeout=20) as answer:
        return answer.read()


def upload(path):
    boundary = b"0123456789abcdef"
    head = f'Content-Disposition: form-data; name="content"; filename="{path.name}"\r\n\r\n'.encode()
    body = b"--" + boundary + b"\r\n" + head + path.read_bytes() + b"\r\n--" + boundary + b"--\r\n"
    headers = {**LOGIN, "Content-Type": f"multipart/form-data; boundary={boundary.decode()}"}
    with urllib.request.urlopen(urllib.request.Request(URL, body, headers), timeout=20) as answer:
        return answer.status


def install(name, target):
    """With the pip of the tests' own environment."""
    index = URL.replace("://", "://admin:swordfish-42@") + "/simple/"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--index-url", index]
    environ = {"PATH": os.defpath, "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [*command, "--target", target, name], env=environ, capture_output=True, text=True, check=False
    )
    return done.stderr + done.stdout if done.returncode else sorted(path.name for path in target.iterdir())


def served():
    """Started with two variables, used, stopped, started again."""
    container = Container("served")
    seen = {"started": container.start(ADMIN)}
    seen["uploaded"] = upload(next(ROOM.glob("*.whl")))
    seen["installed"] = install("demo", ROOM / "target")
    page = get("/simple/demo/")
    seen["stopped"] = container.stop()
    seen["again"] = container.start(ADMIN)
    seen["same"] = get("/simple/demo/") == page
    seen["stopped again"] = container.stop()
    seen["owners"] = sorted({path.stat().st_uid for path in container.volume.rglob("*")})
    seen["resync"] = container.run("ppc-resync")
    shutil.copy(ROOM / "config.ini", container.volume / "config.ini")
    seen["with a file"] = container.start({})
    seen["file's user"] = get("/simple/demo/") == page
    seen["stopped with a file"] = container.stop()
    return seen


def refused():
    """What a person gets to read who forgot something."""
    container = Container("foreign", owner=0)
    nobody = Container("nobody")
    started = nobody.start({})
    nobody.stop()
    return {
        "foreign volume": container.run(),
        "wrong variable": Container("wrong").run(environ={**ADMIN, "PPC_PYPI_DEFAULT_RAED": "everyone"}),
        "half an admin": Container("half").run(environ={"PPC_ADMIN_USER": "admin"}),
        "nobody": {"status": started, "output": nobody.log.read_text()},
    }


if __name__ == "__main__":
    loopback_up()
    sys.stdout.write("SEEN " + json.dumps({"served": served, "refused": refused}[sys.argv[3]]()) + "\n")
