"""The commands of ``ppc-packages`` that move bytes."""

from __future__ import annotations

import hashlib
import secrets
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import click

from pypicloud_lite.catalog.model import FileRecord
from pypicloud_lite.cli.operator import Operator, as_json, nothing_there, operating, refuses_clearly
from pypicloud_lite.cli.targets import complete, json_option
from pypicloud_lite.indexes.incoming import FileExists
from pypicloud_lite.kernel.errors import Conflict, StorageUnavailable
from pypicloud_lite.publish.form import UploadForm
from pypicloud_lite.publish.package_object import package_object
from pypicloud_lite.storage.port import CHUNK

_WORTH_A_BAR = 10 * 1024 * 1024


class Bar(Protocol):
    """A progress bar, or what stands for one."""

    def update(self, n_steps: int) -> None:
        """So many bytes more."""


@contextmanager
def _progress(sizes: Iterable[int], label: str) -> Iterator[Bar]:
    """On a terminal, and where it takes a while."""
    total = sum(sizes)
    hidden = not sys.stderr.isatty() or total < _WORTH_A_BAR
    with click.progressbar(length=total, label=label, file=sys.stderr, hidden=hidden) as bar:
        yield bar


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace a file of the same name that has other content.")
@json_option
@click.pass_obj
@refuses_clearly
def upload(config: Path | None, *, files: Sequence[Path], overwrite: bool, json: bool) -> None:
    """Upload wheels and sdists, with every check that an upload over HTTP gets."""
    outcomes: list[dict[str, Any]] = []
    with (
        operating(config, "ppc-packages") as operator,
        _progress((one.stat().st_size for one in files), "Uploading") as bar,
    ):
        for path in files:
            created, record = _upload(operator, path, bar, overwrite=overwrite)
            outcomes.append({**package_object(record, ""), "created": created})
            if not json:
                click.echo(f"{'uploaded' if created else 'already there:'} {record.filename}")
    if json:
        as_json(outcomes)


def _upload(operator: Operator, path: Path, bar: Bar, *, overwrite: bool) -> tuple[bool, FileRecord]:
    services = operator.services
    with path.open("rb") as source, services.storage.spool(path.stat().st_size) as spool:
        while chunk := source.read(CHUNK):
            spool.write(chunk)
            bar.update(len(chunk))
        with services.catalog.read() as catalog:
            there = catalog.file(operator.index, path.name) if path.name.isascii() else None
        if there is not None and there.digests.sha256 != spool.digests.sha256 and not overwrite:
            raise FileExists(f"{path.name} is there already with other content: say --overwrite to replace it")
        form = UploadForm({":action": ("file_upload",)}, spool, path.name)
        stored = services.uploads.upload(form, operator.index, operator.identity, operator.author)
    return stored.created, stored.record


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="NAME[==VERSION]|FILENAME...", shell_complete=complete)
@click.option("-d", "--dest", default=".", type=click.Path(file_okay=False, path_type=Path), help="Where to put them.")
@click.option("--force", is_flag=True, help="Replace a file there that has other content.")
@json_option
@click.pass_obj
@refuses_clearly
def download(config: Path | None, *, targets: Sequence[str], dest: Path, force: bool, json: bool) -> None:
    """Download the files of projects, of releases, or single ones; each is verified as it arrives."""
    outcomes: list[dict[str, Any]] = []
    with operating(config, "ppc-packages") as operator:
        wanted = _wanted(operator, targets)
        dest.mkdir(parents=True, exist_ok=True)
        with _progress((one.size for one in wanted), "Downloading") as bar:
            for record in wanted:
                path = dest / str(record.filename)
                fetched = _download(operator, record, path, bar, force=force)
                outcomes.append({"path": str(path), "sha256": record.digests.sha256, "fetched": fetched})
                if not json:
                    click.echo(f"{'downloaded' if fetched else 'already there:'} {path}")
    if json:
        as_json(outcomes)


def _wanted(operator: Operator, targets: Sequence[str]) -> list[FileRecord]:
    wanted: dict[int, FileRecord] = {}
    for target in targets:
        selection = operator.selection(target)
        with operator.services.catalog.read() as catalog:
            files = [one for one in selection.rows(catalog) if one.is_listed]
        if not files:
            raise nothing_there(selection)
        wanted.update((one.id, one) for one in files)
    return list(wanted.values())


def _download(operator: Operator, record: FileRecord, path: Path, bar: Bar, *, force: bool) -> bool:
    """Whether it had to be fetched; the file is there whole or not at all."""
    if path.exists():
        if _sha256(path) == record.digests.sha256:
            bar.update(record.size)
            return False
        if not force:
            raise Conflict(f"{path} is there with other content: say --force to replace it")
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    digest = hashlib.sha256()
    try:
        with draft.open("xb") as target, operator.services.storage.open(record.key) as source:
            for chunk in source:
                target.write(chunk)
                digest.update(chunk)
                bar.update(len(chunk))
        if digest.hexdigest() != record.digests.sha256:
            raise StorageUnavailable(f"{record.filename}: what the storage gave is damaged, nothing was written")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return True


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
