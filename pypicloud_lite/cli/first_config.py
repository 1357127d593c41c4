"""The first configuration of a fresh checkout, and the lines that a newcomer needs: what ``make run`` calls.

``python -m pypicloud_lite.cli.first_config config.ini --url http://127.0.0.1:8080``
"""

from __future__ import annotations

import contextlib
import os
import secrets
import string
from pathlib import Path
from urllib.parse import urlsplit

import click

from pypicloud_lite.access.passwords import hash_password

ADMIN = "admin"
PLACEHOLDER = "PASSWORD"

# Letters and digits only, so that it can be pasted into a shell, a URL and a .pypirc as it is.
_ALPHABET = "".join(c for c in string.ascii_letters + string.digits if c not in "0O1lI")
_LENGTH = 24

_CONFIG = """\
# Made at the first start. config.ini.sample explains every key; write a percent sign as %%.

# For pserve. ppc-serve and gunicorn --paste take their address from the command line.
[server:main]
use = egg:gunicorn#main
config = python:pypicloud_lite.cli.gunicorn_settings
host = 127.0.0.1
port = 8080

# The application. What is added at the end of this file belongs to it.
[app:main]
use = egg:pypicloud_lite

# The files: a folder beside this one.
pypi.storage = file
storage.dir = %(here)s/data/packages

# What is known of them: an SQLite database. It can be rebuilt from the files with ppc-resync.
pypi.db = sql
db.url = sqlite:///%(here)s/data/catalog.sqlite

# Who may do what: users below, made with ppc-gen-password. Everyone who can log in may download.
pypi.auth = config
pypi.default_read = authenticated
pypi.default_write =
auth.admins = {admin}
user.{admin} = {password_hash}
"""

_LINES = """\
{title}

  address    {url}/
  login      {admin}
  password   {password_line}

Upload with one of

  twine upload --repository-url {url}/ -u {admin} -p {password} dist/*
  uv publish --publish-url {url}/ -u {admin} -p {password} dist/*

Install with one of

  pip install --index-url {url_with_login}/simple/ NAME
  uv pip install --default-index {url_with_login}/simple/ NAME

Ctrl-C stops the server. Configuration and data stay: {config}, {data}
"""


def create(path: Path) -> str | None:
    """Write the configuration with a new random password, and return that; None when there is a file already.

    The file appears complete, readable by its owner alone, and is never overwritten, also not by two at once.
    """
    if path.exists():
        return None
    password = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    text = _CONFIG.replace("{admin}", ADMIN).replace("{password_hash}", hash_password(password).replace("%", "%%"))
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            os.link(draft, path)
        except FileExistsError:
            return None
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
    return password


def next_steps(path: Path, url: str, password: str | None) -> str:
    """What to type next; ``password`` is None when it is only known by its hash."""
    shown = password or PLACEHOLDER
    parts = urlsplit(url)
    return _LINES.format(
        title=f"Made {path} with a new admin." if password else f"Using {path}.",
        url=url,
        admin=ADMIN,
        password=shown,
        password_line=(
            f"{password}   (shown this once; only its hash is kept)"
            if password
            else f"the one shown when the file was made; for a new one: ppc-gen-password, then user.{ADMIN} in {path}"
        ),
        url_with_login=f"{parts.scheme}://{ADMIN}:{shown}@{parts.netloc}{parts.path}",
        config=path,
        data=path.parent / "data",
    )


@click.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--url", required=True, help="Where the server will answer, without a slash at the end.")
def main(path: Path, url: str) -> None:
    """Write a first configuration to PATH unless there is one, and say how to use the server."""
    click.echo(next_steps(path, url.rstrip("/"), create(path)))


if __name__ == "__main__":
    main()
