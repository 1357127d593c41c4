"""What a wrong configuration of the real backends is told, a line for each mistake."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pypicloud_lite.access.backends.config import ConfigAccessSettings
from pypicloud_lite.access.login_settings import LoginSettings
from pypicloud_lite.access.settings import AccessSettings
from pypicloud_lite.db.settings import DatabaseSettings
from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.mirror.settings import Fallback, MirrorSettings
from pypicloud_lite.publish.settings import PublishSettings
from pypicloud_lite.serve.settings import ServeSettings
from pypicloud_lite.settings.choice import CHOICES, Backends
from pypicloud_lite.settings.load import Loaded, load
from pypicloud_lite.storage.backends.local import LocalSettings
from pypicloud_lite.storage.backends.s3_settings import S3Settings
from pypicloud_lite.upstream.settings import UpstreamSettings
from pypicloud_lite.web.settings import WebSettings

MODELS = (
    Backends,
    AccessSettings,
    LoginSettings,
    DatabaseSettings,
    PublishSettings,
    ServeSettings,
    MirrorSettings,
    UpstreamSettings,
    WebSettings,
)
CANARY = "canary-0wT9x-secret"
GOOD = {"storage.dir": "/srv/packages", "db.url": "sqlite:////srv/db.sqlite"}
S3 = {"pypi.storage": "s3", "storage.dir": None, "storage.bucket": "packages"}


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry points of pyproject.toml, also where the project is only checked out."""
    info = tmp_path / "settings_test-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: settings-test\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[pypicloud_lite.storage]\n"
        "file = pypicloud_lite.storage.backends.local:backend\n"
        "s3 = pypicloud_lite.storage.backends.s3:backend\n"
        "[pypicloud_lite.access]\n"
        "config = pypicloud_lite.access.backends.config:backend\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


def loaded(changes: Mapping[str, str | None], environ: Mapping[str, str] | None = None) -> Loaded:
    raw = {key: text for key, text in {**GOOD, **changes}.items() if text is not None}
    return load(raw, environ or {}, MODELS, choices=CHOICES)


def problems(changes: Mapping[str, str | None], environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        loaded(changes, environ)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value)
    return caught.value.problems


