"""A configuration as a person wants it, written as an INI file that explains itself."""

from __future__ import annotations

import contextlib
import os
import secrets
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pypicloud_lite.settings.environment import variable
from pypicloud_lite.wiring.sample import SERVER_SECTION

# Letters and digits only, so that it can be pasted into a shell, a URL and a .pypirc as it is.
_ALPHABET = "".join(c for c in string.ascii_letters + string.digits if c not in "0O1lI")
_LENGTH = 24
_OURS_ALONE = 0o600

_HEAD = """\
# {head} config.ini.sample explains every key; write a percent sign as %%.

{server}
# The application. What is added at the end of this file belongs to it.
[app:main]
use = egg:pypicloud_lite
"""

_ABOUT: Mapping[str, str] = {
    "pypi.base_url": "How people reach it, and the proxies whose X-Forwarded- headers are believed.",
    "pypi.storage": "The files.",
    "pypi.db": "What is known of them. It can be rebuilt from the files with ppc-resync.",
    "pypi.auth": "Who may do what: users below, made with ppc-gen-password, and those that ppc-user adds.",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """The keys of a configuration in their order, and apart from them those that are nobody else's business.

    ``head`` is a sentence at the top of the file. The secrets are keys like the others; where they go is the
    caller's to decide.
    """

    head: str
    keys: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def text(self, *, with_secrets: bool) -> str:
        """The INI file."""
        keys = {**self.keys, **(self.secrets if with_secrets else {})}
        blocks = [_HEAD.format(head=self.head, server=SERVER_SECTION)]
        for group in _grouped(keys):
            about = _ABOUT.get(next(iter(group)))
            lines = [f"# {about}"] if about else []
            blocks.append("\n".join([*lines, *(f"{key} = {_escaped(value)}".rstrip() for key, value in group.items())]))
        return "\n\n".join(block.rstrip("\n") for block in blocks) + "\n"

    def environment(self) -> dict[str, str]:
        """The secrets as variables."""
        return {variable(key): value for key, value in self.secrets.items()}


def _grouped(keys: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Keys that belong together: each group begins with one that is explained."""
    order = list(_ABOUT)
    groups: dict[str, dict[str, str]] = {name: {} for name in order}
    for key, value in keys.items():
        groups[_group_of(key)][key] = value
    yield from (_led(name, group) for name, group in groups.items() if group)


def _group_of(key: str) -> str:
    if key in {"pypi.base_url", "pypi.trusted_proxies"}:
        return "pypi.base_url"
    first = key.partition(".")[0]
    if first == "storage" or key == "pypi.storage":
        return "pypi.storage"
    return "pypi.db" if first == "db" or key == "pypi.db" else "pypi.auth"


def _led(name: str, group: dict[str, str]) -> dict[str, str]:
    return {name: group[name], **group} if name in group else group


def _escaped(value: str) -> str:
    """A percent sign is one, except in the words that the file's reader replaces."""
    return value.replace("%", "%%").replace("%%(here)s", "%(here)s")


def new_password() -> str:
    """One that nobody guesses."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def write_private(path: Path, text: str, *, replace: bool) -> bool:
    """Write a file that its owner alone may read; complete from the moment that it is there.

    False, and nothing is written, where there is one already that must not be replaced, also by two at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OURS_ALONE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        if replace:
            draft.replace(path)
            return True
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
    return True
