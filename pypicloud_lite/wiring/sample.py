"""The text of ``config.ini.sample``."""

from __future__ import annotations

from pypicloud_lite.access.backends.aws_secrets_manager import AwsSecretsSettings
from pypicloud_lite.access.backends.config import ConfigAccessSettings
from pypicloud_lite.access.backends.htpasswd import HtpasswdSettings
from pypicloud_lite.access.backends.ldap_settings import LdapSettings
from pypicloud_lite.access.backends.remote_settings import RemoteSettings
from pypicloud_lite.access.backends.sql import SqlAccessSettings
from pypicloud_lite.access.login_settings import LoginSettings
from pypicloud_lite.access.settings import AccessSettings
from pypicloud_lite.db.settings import DatabaseSettings
from pypicloud_lite.devpi.settings import DevpiSettings
from pypicloud_lite.indexes.settings import IndexSettings
from pypicloud_lite.mirror.settings import MirrorSettings
from pypicloud_lite.publish.settings import PublishSettings
from pypicloud_lite.serve.docs.settings import DocsSettings
from pypicloud_lite.serve.settings import ServeSettings
from pypicloud_lite.settings.choice import Backends
from pypicloud_lite.settings.declare import Settings
from pypicloud_lite.settings.sample import render_sample
from pypicloud_lite.storage.backends.local import LocalSettings
from pypicloud_lite.storage.backends.s3_settings import S3Settings
from pypicloud_lite.upstream.settings import UpstreamSettings
from pypicloud_lite.web.settings import WebSettings

SERVER_SECTION = """\
# For pserve alone: ppc-serve and gunicorn --paste take their address from the command line.
[server:main]
use = egg:gunicorn#main
config = python:pypicloud_lite.cli.gunicorn_settings
host = 127.0.0.1
port = 8080
"""
"""What every INI file of this server has for ``pserve``."""


GROUPS: tuple[tuple[str, tuple[type[Settings], ...]], ...] = (
    ("Which backends", (Backends,)),
    ("The index, and how it is reached", (IndexSettings, WebSettings)),
    ("Who may do what", (AccessSettings, ConfigAccessSettings)),
    ("Logins, registration and tokens", (LoginSettings,)),
    ("People who come with the devpi client", (DevpiSettings,)),
    ("Users in the database: pypi.auth = sql", (SqlAccessSettings,)),
    ("Users in password files: pypi.auth = htpasswd", (HtpasswdSettings,)),
    ("Users in AWS Secrets Manager: pypi.auth = aws_secrets_manager", (AwsSecretsSettings,)),
    ("Users in a directory: pypi.auth = ldap", (LdapSettings,)),
    ("Users of another server: pypi.auth = remote", (RemoteSettings,)),
    ("Uploads and downloads", (PublishSettings, ServeSettings, DocsSettings)),
    ("What is not here: the public index, or any other, behind this one", (MirrorSettings, UpstreamSettings)),
    ("Files in a folder: pypi.storage = file", (LocalSettings,)),
    ("Files in a bucket: pypi.storage = s3", (S3Settings,)),
    ("The catalog", (DatabaseSettings,)),
)
"""Every setting of every feature and backend, by headings."""


def config_sample() -> str:
    """The text of ``config.ini.sample``: every setting, with its default."""
    return render_sample(GROUPS, before=SERVER_SECTION)
