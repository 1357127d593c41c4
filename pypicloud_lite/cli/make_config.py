"""``ppc-make-config``: ask what a server needs to know, and write its configuration.

Every question has an option, so that a script can answer all of them. What has a sensible default is only asked on a
terminal.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import click

from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.cli.config_writer import Plan, new_password, write_private
from pypicloud_lite.cli.first_config import how_to_use
from pypicloud_lite.cli.reporting import reports_config_errors
from pypicloud_lite.kernel.errors import ConfigError, InvalidRequest
from pypicloud_lite.wiring import load_settings

Kind = Literal["dev", "test", "prod", "docker"]
Secrets = Literal["inline", "file", "environment"]
_VOLUME = "/var/lib/pypicloud_lite"
# It stands in a key of the file and in addresses.
_USERNAME = re.compile(r"[A-Za-z0-9._@+-]{1,100}", re.ASCII)
_ADMIN = ("PPC_ADMIN_USER", "PPC_ADMIN_PASSWORD")


@dataclass(frozen=True, slots=True)
class _Standard:
    """What a kind of server takes where nothing else is said."""

    head: str
    folder: str
    database: str
    default_read: str
    default_write: str = ""


_STANDARDS: Mapping[str, _Standard] = {
    "dev": _Standard(
        "For development: everything beside this file.",
        "%(here)s/data/packages",
        "sqlite:///%(here)s/data/catalog.sqlite",
        "authenticated",
    ),
    "test": _Standard(
        "For trying things out: anybody may download, whoever can log in may upload; delete ./test-data at will.",
        "%(here)s/test-data/packages",
        "sqlite:///%(here)s/test-data/catalog.sqlite",
        "everyone",
        "authenticated",
    ),
    "prod": _Standard(
        "For production.",
        "/var/lib/pypicloud_lite/packages",
        "sqlite:////var/lib/pypicloud_lite/catalog.sqlite",
        "authenticated",
    ),
    "docker": _Standard(
        f"For the container: it belongs into the volume, as {_VOLUME}/config.ini.",
        f"{_VOLUME}/data/packages",
        f"sqlite:///{_VOLUME}/data/catalog.sqlite",
        "authenticated",
    ),
}


def _kind_option(letter: str, kind: Kind, text: str) -> Callable[[Any], Any]:
    return click.option(f"-{letter}", f"--{kind}", "kind", flag_value=kind, help=text)


@click.command(name="ppc-make-config")
@_kind_option("d", "dev", "For development: a folder and SQLite beside the file.")
@_kind_option("t", "test", "Throwaway: a folder beside the file, open for reading.")
@_kind_option("p", "prod", "For production: asks for database, bucket, address.")
@_kind_option("r", "docker", "For the container: paths in its volume.")
@click.argument("outfile", default="config.ini", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--storage", type=click.Choice(["file", "s3"]), help="A folder or a bucket.")
@click.option("--dir", "folder", help="The folder of the files.")
@click.option("--bucket", help="The bucket of the files.")
@click.option("--region", help="The bucket's region.")
@click.option("--endpoint-url", help="Address of an S3-compatible store.")
@click.option("--prefix", help="What every key in the bucket begins with.")
@click.option("--access-key", help="Key id for the bucket; without it boto3 looks where it usually does.")
@click.option("--secret-key-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its secret.")
@click.option("--db-url", help="Database: sqlite:////path, postgresql://user:password@host/name, mysql://…")
@click.option("--admin", help="Name of the administrator.")
@click.option("--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its password.")
@click.option("--password-stdin", is_flag=True, help="Read its password from standard input.")
@click.option("--generate-password", is_flag=True, help="Make a password up and show it once.")
@click.option("--base-url", help="Address by which people reach the server.")
@click.option("--trusted-proxies", help="Addresses or networks of the proxies in front of it.")
@click.option("--default-read", help="Groups that may download, such as 'everyone', 'authenticated'.")
@click.option("--default-write", help="Groups that may upload; empty: administrators only.")
@click.option(
    "--secrets",
    type=click.Choice(["inline", "file", "environment"]),
    default="inline",
    show_default=True,
    help="Where passwords and keys go: into the file, into files of their own, into a file of variables.",
)
@click.option("--secrets-dir", type=click.Path(file_okay=False, path_type=Path), help="Folder for --secrets file.")
@click.option("--force", is_flag=True, help="Replace OUTFILE without asking.")
@reports_config_errors
def main(kind: Kind | None, outfile: Path, **given: Any) -> None:
    """Write a configuration to OUTFILE (config.ini), readable by you alone.

    On a terminal it asks for what is not said by an option. The result is checked as the server would check it, before
    it is put in place.
    """
    answers = _Answers(given)
    kind = kind or answers.choose_kind()
    if outfile.exists() and not given["force"]:
        if not answers.asks:
            raise click.UsageError(f"{outfile} is there already: say --force to replace it")
        click.confirm(f"{outfile} is there already. Replace it?", abort=True, err=True)
    plan, admin, password = _plan(kind, answers)
    answers.require_all()
    where: Secrets = given["secrets"]
    _check(plan, admin, password, where, outfile)
    if not write_private(outfile, _ini(plan, admin, password, where), replace=True):
        raise click.UsageError(f"{outfile} cannot be written")
    told = _put_secrets(plan, admin, password, where, outfile, given["secrets_dir"])
    url = plan.keys.get("pypi.base_url", "http://127.0.0.1:8080").rstrip("/")
    shown = password if answers.made_up and where == "inline" else None
    note = f"{shown}   (shown this once; only its hash is kept)" if shown else "the one that you chose"
    if where != "inline" and answers.made_up:
        note = "made up; it lies beside the other secrets"
    click.echo(
        f"Made {outfile}.\n\n{how_to_use(url, admin, shown, note)}\nStart it with\n\n  {told}ppc-serve {outfile}"
    )


class _Answers:
    """Options first, then questions, then defaults; what is missing after all is told at once."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self._missing: list[str] = []
        self.made_up = False
        self.asks = sys.stdin.isatty() and not given["password_stdin"]

    def choose_kind(self) -> Kind:
        if not self.asks:
            raise click.UsageError("Say what it is for: one of -d (dev), -t (test), -p (prod), -r (docker)")
        kinds: click.Choice[str] = click.Choice(list(_STANDARDS))
        return cast("Kind", click.prompt("What is it for", type=kinds, default="dev", err=True))

    def text(self, name: str, question: str, default: str | None = None, option: str | None = None) -> str:
        """One answer; without a default it must come from somebody."""
        given = self._given[name]
        if given is not None:
            return str(given)
        if self.asks:
            return str(click.prompt(question, default=default, show_default=bool(default), err=True))
        if default is None:
            self._missing.append(option or f"--{name.replace('_', '-')}")
        return default or ""

    def optional(self, name: str) -> str | None:
        given = self._given[name]
        return None if given is None else str(given)

    def password(self) -> str:
        ways = [name for name in ("password_file", "password_stdin", "generate_password") if self._given[name]]
        if len(ways) > 1:
            raise click.UsageError("Say the password one way: --password-file, --password-stdin or --generate-password")
        if self._given["generate_password"]:
            self.made_up = True
            return new_password()
        if self._given["password_file"] is not None:
            return _first_line(self._given["password_file"].read_text("utf-8"), "The password file")
        if self._given["password_stdin"]:
            return _first_line(sys.stdin.read(), "Standard input")
        if not self.asks:
            self._missing.append("--password-file, --password-stdin or --generate-password")
            return ""
        typed = click.prompt(
            "Password of the administrator (empty: make one up)",
            default="",
            show_default=False,
            hide_input=True,
            confirmation_prompt=True,
            err=True,
        )
        self.made_up = not typed
        return str(typed) or new_password()

    def require_all(self) -> None:
        if self._missing:
            raise click.UsageError(f"There is nobody to ask; add {'; '.join(self._missing)}")