# What is wrong, and the parts that its one line must have: the key, the rule, the next step.
BAD: list[tuple[dict[str, str | None], tuple[str, ...]]] = [
    # Unknown keys.
    ({"pypi.default_raed": "everyone"}, ("pypi.default_raed", "no such key", "did you mean pypi.default_read?")),
    ({"Storage.Dir": "/x"}, ("Storage.Dir", "no such key", "did you mean storage.dir?")),
    ({"storage.directory_of_all": "/x"}, ("storage.directory_of_all", "no such key", "config.ini.sample")),
    ({"storage_dir": "/x"}, ("storage_dir", "no such key", "did you mean storage.dir?")),
    ({"users.alice": CANARY}, ("users.alice", "no such key", "did you mean user.alice?")),
    ({"packages.foo.user.al": "rw"}, ("packages.foo.user.al", "did you mean package.foo.user.al?")),
    ({"zzz": CANARY}, ("zzz", "no such key", "config.ini.sample")),
    ({**S3, "storage.aws_secret_acces_key": CANARY}, ("storage.aws_secret_acces_key", "aws_secret_access_key?")),
    ({"bad\nkey": "x"}, (r"bad\nkey", "no such key")),
    # Missing, or empty where something is needed.
    ({"db.url": None}, ("db.url", "required", "PPC_DB_URL")),
    ({"db.url": " "}, ("db.url", "required", "PPC_DB_URL")),
    ({"storage.dir": None}, ("storage.dir", "required", "PPC_STORAGE_DIR")),
    ({**S3, "storage.bucket": None}, ("storage.bucket", "required", "PPC_STORAGE_BUCKET")),
    # Wrong types and ranges.
    ({"pypi.stream_files": "maybe"}, ("pypi.stream_files", "must be true or false")),
    ({"pypi.allow_overwrite": "everyone"}, ("pypi.allow_overwrite", "must be true or false")),
    ({"pypi.package_max_age": "1h"}, ("pypi.package_max_age", "must be a whole number")),
    ({"pypi.package_max_age": "-1"}, ("pypi.package_max_age", "must be greater than or equal to 0")),
    ({"pypi.max_upload_size": "big"}, ("pypi.max_upload_size", "must be whole bytes", "64 MiB")),
    ({"pypi.max_upload_size": "0"}, ("pypi.max_upload_size", "must be greater than 0")),
    ({"pypi.page_cache": "64 MiB/s"}, ("pypi.page_cache", "must be whole bytes")),
    ({"pypi.base_url": "packages.example.com"}, ("pypi.base_url", "https://packages.example.com")),
    ({"pypi.base_url": f"https://a:{CANARY}@example.com"}, ("pypi.base_url", "does not belong")),
    ({"pypi.trusted_proxies": "10.0.0.0/99"}, ("pypi.trusted_proxies", "for example", "127.0.0.1")),
    ({"pypi.realm": 'say "x"'}, ("pypi.realm", "must match")),
    ({"auth.scheme": "rot13"}, ("auth.scheme",)),
    ({"auth.rounds": "many"}, ("auth.rounds", "must be a whole number")),
    ({"db.migrate": "sometimes"}, ("db.migrate", "must be 'auto' or 'check'")),
    ({"db.pool_size": "ten"}, ("db.pool_size", "must be a whole number")),
    ({"db.pool_timeout": "soon"}, ("db.pool_timeout", "must be a number")),
    ({"db.poolclass": "StaticPool"}, ("db.poolclass", "must be 'QueuePool' or 'NullPool'")),
    ({"db.url": f"oracle://u:{CANARY}@db.example.com/x"}, ("db.url",)),
    ({"db.url": CANARY}, ("db.url",)),
    ({"storage.accel_prefix": "protected"}, ("storage.accel_prefix", "/protected/")),
    ({**S3, "storage.expire_after": "1"}, ("storage.expire_after", "must be greater than or equal to 10")),
    ({**S3, "storage.server_side_encryption": "rot13"}, ("storage.server_side_encryption", "'AES256'")),
    ({**S3, "storage.bucket": "https://bucket"}, ("storage.bucket", "not an ARN or a URL")),
    ({**S3, "storage.storage_class": "GLACIER"}, ("storage.storage_class", "GLACIER_IR")),
    # Contradictions.
    (
        {"pypi.allow_delete": "true", "pypi.allow_delete_groups": "ops"},
        ("pypi.allow_delete", "contradicts", "pypi.allow_delete_groups"),
    ),
    # Choices.
    ({"pypi.storage": "fiel"}, ("pypi.storage", "'fiel'", "did you mean file?", "file, s3")),
    ({"pypi.storage": "gcs"}, ("pypi.storage", "'gcs'", "not available in this version", "pypi.storage = s3")),
    ({"pypi.storage": "cloudfront"}, ("pypi.storage", "CloudFront", "not available in this version")),
    ({"pypi.storage": "azure-blob"}, ("pypi.storage", "Azure", "not available in this version")),
    ({"pypi.storage": "pypicloud.storage.GoogleCloudStorage"}, ("pypi.storage", "'gcs'", "not available")),
    ({"pypi.storage": "no.such.module:Class"}, ("pypi.storage", "no.such.module", "install its package")),
    ({"pypi.storage": "json:dumps"}, ("pypi.storage", "json:dumps", "is not a backend")),
    ({"pypi.db": "redis"}, ("pypi.db", "Redis", "not available in this version", "pypi.db = sql")),
    ({"pypi.db": "dynamo"}, ("pypi.db", "DynamoDB", "not available in this version", "db.url")),
    ({"pypi.db": "memory"}, ("pypi.db", "not available in this version")),
    ({"pypi.db": "mongo"}, ("pypi.db", "must be 'sql'")),
    ({"pypi.auth": "aws_secrets_manager"}, ("auth.secret_id", "it is required", "PPC_AUTH_SECRET_ID")),
    (
        {"pypi.auth": "aws_secrets_manager", "auth.secret_id": "x", "auth.aws_access_key_id": CANARY},
        ("auth.aws_access_key_id", "auth.aws_secret_access_key go together"),
    ),
    ({"pypi.auth": "htpasswd"}, ("auth.htpasswd.file", "it is required")),
    (
        {"pypi.auth": "htpasswd", "auth.htpasswd.file": "/no/such/.htpasswd"},
        (
            "auth.htpasswd.file",
            "'/no/such/.htpasswd'",
            "there is no such file",
            "htpasswd -B -c /no/such/.htpasswd NAME",
        ),
    ),
    ({"auth.limit_url": f"http://{CANARY}"}, ("auth.limit_url", "redis://, rediss:// or unix://")),
    ({"auth.limit_user": "0"}, ("auth.limit_user", "1")),
    ({"auth.limit_window": "soon"}, ("auth.limit_window", "whole seconds")),
    ({"pypi.auth": "ldap"}, ("auth.ldap.url", "it is required", "ldaps://ldap.example.com")),
    ({"pypi.auth": "remote"}, ("auth.backend_server", "it is required", "https://users.example.com")),
    # pypicloud's keys that are not built yet.
    ({"storage.gcp_project_id": "x"}, ("storage.gcp_project_id", "Google Cloud Storage is not available")),
    ({"storage.storage_account_key": CANARY}, ("storage.storage_account_key", "Azure", "not available")),
    ({"db.tablenames": "a b"}, ("db.tablenames", "DynamoDB is not available", "db.url")),
    ({"auth.signing_key": "short"}, ("auth.signing_key", "16")),
    ({"pypi.fallback": "casche"}, ("pypi.fallback", "none, redirect, cache or mirror", "did you mean cache?")),
]


