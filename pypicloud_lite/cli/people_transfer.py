"""``ppc-export`` and ``ppc-import``: users, groups and rules as pypicloud's document."""

from __future__ import annotations

import gzip
import json
import os
import stat
import sys
import zlib
from pathlib import Path
from typing import Any

import click

from pypicloud_lite.access.acl_document import AclDocument, dump, parse
from pypicloud_lite.access.pypicloud_tables import read_tables
from pypicloud_lite.access.transfer import imported, ini_lines
from pypicloud_lite.cli.config_file import config_argument
from pypicloud_lite.cli.devpi_import import import_devpi
from pypicloud_lite.cli.operator import operating, refuses_clearly
from pypicloud_lite.kernel.errors import InvalidRequest

_GZIP = b"\x1f\x8b"
_WRITTEN = click.Path(dir_okay=False, path_type=Path)
_READ = click.Path(exists=True, dir_okay=False, path_type=Path)
_MOST = 256 * 1024 * 1024


@click.command(name="ppc-export")
@config_argument
@click.option(
    "-o", "output", type=click.Path(dir_okay=False, path_type=Path), help="A file to write, gzipped if it ends in .gz."
)
@refuses_clearly
def export_people(config: Path | None, output: Path | None) -> None:
    """Write all users, groups and rules of CONFIG's server down as JSON, hashes of passwords included."""
    with operating(config, "ppc-export") as operator:
        document = operator.services.export_people(operator.author)
    text = json.dumps(dump(document), indent=1).encode() + b"\n"
    if output is None:
        sys.stdout.buffer.write(text)
        return
    data = gzip.compress(text) if output.suffix == ".gz" else text
    # There are hashes in it: nobody else may read it, not even while it is being written.
    with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            # One that was there already keeps the rights that it had.
            os.fchmod(file.fileno(), 0o600)
        file.write(data)


class _WithDevpi(click.Command):
    """``ppc-import devpi ...`` is another command; a configuration of that name is ``./devpi``."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args[:1] == [import_devpi.name]:
            return import_devpi.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)


@click.command(
    name="ppc-import", cls=_WithDevpi, epilog="ppc-import devpi EXPORTDIR takes over what devpi-export wrote."
)
@config_argument
@click.option(
    "-i",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The document, plain or gzipped; without it standard input.",
)
@click.option("--database", "url", help="Read the tables of pypicloud at this database URL instead.")
@refuses_clearly
def import_people(config: Path | None, source: Path | None, url: str | None) -> None:
    """Take users, groups and rules over into CONFIG's server.

    Where pypi.auth names sql they are added to the database: who is there keeps the password, and doing it again
    changes nothing. Where it does not, the lines for the configuration file are printed.
    """
    if url is not None and source is not None:
        raise click.UsageError("-i and --database contradict each other")
    document = _read(source) if url is None else read_tables(url)
    with operating(config, "ppc-import") as operator:
        if not operator.services.administration.is_possible:
            for line in ini_lines(document):
                click.echo(line)
            return
        done = imported(document, operator.services.administration, operator.author)
    for remark in done.remarks:
        click.echo(remark, err=True)
    click.echo(
        f"Added {done.users} users, {done.pending} waiting ones, {done.groups} groups, {done.rules} rights.", err=True
    )


def _read(source: Path | None) -> AclDocument:
    data = sys.stdin.buffer.read(_MOST + 1) if source is None else source.read_bytes()
    if data.startswith(_GZIP):
        try:
            unpacker = zlib.decompressobj(wbits=31)
            data = unpacker.decompress(data, _MOST + 1)
        except zlib.error:
            raise InvalidRequest("The document is damaged: it is no gzip file") from None
        if not unpacker.eof and len(data) <= _MOST:
            raise InvalidRequest("The document is damaged: it is not a whole gzip file")
    if len(data) > _MOST:
        raise InvalidRequest(f"The document has more than {_MOST} bytes: this is not a list of users")
    try:
        return parse(data.decode())
    except UnicodeDecodeError:
        raise InvalidRequest("The document is not UTF-8: write it anew") from None