def _first_line(text: str, what: str) -> str:
    line = text.removesuffix("\n").removesuffix("\r")
    if not line or "\n" in line:
        raise click.UsageError(f"{what} must hold one line")
    return line


def _plan(kind: Kind, answers: _Answers) -> tuple[Plan, str, str]:
    """What goes into the file, the administrator and its password."""
    standard = _STANDARDS[kind]
    keys: dict[str, str] = {}
    secrets: dict[str, str] = {}
    if kind in {"prod", "docker"}:
        keys["pypi.base_url"] = answers.text("base_url", "Address by which people reach it", "")
        keys["pypi.trusted_proxies"] = answers.text("trusted_proxies", "Proxies in front of it", "")
    else:
        keys["pypi.base_url"] = answers.optional("base_url") or ""
        keys["pypi.trusted_proxies"] = answers.optional("trusted_proxies") or ""
    keys = {key: value for key, value in keys.items() if value}
    _plan_storage(kind, standard, answers, keys, secrets)
    _plan_database(kind, standard, answers, keys, secrets)
    keys["pypi.auth"] = "config sql"
    keys["pypi.default_read"] = answers.text(
        "default_read", "Groups that may download (everyone, authenticated, …)", standard.default_read
    )
    keys["pypi.default_write"] = answers.optional("default_write") or standard.default_write
    admin = answers.text("admin", "Name of the administrator", "admin")
    if not _USERNAME.fullmatch(admin):
        raise click.UsageError(f"--admin {admin!a}: use letters, digits and '.', '_', '-', '@', '+'")
    return Plan(f"{standard.head} Made by ppc-make-config.", keys, secrets), admin, answers.password()


