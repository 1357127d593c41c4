"""The access backends in force, and what of them happens once at the start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import structlog

from pypicloud_lite.access.administration import Administration
from pypicloud_lite.access.backends.config import ConfigAccess, ConfigAccessSettings
from pypicloud_lite.access.backends.htpasswd import UPLOADERS, HtpasswdSettings
from pypicloud_lite.access.backends.sql import SqlAccessSettings
from pypicloud_lite.access.directory import Directory, InForce
from pypicloud_lite.access.facts import FactsAccess
from pypicloud_lite.access.following import FollowedFile
from pypicloud_lite.access.port import AccessBackend, AccessContext
from pypicloud_lite.access.pypicloud_tables import read_tables
from pypicloud_lite.access.settings import AccessSettings
from pypicloud_lite.access.transfer import import_document
from pypicloud_lite.devpi.settings import DevpiSettings
from pypicloud_lite.indexes.belongings import SYSTEM_OWNER
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import ConfigError, Conflict
from pypicloud_lite.settings.load import Loaded

_log = structlog.get_logger("pypicloud_lite.wiring")


def directory(
    settings: Loaded, context: AccessContext, follow: Path | None, read: Callable[[Path], Loaded]
) -> Directory:
    """All backends as one; ``read`` reads the configuration anew when the file ``follow`` changes."""
    in_force = _in_force(settings, context)
    if follow is None:
        return Directory(lambda: in_force)
    return Directory(FollowedFile(follow, in_force, lambda: _in_force(read(follow), context)))


def _in_force(settings: Loaded, context: AccessContext) -> InForce:
    admin, own = settings.admin, settings.get(AccessSettings)
    backends: dict[str, AccessBackend] = {}
    for name, plugin in settings.chain("pypi.auth").items():
        mine = settings.get(plugin.settings)
        if admin is not None and isinstance(mine, ConfigAccessSettings):
            mine = mine.with_admin(admin.username, admin.password.get_secret_value())
        if isinstance(mine, HtpasswdSettings) and "default_write" not in own.model_fields_set:
            own = own.model_copy(update={"default_write": (UPLOADERS,)})
        backends[name] = plugin.build(mine, context)
    if admin is not None:
        own = own.model_copy(update={"admins": (*own.admins, admin.username)})
        if not any(isinstance(backend, ConfigAccess) for backend in backends.values()):
            alone = ConfigAccessSettings().with_admin(admin.username, admin.password.get_secret_value())
            backends["environment"] = ConfigAccess.from_settings(alone, context)
    return InForce(backends, own.holders(), own.rules(), own)


def warn_without_admin(access: Directory, settings: Loaded) -> None:
    """Where everybody can be listed and nobody is an administrator, say how one is made."""
    backends = access.backends().values()
    everybody = all(isinstance(backend, FactsAccess) for backend in backends)
    if (
        everybody
        and "sql" in settings.chain("pypi.auth")
        and not any(account.is_admin for account in access.accounts())
    ):
        _log.warning("there is no administrator: make one with ppc-user add NAME --admin, or name one in auth.admins")


def create_root(administration: Administration, access: Directory, settings: Loaded) -> None:
    """Make the user root where ``devpi.root_password`` says so and there is none."""
    password = settings.get(DevpiSettings).root_password
    if password is None or access.lookup(SYSTEM_OWNER) is not None:
        return
    if "sql" not in settings.chain("pypi.auth"):
        raise ConfigError(
            "devpi.root_password makes a user in the database: add sql to pypi.auth, or remove the key and make root "
            "where the other users are"
        )
    try:
        administration.add_first_admin(SYSTEM_OWNER, password.get_secret_value(), Author("pypicloud_lite"))
    except Conflict:
        # Another process of this server made it at the same moment.
        return
    _log.info("made the user root, an administrator, as devpi.root_password says")
    if not password.get_secret_value():
        _log.warning("the password of user root is empty: anybody can log in as root and do everything")


def import_users(administration: Administration, settings: Loaded) -> None:
    """Take over the users of the pypicloud whose database ``auth.db.url`` names, once."""
    if "sql" not in settings.chain("pypi.auth"):
        return
    url = settings.get(SqlAccessSettings).url
    if url is None:
        return
    author = Author("pypicloud_lite")
    with administration.importing(author) as (writer, known):
        if not writer.was_imported:
            try:
                document = read_tables(url.get_secret_value())
            except ConfigError as error:
                raise ConfigError(
                    f"auth.db.url: {error.message}. Remove the key: users live where db.url says"
                ) from None
            done = import_document(document, writer, known)
            writer.note_import()
            _log.info("took over the users of pypicloud", users=done.users, groups=done.groups, rules=done.rules)
            for remark in done.remarks:
                _log.warning("taking over the users of pypicloud", remark=remark)
