"""Every key of pypicloud 1.3 is declared, refused, or known to have no effect: none is unknown."""

from __future__ import annotations

import pytest

from pypicloud_lite.access.backends.aws_secrets_manager import AwsSecretsSettings
from pypicloud_lite.access.backends.config import ConfigAccessSettings
from pypicloud_lite.access.backends.ldap_settings import LdapSettings
from pypicloud_lite.access.backends.remote_settings import RemoteSettings
from pypicloud_lite.access.backends.sql import SqlAccessSettings
from pypicloud_lite.access.login_settings import LoginSettings
from pypicloud_lite.access.settings import AccessSettings
from pypicloud_lite.db.settings import DatabaseSettings
from pypicloud_lite.mirror.settings import MirrorSettings
from pypicloud_lite.publish.settings import PublishSettings
from pypicloud_lite.serve.settings import ServeSettings
from pypicloud_lite.settings import legacy
from pypicloud_lite.settings.choice import Backends
from pypicloud_lite.settings.declare import declared, in_family
from pypicloud_lite.storage.backends.local import LocalSettings
from pypicloud_lite.storage.backends.s3_settings import S3Settings
from pypicloud_lite.upstream.settings import UpstreamSettings
from pypicloud_lite.web.settings import WebSettings

MODELS = (
    Backends,
    AccessSettings,
    LoginSettings,
    AwsSecretsSettings,
    ConfigAccessSettings,
    SqlAccessSettings,
    DatabaseSettings,
    LdapSettings,
    RemoteSettings,
    LocalSettings,
    S3Settings,
    PublishSettings,
    ServeSettings,
    MirrorSettings,
    UpstreamSettings,
    WebSettings,
)

DECLARED = """
    pypi.cache_update pypi.fallback pypi.always_show_upstream pypi.fallback_base_url pypi.fallback_url
    pypi.disallow_fallback
    pypi.default_read pypi.default_write pypi.allow_overwrite_groups pypi.allow_delete_groups
    pypi.allow_overwrite pypi.allow_delete pypi.realm pypi.stream_files pypi.package_max_age
    pypi.storage pypi.db pypi.auth
    storage.dir
    storage.bucket storage.prefix storage.expire_after storage.redirect_urls
    storage.object_acl storage.storage_class storage.region_name storage.public_url
    storage.server_side_encryption storage.aws_access_key_id storage.aws_secret_access_key
    storage.aws_session_token storage.endpoint_url storage.use_ssl storage.verify storage.api_version
    storage.signature_version storage.user_agent storage.user_agent_extra storage.connect_timeout
    storage.read_timeout storage.parameter_validation storage.max_pool_connections storage.proxies
    storage.use_accelerate_endpoint storage.payload_signing_enabled storage.addressing_style
    db.url db.poolclass db.pool_size db.max_overflow db.pool_recycle db.pool_timeout
    db.pool_pre_ping db.pool_use_lifo db.echo
    auth.scheme auth.rounds auth.admins auth.signing_key auth.token_expire
    auth.db.url auth.db.poolclass auth.db.pool_size
    session.encrypt_key session.validate_key session.secure session.timeout
    auth.secret_id auth.region_name auth.aws_access_key_id auth.aws_secret_access_key
    auth.aws_session_token auth.profile_name
    auth.backend_server auth.user auth.password auth.uri.verify auth.uri.groups auth.uri.group_members
    auth.uri.admin auth.uri.group_permissions auth.uri.user_permissions auth.uri.user_package_permissions
    auth.uri.group_package_permissions auth.uri.user_data
    auth.ldap.url auth.ldap.service_dn auth.ldap.service_password auth.ldap.service_username
    auth.ldap.user_dn_format auth.ldap.base_dn auth.ldap.user_search_filter auth.ldap.admin_field
    auth.ldap.admin_value auth.ldap.admin_group_dn auth.ldap.cache_time auth.ldap.ignore_cert
    auth.ldap.ignore_referrals auth.ldap.ignore_multiple_results auth.ldap.fallback
    user.alice group.ops package.a.user.alice package.a.group.ops
"""
REFUSED = """
    pypi.download_url
    storage.cloud_front_domain storage.cloud_front_key_id storage.cloud_front_key_file
    storage.cloud_front_key_string
    storage.gcp_service_account_json_filename storage.gcp_project_id storage.gcp_api_endpoint
    storage.gcp_use_iam_signer storage.iam_signer_service_account_email
    storage.storage_account_name storage.storage_account_key storage.storage_container_name
    storage.storage_account_url
    db.clustered db.region_name db.host db.port db.secure db.aws_access_key_id db.aws_secret_access_key
    db.namespace db.tablenames
"""
WITHOUT_EFFECT = """
    pypi.calculate_package_hashes pypi.use_json_scraper db.graceful_reload storage.prepend_hash auth.kms_key_id
    session.type session.httponly
    session.invalidate_corrupt session.crypto_type session.lock_dir session.data_dir
    session.cookie_domain session.cookie_expires session.key
    pyramid.debug pyramid.reload_templates pyramid.cache_max_age pyramid.includes pyramid.debug_authorization
"""


def is_declared(key):
    return any(key in {one.key for one in declared(model)} or in_family(key, model) for model in MODELS)


def classes(key):
    found = {
        "declared": is_declared(key),
        "refused": legacy.refusal(key) is not None,
        # a family of pypicloud's, such as session.*, is all but what is declared
        "without effect": legacy.without_effect(key) is not None and not is_declared(key),
    }
    return [name for name, is_so in found.items() if is_so]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [(DECLARED, "declared"), (REFUSED, "refused"), (WITHOUT_EFFECT, "without effect")],
    ids=["declared", "refused", "without-effect"],
)
def test_every_key_of_pypicloud_has_one_class(keys, expected):
    assert {key: classes(key) for key in keys.split()} == {key: [expected] for key in keys.split()}


def test_the_tables_hold_no_key_that_a_model_declares():
    assert [key for key in sorted(legacy.fixed_keys()) if is_declared(key)] == []


def test_every_refusal_says_that_it_is_missing_and_what_to_do():
    for key in REFUSED.split():
        reason = legacy.refusal(key)
        assert reason is not None
        assert "not available in this version; remove this key" in reason


def test_secrets_are_keys_of_the_tables():
    assert sorted(legacy.SECRETS - legacy.fixed_keys()) == []


@pytest.mark.parametrize(
    ("key", "text", "name"),
    [
        ("pypi.storage", "pypicloud.storage.FileStorage", "file"),
        ("pypi.storage", "pypicloud.storage.s3:S3Storage", "s3"),
        ("pypi.storage", "pypicloud.storage.CloudFrontS3Storage", "cloudfront"),
        ("pypi.storage", "pypicloud.storage.azure_blob.AzureBlobStorage", "azure-blob"),
        ("pypi.db", "pypicloud.cache.SQLCache", "sql"),
        ("pypi.db", "pypicloud.cache.dynamo.DynamoCache", "dynamo"),
        ("pypi.auth", "pypicloud.access.ldap_.LDAPAccessBackend", "ldap"),
        ("pypi.auth", "pypicloud.access.OwnBackend", None),
        ("pypi.storage", "company.pypicloud.S3Storage", None),
        ("pypi.storage", "s3", None),
        ("storage.prefix", "pypicloud.storage.S3Storage", None),
    ],
)
def test_class_paths(key, text, name):
    assert legacy.short_name(key, text) == name
