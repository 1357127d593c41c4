"""What the commands about packages share: the services of a configuration, who asks, and how answers are written."""

from __future__ import annotations

import functools
import getpass
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from pypicloud_lite.access.model import Identity, Role
from pypicloud_lite.cli.reporting import reports_config_errors
from pypicloud_lite.indexes.changes import Selection
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import BackendUnavailable, ConfigError, InvalidName, NotFound, PpcError
from pypicloud_lite.kernel.filenames import Filename
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.kernel.versions import normalised_version
from pypicloud_lite.wiring import Services, build, load_settings, prepare

F = TypeVar("F", bound=Callable[..., Any])
_ENDINGS = (".whl", ".egg", ".zip", ".tgz", ".tar.gz", ".tar.bz2")


@dataclass(frozen=True, slots=True)
class Operator:
    """Whoever may read the configuration is an administrator; the journal names the user of the system."""

    services: Services
    identity: Identity
    author: Author

    @property
    def index(self) -> IndexName:
        """The index that the commands are about."""
        return self.services.index

    def selection(self, target: str) -> Selection:
        """``PROJECT``, ``PROJECT==VERSION`` or the name of a file; :class:`InvalidName` for anything else."""
        if target.endswith(_ENDINGS):
            with self.services.catalog.read() as catalog:
                row = catalog.file(self.index, target) if target.isascii() else None
            project = row.project if row is not None else Filename.parse(target).project
            return Selection(self.index, project, filename=target)
        name, equals, version = target.partition("==")
        project = ProjectName.parse(name.strip())
        return Selection(self.index, project, version=normalised_version(version.strip()) if equals else None)


@contextmanager
def operating(config: Path | None, command: str) -> Iterator[Operator]:
    """The services of a configuration, its database brought up to date; connections are given back at the end."""
    settings = load_settings(config)
    prepare(settings)
    services = build(settings)
    user = getpass.getuser()
    try:
        yield Operator(services, Identity(user, roles=frozenset({Role.ADMIN})), Author(f"{command} ({user})"))
    finally:
        services.database.dispose()


def refuses_clearly(command: F) -> F:
    """Print what was refused and end with 1, or with 2 where it was said wrongly; no traceback helps."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (ConfigError, BackendUnavailable):
            raise
        except PpcError as error:
            click.echo(error.message, err=True)
            sys.exit(2 if isinstance(error, InvalidName) else 1)

    return reports_config_errors(wrapped)  # type: ignore[return-value]  # it takes and returns what the command does


def as_json(document: object) -> None:
    """One document and nothing else on standard output."""
    click.echo(json.dumps(document, indent=1))


def nothing_there(selection: Selection) -> NotFound:
    """The refusal for a target without files."""
    return NotFound(f"Project {selection.project} has no {selection}: look with ppc-packages show {selection.project}")


def readable_size(size: float) -> str:
    """``1.4 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:  # noqa: PLR2004  units count by 1000
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
