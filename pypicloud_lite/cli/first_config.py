"""The first configuration of a fresh checkout, and the lines that a newcomer needs: what ``make run`` calls.

``python -m pypicloud_lite.cli.first_config config.ini --url http://127.0.0.1:8080``
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import click

from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.cli.config_writer import Plan, new_password, write_private

ADMIN = "admin"
PLACEHOLDER = "PASSWORD"

_LINES = """\
  address    {url}/
  login      {admin}
  password   {password_line}

Upload with one of

  twine upload --repository-url {url}/ -u {admin} -p {password} dist/*
  uv publish --publish-url {url}/ -u {admin} -p {password} dist/*

Install with one of

  pip install --index-url {url_with_login}/simple/ NAME
  uv pip install --default-index {url_with_login}/simple/ NAME
"""


def create(path: Path) -> str | None:
    """Write the configuration with a new random password, and return that; None when there is a file already.

    The file appears complete, readable by its owner alone, and is never overwritten, also not by two at once.
    """
    if path.exists():
        return None
    password = new_password()
    return password if write_private(path, plan(password).text(with_secrets=True), replace=False) else None


def plan(password: str) -> Plan:
    """Everything in a folder beside the file; everyone who can log in may download."""
    keys = {
        "pypi.storage": "file",
        "storage.dir": "%(here)s/data/packages",
        "pypi.db": "sql",
        "db.url": "sqlite:///%(here)s/data/catalog.sqlite",
        "pypi.auth": "config sql",
        "pypi.default_read": "authenticated",
        "pypi.default_write": "",
        "auth.admins": ADMIN,
        f"user.{ADMIN}": hash_password(password),
    }
    return Plan("Made at the first start.", keys)


def next_steps(path: Path, url: str, password: str | None) -> str:
    """What to type next; ``password`` is None when it is only known by its hash."""
    title = f"Made {path} with a new admin." if password else f"Using {path}."
    note = (
        f"{password}   (shown this once; only its hash is kept)"
        if password
        else f"the one shown when the file was made; for a new one: ppc-gen-password, then user.{ADMIN} in {path}"
    )
    data = path.parent / "data"
    use = how_to_use(url, ADMIN, password, note)
    return f"{title}\n\n{use}\nCtrl-C stops the server. Configuration and data stay: {path}, {data}\n"


def how_to_use(url: str, admin: str, password: str | None, note: str) -> str:
    """The lines to paste; ``note`` is what is said of the password, which stands in them where it is given."""
    shown = password or PLACEHOLDER
    parts = urlsplit(url)
    login = f"{parts.scheme}://{admin}:{shown}@{parts.netloc}{parts.path}"
    return _LINES.format(url=url, admin=admin, password=shown, password_line=note, url_with_login=login)


@click.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--url", required=True, help="Where the server will answer, without a slash at the end.")
def main(path: Path, url: str) -> None:
    """Write a first configuration to PATH unless there is one, and say how to use the server."""
    click.echo(next_steps(path, url.rstrip("/"), create(path)))


if __name__ == "__main__":
    main()
