"""``ppc-serve``: this server under gunicorn."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from gunicorn.app.base import Application
from gunicorn.arbiter import Arbiter
from paste.deploy import loadapp

from pypicloud_lite import wiring
from pypicloud_lite.cli.config_file import config_argument
from pypicloud_lite.cli.reporting import reports_config_errors
from pypicloud_lite.kernel.errors import BackendUnavailable, ConfigError

SETTINGS = "python:pypicloud_lite.cli.gunicorn_settings"


class GracefulArbiter(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's master, for which Ctrl-C is a polite request too: what is in flight finishes.

    A second Ctrl-C, while it waits, ends it at once.
    """

    def handle_int(self) -> None:
        self.handle_term()

    def handle_hup(self) -> None:
        """Reload only what would start: a file with a mistake must not end a server that works."""
        try:
            self.app.check()
        except (ConfigError, BackendUnavailable) as error:
            self.log.error("Not reloaded, the workers stay as they are: %s", error.message)  # noqa: TRY400  no traceback
        else:
            super().handle_hup()


class Server(Application):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn on one configuration file (None: built-in defaults), with its own options last."""

    def __init__(self, config: Path | None, overrides: dict[str, Any], options: Sequence[str]) -> None:
        self._config = config
        self._overrides = overrides
        self._options = tuple(options)
        super().__init__(prog="ppc-serve -- ")

    def load_config(self) -> None:
        """Layers, the last wins: our settings, this command's options, GUNICORN_CMD_ARGS, what stood after ``--``."""
        self.load_config_from_file(SETTINGS)
        for name, value in self._overrides.items():
            self.cfg.set(name, value)
        if self._config is not None and _has_logging(self._config):
            self.cfg.set("logconfig", str(self._config))
        parser = self.cfg.parser()
        for words in (self.cfg.get_cmd_args_from_env(), self._options):
            arguments = parser.parse_args(words)
            if arguments.args:
                parser.error(f"not an option: {' '.join(arguments.args)}")
            if arguments.config:
                self.load_config_from_file(arguments.config)
            for name, value in vars(arguments).items():
                if name != "args" and value is not None:
                    self.cfg.set(name, value)
        self.chdir()

    def check(self) -> None:
        """Raise what would keep the workers from starting."""
        wiring.prepare(wiring.load_settings(self._config))

    def load(self) -> Any:
        """The application, made in each worker after it was forked: no connection is shared between processes."""
        if self._config is None:
            return loadapp("egg:pypicloud_lite")
        return loadapp(f"config:{self._config}")

    def run(self) -> None:
        if self.cfg.print_config or self.cfg.check_config or self.cfg.daemon:
            super().run()
        else:
            GracefulArbiter(self).run()


def _has_logging(config: Path) -> bool:
    """Whether the file brings Python's logging sections, which gunicorn then follows."""
    return any(line.strip() == "[loggers]" for line in config.read_text("utf-8").splitlines())


@click.command(
    epilog="What follows -- is given to gunicorn: ppc-serve config.ini -- --workers 8 --bind unix:/run/ppc.sock",
)
@config_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@click.pass_obj
@reports_config_errors
def command(options: Sequence[str], config: Path | None, host: str, port: int) -> None:
    """Serve the index of CONFIG, an INI file.

    Without CONFIG: config.ini of this folder, or, where there is none, SQLite and files under ./data.
    """
    wiring.prepare_to_serve(wiring.load_settings(config))
    overrides = {
        "bind": [f"[{host}]:{port}" if ":" in host else f"{host}:{port}"],
        "default_proc_name": str(config or "defaults"),
    }
    Server(config, overrides, options).run()


def main() -> None:
    """Split the command line at ``--``: what follows is gunicorn's."""
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    command(args=words[:cut], obj=tuple(words[cut + 1 :]), prog_name="ppc-serve")
