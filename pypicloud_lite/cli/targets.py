"""Arguments and options that the commands about packages share, with their completion in a shell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from pypicloud_lite.cli.config_file import chosen_config
from pypicloud_lite.cli.operator import operating

F = TypeVar("F", bound=Callable[..., Any])
_MOST = 200


def complete(context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Names of projects, or behind ``==`` their versions; nothing at all where anything is wrong."""
    root = context.find_root()
    config = root.params.get("config")
    name, equals, version = begun.partition("==")
    try:
        with operating(chosen_config(config), "ppc-packages") as operator, operator.services.catalog.read() as catalog:
            if not equals:
                found = [str(one.name) for one in catalog.projects(operator.index)]
                return [CompletionItem(one) for one in found if one.startswith(begun)][:_MOST]
            files = catalog.files(operator.index, operator.selection(name).project)
            versions = dict.fromkeys(one.version for one in files if one.is_listed)
            return [CompletionItem(f"{name}=={one}") for one in versions if one.startswith(version)][:_MOST]
    except Exception:  # noqa: BLE001  a shell that completes is no place for an error
        return []


def target_argument(command: F) -> F:
    """``target``: NAME, NAME==VERSION or a filename."""
    return click.argument("target", metavar="NAME[==VERSION]|FILENAME", shell_complete=complete)(command)


def json_option(command: F) -> F:
    """``json``: one document on standard output."""
    return click.option("--json", "json", is_flag=True, help="Print one JSON document.")(command)
