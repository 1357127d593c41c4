"""AWS Secrets Manager through the whole application: what a change of the secret and an outage come to."""

from __future__ import annotations

import json
import secrets
import time

import pytest

from pypicloud_lite.access.acl_document import AclDocument, AclUser, dump
from pypicloud_lite.access.backends.aws_secret import AwsSecret
from pypicloud_lite.access.backends.aws_secrets_manager import AwsSecretsSettings
from pypicloud_lite.access.model import Right
from pypicloud_lite.access.passwords import hash_password
from pypicloud_lite.kernel.errors import AccessUnavailable, InvalidRequest
from pypicloud_lite.testing.artifacts import build_wheel
from pypicloud_lite.testing.servers import Fault, fault_proxy
from pypicloud_lite.testing.world import PASSWORDS, World, user_settings

KEYS = {"auth.aws_access_key_id": "testing", "auth.aws_secret_access_key": "testing"}
DEMO = build_wheel("demo", "1.0")


class Site:
    """A secret on moto's server, behind a proxy that can break."""

    def __init__(self, endpoint, proxy):
        import boto3

        self.name = f"users-{secrets.token_hex(8)}"
        self.proxy = proxy
        self.client = boto3.client(
            "secretsmanager",
            endpoint_url=endpoint,
            region_name="eu-west-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def write(self, text):
        try:
            self.client.put_secret_value(SecretId=self.name, SecretString=text)
        except self.client.exceptions.ResourceNotFoundException:
            self.client.create_secret(Name=self.name, SecretString=text)

    def settings(self, **more):
        keys = {"auth.secret_id": self.name, "auth.region_name": "eu-west-1", "auth.endpoint_url": self.proxy.url}
        return {**keys, **KEYS, **more}


@pytest.fixture
def site(s3_endpoint):
    with fault_proxy(s3_endpoint) as proxy:
        yield Site(s3_endpoint, proxy)


def people(*names, admins=("admin",), rights=()):
    users = tuple(
        AclUser(name, hash_password(PASSWORDS[name], "pbkdf2_sha256", 1000), is_admin=name in admins) for name in names
    )
    groups = {"developers": frozenset({"writer"})}
    return json.dumps(dump(AclDocument(users=users, groups=groups, user_rights=dict(rights))))


@pytest.fixture
def make(site, tmp_path):
    worlds = []

    def make(**more):
        nothing = dict.fromkeys(key for key in user_settings() if key.startswith(("user.", "group.", "auth.")))
        settings = {**nothing, "pypi.auth": "aws_secrets_manager", **site.settings(**{"auth.secret_cache_time": "60"})}
        worlds.append(World(tmp_path, {**settings, "pypi.default_read": "authenticated", **more}))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


def older(world, seconds=100):
    """As if so much time had passed since the secret was read."""
    secret = world.services.access.backends()["aws_secrets_manager"]._secret
    secret._known = secret._known.__class__(secret._known.facts, secret._known.warnings, secret._known.since - seconds)
    secret._retry_at = 0.0


def test_users_admins_groups_and_rules_are_those_of_the_secret(site, make):
    site.write(people("admin", "writer", "reader", rights={("demo", "reader"): frozenset({Right.READ})}.items()))
    world = make()
    world.upload(build_wheel("other", "1.0"), "reader", 403)
    world.upload(build_wheel("other", "1.0"), "writer")
    world.upload(DEMO, "writer", 403)
    world.upload(DEMO, "admin")
    world.get("/simple/demo/", "reader", 200)
    world.get("/simple/demo/", "writer", 404)
    world.get("/simple/demo/", "outsider", 401)
    assert len(site.proxy.seen) == 1


def test_a_change_holds_when_the_cache_is_too_old(site, make):
    site.write(people("reader"))
    world = make()
    world.get("/simple/", "reader", 200)
    site.write(people("writer"))
    older(world)
    world.get("/simple/", "reader", 401)
    world.get("/simple/", "writer", 200)


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (Fault.FORBIDDEN, "AWS Secrets Manager"),
        (Fault.INTERNAL_ERROR, "AWS Secrets Manager"),
        (Fault.HANG_UP, "ConnectionClosedError"),
        (Fault.TRUNCATE, "AWS Secrets Manager"),
    ],
)
def test_f30_an_outage_is_503_for_all_but_an_administrator_whom_another_backend_knows(site, make, fault, named):
    site.write(people("reader"))
    chained = {"pypi.auth": "config aws_secrets_manager", "user.admin": user_settings()["user.admin"]}
    world = make(**chained, **{"auth.admins": "admin"})
    world.get("/simple/", "reader", 200)
    site.proxy.fail(fault)
    world.get("/simple/", "reader", 200)
    older(world)
    answer = world.get("/simple/", "reader", 503)
    assert answer.headers["Retry-After"].isdigit()
    world.get("/simple/", "admin", 200)
    asked = len(site.proxy.seen)
    with pytest.raises(AccessUnavailable, match=named):
        world.services.access.probe()
    world.get("/simple/", "outsider", 503)
    assert len(site.proxy.seen) == asked
    site.proxy.heal()
    older(world)
    world.get("/simple/", "reader", 200)


def test_f30_silence_is_an_outage_within_3_seconds_and_then_at_once(site, make):
    site.write(people("reader"))
    world = make()
    site.proxy.fail(Fault.SILENCE)
    began = time.monotonic()
    world.get("/simple/", "reader", 503)
    assert time.monotonic() - began < 20
    before = len(site.proxy.seen)
    for _ in range(20):
        world.get("/simple/", "reader", 503)
    assert len(site.proxy.seen) <= before + 1
    assert world.get("/health/live", None, 200)


def test_f30_a_server_starts_while_the_secret_cannot_be_had(site, make):
    site.proxy.fail(Fault.HANG_UP)
    world = make()
    assert world.services.warnings == ()
    world.get("/simple/", "reader", 503)
    assert world.get("/health/live", None, 200)
    assert world.get("/health/ready", None, 503)


@pytest.mark.parametrize("text", ["{", '{"users": 3}', "[]"])
def test_a_secret_that_becomes_no_document_changes_nothing(site, make, text):
    site.write(people("reader"))
    world = make()
    world.get("/simple/", "reader", 200)
    site.write(text)
    older(world)
    world.get("/simple/", "reader", 200)


def secret_of(site, **more):
    return AwsSecret(AwsSecretsSettings.model_validate(site.settings(**more)))


def test_what_aws_refuses_is_said_with_the_next_step(site):
    with pytest.raises(
        AccessUnavailable, match=rf"'ResourceNotFoundException' for the secret '{site.name}': create it"
    ):
        secret_of(site)()
    site.client.create_secret(Name=site.name, SecretBinary=b"zzyzx")
    with pytest.raises(InvalidRequest, match="the secret is binary"):
        secret_of(site)()


def test_without_a_region_or_credentials_it_says_what_to_set(site, monkeypatch, tmp_path):
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    settings = {key: value for key, value in site.settings().items() if key not in {"auth.region_name", *KEYS}}
    with pytest.raises(AccessUnavailable, match=r"set auth\.region_name"):
        AwsSecret(AwsSecretsSettings.model_validate(settings))()
    with pytest.raises(AccessUnavailable, match="NoCredentialsError"):
        AwsSecret(AwsSecretsSettings.model_validate({**settings, "auth.region_name": "eu-west-1"}))()
    with pytest.raises(AccessUnavailable, match="ProfileNotFound"):
        AwsSecret(AwsSecretsSettings.model_validate({**settings, "auth.profile_name": "no-such"}))()