def _plan_storage(
    kind: Kind, standard: _Standard, answers: _Answers, keys: dict[str, str], secrets: dict[str, str]
) -> None:
    storage = answers.optional("storage") or ("s3" if answers.optional("bucket") else None)
    if storage is None:
        asked = kind in {"prod", "docker"} and answers.asks
        kinds: click.Choice[str] = click.Choice(["file", "s3"])
        storage = click.prompt("Where do the files go", type=kinds, default="file", err=True) if asked else "file"
    keys["pypi.storage"] = storage
    if storage != "s3":
        keys["storage.dir"] = answers.text("folder", "Folder of the files", standard.folder, "--dir")
        return
    keys["storage.bucket"] = answers.text("bucket", "Name of the bucket")
    for name, key in (("region", "region_name"), ("endpoint_url", "endpoint_url"), ("prefix", "prefix")):
        value = answers.optional(name)
        if value:
            keys[f"storage.{key}"] = value
    access_key = answers.optional("access_key")
    secret = answers.optional("secret_key_file")
    if access_key and secret:
        keys["storage.aws_access_key_id"] = access_key
        secrets["storage.aws_secret_access_key"] = _first_line(Path(secret).read_text("utf-8"), "The secret key file")
    elif access_key or secret:
        raise click.UsageError("--access-key and --secret-key-file go together")


def _plan_database(
    kind: Kind, standard: _Standard, answers: _Answers, keys: dict[str, str], secrets: dict[str, str]
) -> None:
    keys["pypi.db"] = "sql"
    if kind in {"prod", "docker"}:
        url = answers.text("db_url", "Database (SQLite, or postgresql://user:password@host/name)", standard.database)
    else:
        url = answers.optional("db_url") or standard.database
    if "@" in url and not url.startswith("sqlite"):
        secrets["db.url"] = url
    else:
        keys["db.url"] = url


def _ini(plan: Plan, admin: str, password: str, where: Secrets) -> str:
    if where != "inline":
        return plan.text(with_secrets=False)
    try:
        user = {"auth.admins": admin, f"user.{admin}": hash_password(password)}
    except (InvalidRequest, ValueError) as error:
        raise click.UsageError(str(error)) from None
    return Plan(plan.head, {**plan.keys, **user}, plan.secrets).text(with_secrets=True)


def _variables(plan: Plan, admin: str, password: str) -> dict[str, str]:
    """The secrets as variables, the administrator among them."""
    return {**dict(zip(_ADMIN, (admin, password), strict=True)), **plan.environment()}


def _check(plan: Plan, admin: str, password: str, where: Secrets, outfile: Path) -> None:
    """Read it as the server would, from a file that is not in place yet."""
    environ = {} if where == "inline" else _variables(plan, admin, password)
    outfile.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=outfile.parent, prefix=".ppc-make-config-") as folder:
        draft = Path(folder) / outfile.name
        write_private(draft, _ini(plan, admin, password, where), replace=True)
        try:
            load_settings(draft, environ)
        except ConfigError as error:
            problems = [problem.replace(str(folder), str(outfile.parent)) for problem in error.problems]
            raise ConfigError(*problems) from None


def _put_secrets(plan: Plan, admin: str, password: str, where: Secrets, outfile: Path, folder: Path | None) -> str:
    """Put the secrets where they were asked to go; what is to be typed before the command."""
    variables = _variables(plan, admin, password)
    if where == "file":
        folder = folder or outfile.parent / "secrets"
        words = []
        for name, value in variables.items():
            if name == _ADMIN[0]:
                words.append(f"{name}={value}")
                continue
            path = (folder / name.lower()).absolute()
            write_private(path, f"{value}\n", replace=True)
            words.append(f"{name}_FILE={path}")
        return " ".join(words) + " "
    if where == "environment":
        path = outfile.with_name(f"{outfile.stem}.env")
        write_private(path, "".join(f"{name}={value}\n" for name, value in variables.items()), replace=True)
        return f"env $(cat {path}) "
    return ""
