"""Every access backend under the one contract."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from types import MappingProxyType

import pytest

from pypicloud_lite.access.acl_document import AclDocument, AclUser, dump
from pypicloud_lite.access.backends.aws_secrets_manager import AwsSecretsSettings
from pypicloud_lite.access.backends.aws_secrets_manager import backend as aws_plugin
from pypicloud_lite.access.backends.config import ConfigAccess
from pypicloud_lite.access.backends.config_keys import read_keys
from pypicloud_lite.access.backends.htpasswd import HtpasswdAccess, PasswordFiles
from pypicloud_lite.access.directory import Directory, InForce
from pypicloud_lite.access.model import NO_ROLE_HOLDERS, Role, RoleHolders
from pypicloud_lite.access.passwords import PasswordHasher
from pypicloud_lite.access.port import AccessBackend, AccessContext
from pypicloud_lite.testing.access import ADMINS, GROUP_GRANTS, GROUPS, HASHES, USER_GRANTS, AccessContract

HOLDERS = RoleHolders(MappingProxyType(dict.fromkeys(ADMINS, frozenset({Role.ADMIN}))))
"""Where the backend itself has no roles: as auth.admins gives them."""


def config_entries():
    entries = {f"user.{name}": stored for name, stored in HASHES.items()}
    entries |= {f"group.{name}": "\n".join(members) for name, members in GROUPS.items()}
    entries |= {f"package.{project}.user.{who}": " ".join(rights) for (project, who), rights in USER_GRANTS.items()}
    entries |= {f"package.{project}.group.{who}": " ".join(rights) for (project, who), rights in GROUP_GRANTS.items()}
    return entries


def in_directory(holders=HOLDERS, **backends):
    in_force = InForce(backends, holders)
    return Directory(lambda: in_force)


class TestConfigAccess(AccessContract):
    @pytest.fixture
    def backend(self) -> AccessBackend:
        return in_directory(config=ConfigAccess(read_keys(config_entries())))


class TestSplitOverTwo(AccessContract):
    """Users in one backend, groups and rules in another: what a chain comes to."""

    @pytest.fixture
    def backend(self) -> AccessBackend:
        entries = config_entries()
        users = {key: value for key, value in entries.items() if key.startswith("user.")}
        rules = {key: value for key, value in entries.items() if not key.startswith("user.")}
        return in_directory(rules=ConfigAccess(read_keys(rules)), users=ConfigAccess(read_keys(users)))


class TestHtpasswdAccess(AccessContract):
    """Users in Apache's files, two of its own hashes among them; groups and rules in the INI file."""

    hashes = MappingProxyType(
        {
            **HASHES,
            "alice": "$apr1$WoCQpnIJ$L0ZGLtJZAYjv.1lt/P.Vx/",
            "carol": "$2y$04$a.r.G/DeDM4lT3x82VRqD.zd.CzHFLKiHmAZJNckAWTAyWMaDXoEu",
        }
    )

    @pytest.fixture
    def backend(self, tmp_path: Path) -> AccessBackend:
        readers, uploaders = tmp_path / "readers", tmp_path / "uploaders"
        readers.write_text("".join(f"{name}:{stored}\n" for name, stored in self.hashes.items()))
        uploaders.write_text("# nobody: the contract's world has no such group\n")
        rules = {key: value for key, value in config_entries().items() if not key.startswith("user.")}
        users = HtpasswdAccess(PasswordFiles(readers, uploaders), PasswordHasher())
        return in_directory(htpasswd=users, config=ConfigAccess(read_keys(rules)))


@pytest.fixture(scope="module")
def aws_access(s3_endpoint: str) -> AccessBackend:
    import boto3

    document = AclDocument(
        users=tuple(AclUser(name, stored, is_admin=name in ADMINS) for name, stored in HASHES.items()),
        groups=GROUPS,
        user_rights=USER_GRANTS,
        group_rights=GROUP_GRANTS,
    )
    name = f"users-{secrets.token_hex(8)}"
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    options = {"endpoint_url": s3_endpoint, "region_name": "eu-west-1", **keys}
    boto3.client("secretsmanager", **options).create_secret(Name=name, SecretString=json.dumps(dump(document)))
    settings = AwsSecretsSettings.model_validate(
        {"auth.secret_id": name, **{f"auth.{key}": value for key, value in options.items()}}
    )
    access: AccessBackend = aws_plugin.build(settings, AccessContext(None, None, PasswordHasher()))
    return access


class TestAwsSecretsManagerAccess(AccessContract):
    """One secret on moto's server; admins by the document itself."""

    @pytest.fixture
    def backend(self, aws_access: AccessBackend) -> AccessBackend:
        return in_directory(NO_ROLE_HOLDERS, aws=aws_access)
