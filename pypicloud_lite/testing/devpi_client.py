"""The real devpi client as one person uses it: what it remembers lies in that person's folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Nothing listens there: whoever asks another host than 127.0.0.1 is refused, and its test fails.
_NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True)
class Said:
    """A command that has ended; ``output`` is what a person would have seen."""

    status: int
    output: str

    @property
    def lines(self) -> list[str]:
        """The output by lines, without the white space around them."""
        return [line.strip() for line in self.output.splitlines() if line.strip()]


class DevpiClient:
    """``client("use", url)``. ``commands`` is the folder where ``devpi`` and what it calls are installed.

    ``use --set-cfg`` writes where ``PIP_CONFIG_FILE`` says: give it one, say ``PIP_CONFIG_FILE=str(file)``.
    """

    def __init__(self, commands: Path, home: Path) -> None:
        self._commands = commands
        self.home = home
        self.state = home / "client"
        home.mkdir(parents=True, exist_ok=True)

    def __call__(
        self, *arguments: str | Path, status: int | None = 0, typed: str = "", cwd: Path | None = None, **environ: str
    ) -> Said:
        """Run a command; ``typed`` is what the person enters. Checks the exit status; None takes any."""
        done = subprocess.run(
            [str(self._commands / "devpi"), *map(str, arguments)],
            cwd=cwd or self.home,
            env={
                "PATH": f"{self._commands}{os.pathsep}{os.defpath}",
                "HOME": str(self.home),
                "LANG": "C.UTF-8",
                "COLUMNS": "1000",
                "DEVPI_CLIENTDIR": str(self.state),
                "http_proxy": _NOWHERE,
                "https_proxy": _NOWHERE,
                "no_proxy": "127.0.0.1",
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                "PIP_RETRIES": "0",
                **environ,
            },
            input=typed.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
            # Without a terminal, from which passwords would be read instead.
            start_new_session=True,
        )
        said = Said(done.returncode, _COLOUR.sub("", done.stdout.decode("utf-8", "replace")))
        if status is not None and said.status != status:
            raise AssertionError(f"devpi {arguments} ended with {said.status}:\n{said.output}")
        return said

    def remembered(self) -> dict[str, Any]:
        """What the client keeps of its server: ``index``, ``login``, ``pypisubmit``, ``simpleindex``, ``features``."""
        kept: dict[str, Any] = json.loads((self.state / "current.json").read_text("utf-8"))
        return kept

    def token(self, user: str) -> str:
        """The token that the client has for a user."""
        kept = json.loads((self.state / "auth.json").read_text("utf-8"))["auth"]
        return next(str(secret) for logins in kept.values() for name, secret in logins if name == user)