@pytest.mark.parametrize(("changes", "parts"), BAD, ids=lambda value: next(iter(value), None))
def test_each_mistake_is_one_line_with_key_rule_and_next_step(changes, parts):
    (line,) = problems(changes)

    assert line.startswith(parts[0])
    assert "\n" not in line
    assert [part for part in parts if part not in line] == []


def test_all_mistakes_are_reported_at_once():
    lines = problems(
        {
            "storage.dir": None,
            "db.url": None,
            "pypi.stream_files": "maybe",
            "pypi.page_cache": "x",
            "pypi.default_raed": "x",
            "storage.gcp_project_id": "x",
            "pypi.fallback": "x",
        },
        {"PPC_PYPI_DEFAULT_RAED": "x", "PPC_ADMIN_USER": "root", "PPC_DB_POOL_SIZE": "x"},
    )

    assert sorted(line.partition(":")[0] for line in lines) == [
        "PPC_ADMIN_USER is set without a password",
        "PPC_DB_POOL_SIZE (db.pool_size)",
        "PPC_PYPI_DEFAULT_RAED",
        "db.url",
        "pypi.default_raed",
        "pypi.fallback",
        "pypi.page_cache",
        "pypi.stream_files",
        "storage.dir",
        "storage.gcp_project_id",
    ]


def test_keys_of_a_backend_that_was_not_chosen_are_without_effect():
    found = loaded({"storage.bucket": "packages", "storage.aws_secret_access_key": CANARY})

    assert found.warnings == ("without effect (pypi.storage = file): storage.aws_secret_access_key, storage.bucket",)
    with pytest.raises(KeyError):
        found.get(S3Settings)


def test_a_wrong_backend_does_not_make_its_keys_unknown():
    (line,) = problems({"pypi.storage": "s33", "storage.bucket": "packages", "storage.dir": "/srv"})

    assert line.startswith("pypi.storage: ")


def test_the_chosen_backends_settings_are_loaded():
    found = loaded({**S3, "user.alice": CANARY, "group.ops": "alice", "package.a.user.alice": "rw"})

    assert found.get(S3Settings).bucket == "packages"
    assert found.plugin("pypi.storage").settings is S3Settings
    assert dict(found.get(ConfigAccessSettings).entries) == {
        "user.alice": CANARY,
        "group.ops": "alice",
        "package.a.user.alice": "rw",
    }


def test_pypiclouds_class_paths_mean_our_backends():
    found = loaded(
        {
            **S3,
            "pypi.storage": "pypicloud.storage.S3Storage",
            "pypi.db": "pypicloud.cache.SQLCache",
            "pypi.auth": "pypicloud.access.ConfigAccessBackend",
        }
    )

    assert found.plugin("pypi.storage").settings is S3Settings
    assert found.warnings == (
        "pypi.storage = pypicloud.storage.S3Storage is read as pypi.storage = s3: write that instead",
        "pypi.auth = pypicloud.access.ConfigAccessBackend is read as pypi.auth = config: write that instead",
        "pypi.db = pypicloud.cache.SQLCache is read as pypi.db = sql: write that instead",
    )


def test_a_whole_pypicloud_file_starts_and_lists_what_has_no_effect():
    found = loaded(
        {
            "pyramid.reload_templates": "false",
            "pyramid.default_locale_name": "en",
            "pypi.fallback": "redirect",
            "pypi.always_show_upstream": "true",
            "pypi.fallback_base_url": "https://upstream.example.com",
            "pypi.calculate_package_hashes": "true",
            "pypi.default_read": "everyone",
            "pypi.default_write": "",
            "pypi.cache_update": "authenticated",
            "session.encrypt_key": CANARY,
            "session.validate_key": CANARY,
            "session.secure": "true",
            "session.invalidate_corrupt": "true",
            "auth.admins": "alice\n  bob",
            "user.alice": "x",
        }
    )

    assert found.get(MirrorSettings).fallback is Fallback.REDIRECT
    assert found.get(MirrorSettings).merges_everything
    assert [peer.index.server for peer in found.get(UpstreamSettings).peers({})] == ["https://upstream.example.com"]
    assert found.get(AccessSettings).default_read == ("everyone",)
    assert found.get(AccessSettings).default_write == ()
    assert found.get(AccessSettings).admins == ("alice", "bob")
    assert found.warnings == (
        (
            "without effect (this server is not configured through Pyramid's settings): pyramid.default_locale_name, "
            "pyramid.reload_templates"
        ),
        "without effect (this server does not use Beaker): session.invalidate_corrupt",
    )


@pytest.mark.parametrize("changes", [{}, {"pypi.fallback": "none"}, {"pypi.fallback": ""}])
def test_a_file_that_asks_for_nothing_more_gets_no_warning(changes):
    assert loaded(changes).warnings == ()


def test_nothing_shows_a_secret():
    found = loaded(
        {
            **S3,
            "db.url": f"postgresql://ppc:{CANARY}@127.0.0.1/ppc",
            "storage.aws_access_key_id": CANARY,
            "storage.aws_secret_access_key": CANARY,
            "user.alice": CANARY,
            "session.encrypt_key": CANARY,
        },
        {"PPC_ADMIN_USER": "root", "PPC_ADMIN_PASSWORD": CANARY},
    )
    shown = [found, found.admin, found.warnings, *(found.get(model) for model in MODELS)]
    shown += [found.get(S3Settings), found.get(ConfigAccessSettings)]

    for value in shown:
        assert CANARY not in repr(value)
        assert CANARY not in str(value)
    assert found.admin is not None
    assert found.admin.password.get_secret_value() == CANARY


def test_the_table_names_each_backends_own_settings():
    assert loaded({}).get(LocalSettings).dir.as_posix() == "/srv/packages"


def test_pypiclouds_other_keys_may_come_from_the_environment_too():
    found = loaded({}, {"PPC_SESSION_TYPE": "cookie", "PPC_PYPI_FALLBACK": "cache", "PPC_STORAGE_BUCKET": "b"})

    assert [line.partition(" (")[0] for line in found.warnings] == [
        "without effect",
        "without effect",
    ]
    (line,) = problems({}, {"PPC_STORAGE_GCP_PROJECT_ID": "x"})
    assert line.startswith("PPC_STORAGE_GCP_PROJECT_ID (storage.gcp_project_id): Google Cloud Storage is not available")
