"""What the storage in a bucket does beyond the contract: settings, request counts, URLs."""

from __future__ import annotations

import os
import sys
import tracemalloc
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore.auth
import botocore.session
import pytest
from botocore.validate import ParamValidationDecorator
from pydantic import ValidationError

from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.kernel.names import StorageKey
from pypicloud_lite.storage.backends import s3, s3_storage, s3_transfer
from pypicloud_lite.storage.backends.s3_settings import S3Settings
from pypicloud_lite.storage.backends.s3_signing import attachment
from pypicloud_lite.storage.backends.s3_storage import S3Storage
from pypicloud_lite.storage.port import CHUNK, BlobNotFound, DigestMismatch
from pypicloud_lite.testing.servers import fault_proxy
from pypicloud_lite.testing.storage import content, get, keys, put

KEY = StorageKey("root/main/demo/0011/demo-1.0.tar.gz")
NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def client(s3_options):
    return boto3.client(
        "s3",
        endpoint_url=s3_options["storage.endpoint_url"],
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


@pytest.fixture
def make(s3_options):
    def make(clock=lambda: NOON, prepare=True, without=(), **options):
        named = {**s3_options, **{f"storage.{name}": value for name, value in options.items()}}
        settings = S3Settings.model_validate({n: v for n, v in named.items() if n not in without})
        storage = S3Storage(settings, clock)
        if prepare:
            storage.prepare()
        return storage

    return make


# Listing and keys


@pytest.mark.parametrize(("page", "count"), [(4, 10), pytest.param(1000, 2500, marks=pytest.mark.slow)])
def test_listing_costs_one_request_per_page(s3_endpoint, make, monkeypatch, page, count):
    assert s3_storage._PAGE == 1000
    monkeypatch.setattr(s3_storage, "_PAGE", page)
    with fault_proxy(s3_endpoint) as proxy:
        direct, storage = make(prefix="p/"), make(endpoint_url=proxy.url, prefix="p/")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: direct.write(StorageKey(f"a/{number}"), b""), range(count)))
        proxy.heal()
        assert len(keys(storage, "a/")) == count
        assert len(proxy.seen) == 3


def test_prefix_is_put_before_the_key_as_it_is(make, client, s3_options):
    storage = make(prefix="no-slash-")
    put(storage, KEY, b"x")
    storage.probe()
    names = [entry["Key"] for entry in client.list_objects_v2(Bucket=s3_options["storage.bucket"])["Contents"]]
    assert names == ["no-slash-" + KEY.value]
    assert keys(storage) == [KEY.value]
    assert keys(make()) == ["no-slash-" + KEY.value]


def test_probe_object_and_foreign_names_are_not_listed(make, client, s3_options):
    storage = make(prefix="p/")
    for name in ("p/.probe", "p/folder/", "p//double", "q/other", "p/fine"):
        client.put_object(Bucket=s3_options["storage.bucket"], Key=name, Body=b"")
    assert keys(storage) == ["fine"]


def test_attributes_are_the_objects_metadata(make, client, s3_options):
    storage = make()
    metadata = {"Hash_SHA256": "ab", "requires-python": ">=3.8", "uploader": "alice"}
    client.put_object(Bucket=s3_options["storage.bucket"], Key="ab12/demo/demo-1.0.tar.gz", Metadata=metadata)
    found = storage.stat(StorageKey("ab12/demo/demo-1.0.tar.gz")).attributes
    assert found == {"hash-sha256": "ab", "requires-python": ">=3.8", "uploader": "alice"}
    (listed,) = storage.list("ab12/")
    assert dict(listed.attributes) == {}


def test_new_objects_get_what_is_configured(make, client, s3_options):
    storage = make(
        server_side_encryption="aws:kms",
        sse_kms_key_id="alias/demo",
        storage_class="STANDARD_IA",
        object_acl="public-read",
    )
    put(storage, KEY, b"x")
    put(storage, KEY.sibling(".large"), bytes(33 * 1024 * 1024))
    storage.write(KEY.sibling(".metadata"), b"x")
    for key in (KEY, KEY.sibling(".large"), KEY.sibling(".metadata")):
        answer = client.head_object(Bucket=s3_options["storage.bucket"], Key=key.value)
        assert answer["ServerSideEncryption"] == "aws:kms"
        assert answer["SSEKMSKeyId"] == "alias/demo"
        assert answer["StorageClass"] == "STANDARD_IA"
        acl = client.get_object_acl(Bucket=s3_options["storage.bucket"], Key=key.value)
        assert any(grant["Grantee"].get("URI", "").endswith("AllUsers") for grant in acl["Grants"])


def test_memory_stays_flat(make):
    storage = make()
    size = 40 * 1024 * 1024
    make().probe()
    tracemalloc.start()
    try:
        with storage.spool(size) as spool:
            for _ in range(size // CHUNK):
                spool.write(bytes(CHUNK))
            storage.put(KEY, spool)
        with storage.open(KEY) as reader:
            assert sum(len(piece) for piece in reader) == size
        assert tracemalloc.get_traced_memory()[1] < 12 * 1024 * 1024
    finally:
        tracemalloc.stop()


# URLs


def test_signed_url_stays_within_its_window_and_changes_after(make):
    moments = [NOON, NOON + timedelta(seconds=1799), NOON + timedelta(seconds=1800)]
    first, same, later = (make(clock=lambda moment=moment: moment) for moment in moments)
    assert first.signed_url(KEY, "demo.whl") == same.signed_url(KEY, "demo.whl")
    assert first.signed_url(KEY, "demo.whl") != later.signed_url(KEY, "demo.whl")
    asked = parse_qs(urlsplit(same.signed_url(KEY, "demo.whl")).query)
    assert asked["X-Amz-Date"] == ["20260301T120000Z"]
    assert asked["X-Amz-Expires"] == ["3600"]
    assert asked["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    asked = parse_qs(urlsplit(make(expire_after="60").signed_url(KEY, "demo.whl")).query)
    assert asked["X-Amz-Expires"] == ["60"]


def test_signed_url_works_for_anyone(make):
    storage = make(clock=lambda: datetime.now(UTC))
    key = StorageKey("root/main/demo 2/0011/demo+ü-1.0.tar.gz")
    put(storage, key, b"the bytes")
    with urllib.request.urlopen(storage.signed_url(key, "demo+ü-1.0.tar.gz")) as answer:
        assert answer.read() == b"the bytes"
        disposition = answer.headers["Content-Disposition"]
    assert disposition == "attachment; filename=\"demo+_-1.0.tar.gz\"; filename*=UTF-8''demo%2B%C3%BC-1.0.tar.gz"


@pytest.mark.parametrize("token", [None, "session/token+=="])
@pytest.mark.parametrize("options", [{}, {"prefix": "p q/"}])
def test_signature_is_the_one_botocore_makes(make, monkeypatch, s3_options, token, options):
    extra = {"aws_session_token": token} if token else {}
    storage = make(**options, **extra)
    signer = boto3.client(
        "s3",
        endpoint_url=s3_options["storage.endpoint_url"],
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        aws_session_token=token,
        config=botocore.config.Config(signature_version="s3v4"),
    )
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: NOON.replace(tzinfo=None))
    asked = {
        "Bucket": s3_options["storage.bucket"],
        "Key": options.get("prefix", "") + KEY.value,
        "ResponseContentDisposition": 'attachment; filename="demo.whl"',
    }
    expected = signer.generate_presigned_url("get_object", Params=asked, ExpiresIn=3600)
    assert storage.signed_url(KEY, "demo.whl") == expected


@pytest.mark.parametrize(
    ("options", "beginning"),
    [
        ({"region_name": "eu-west-3"}, "https://demo-bucket.s3.eu-west-3.amazonaws.com/root/"),
        ({"region_name": "eu-west-3", "addressing_style": "path"}, "https://s3.eu-west-3.amazonaws.com/demo-bucket/"),
        ({"region_name": "eu-west-3", "use_accelerate_endpoint": "true"}, "https://demo-bucket.s3-accelerate."),
        ({"endpoint_url": "https://s3.example.com:9000"}, "https://s3.example.com:9000/demo-bucket/root/"),
        (
            {"endpoint_url": "https://s3.example.com", "addressing_style": "virtual"},
            "https://demo-bucket.s3.example.com/root/",
        ),
    ],
)
@pytest.mark.parametrize("public", ["false", "true"])
def test_urls_follow_endpoint_region_and_addressing(make, options, beginning, public):
    without = () if "endpoint_url" in options else ("storage.endpoint_url",)
    storage = make(prepare=False, without=without, bucket="demo-bucket", public_url=public, **options)
    url = storage.signed_url(KEY, "demo.whl")
    assert url.startswith(beginning)
    assert ("?" in url) == (public == "false")
    if "region_name" in options and public == "false":
        assert "%2Feu-west-3%2Fs3%2Faws4_request" in url


def test_no_urls_without_redirects(make):
    assert make(redirect_urls="false", prepare=False).signed_url(KEY, "demo.whl") is None
    assert make(prepare=False).accelerated(KEY) is None


def test_content_disposition_cannot_be_broken_out_of():
    assert attachment("demo-1.0.whl") == 'attachment; filename="demo-1.0.whl"'
    assert attachment('a"; x="\r\n\\') == (
        "attachment; filename=\"a_; x=____\"; filename*=UTF-8''a%22%3B%20x%3D%22%0D%0A%5C"
    )


# Credentials and processes


def test_role_is_assumed(make, s3_endpoint, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", s3_endpoint)
    storage = make(role_arn="arn:aws:iam::123456789012:role/uploader")
    put(storage, KEY, b"x")
    assert get(storage, KEY) == b"x"
    asked = parse_qs(urlsplit(storage.signed_url(KEY, "demo.whl")).query)
    assert asked["X-Amz-Security-Token"]
    assert not asked["X-Amz-Credential"][0].startswith("testing/")


def test_credentials_come_from_the_environment_or_a_profile(make, monkeypatch, tmp_path):
    without = ("storage.aws_access_key_id", "storage.aws_secret_access_key")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert "from-environment%2F" in make(without=without).signed_url(KEY, "demo.whl")
    (tmp_path / "credentials").write_text("[other]\naws_access_key_id = from-profile\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    assert "from-profile%2F" in make(without=without, profile_name="other").signed_url(KEY, "demo.whl")
    with pytest.raises(ConfigError, match=r"storage\.profile_name"):
        make(without=without, profile_name="no-such")


def test_no_credentials_at_all(make, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"storage\.aws_access_key_id"):
        make(without=("storage.aws_access_key_id", "storage.aws_secret_access_key"))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_works_after_a_fork(make):
    storage = make()
    put(storage, KEY, content(CHUNK))
    child = os.fork()
    if not child:
        status = 1
        try:
            status = 0 if get(storage, KEY) == content(CHUNK) else 1
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert get(storage, KEY) == content(CHUNK)


def test_secrets_are_not_shown(make):
    storage = make(prepare=False, aws_session_token="my-token", proxies="https=http://user:pass@127.0.0.1:3128")
    for text in (repr(storage._settings), str(storage._settings)):
        assert "my-token" not in text
        assert "pass@" not in text


# Settings


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"bucket": "arn:aws:s3:us-east-1:1:accesspoint/x"}, "ARN"),
        ({"bucket": "demo--use1-az4--x-s3"}, "directory buckets"),
        ({"signature_version": "s3"}, "s3v4"),
        ({"expire_after": "604801"}, "604800"),
        ({"sse_kms_key_id": "x"}, "aws:kms"),
        ({"sse_kms_key_id": "x", "server_side_encryption": "AES256"}, "aws:kms"),
        ({"aws_session_token": "x", "aws_access_key_id": None, "aws_secret_access_key": None}, "aws_access_key_id"),
        ({"aws_secret_access_key": None}, "aws_secret_access_key"),
        ({"profile_name": "x"}, "profile_name"),
        ({"use_accelerate_endpoint": "true"}, "endpoint_url"),
        ({"object_acl": "everyone"}, "object_acl"),
        ({"storage_class": "GLACIER"}, "GLACIER_IR"),
        ({"public_url": "true", "redirect_urls": "false"}, "redirect_urls"),
        ({"proxies": "proxy.example.com"}, "https=http"),
        ({"addressing_style": "auto-ish"}, "addressing_style"),
    ],
)
def test_what_cannot_be_honoured_is_refused(s3_options, options, named):
    given = {**s3_options, **{f"storage.{name}": value for name, value in options.items()}}
    with pytest.raises(ValidationError, match=named):
        S3Settings.model_validate({name: value for name, value in given.items() if value is not None})


def test_settings_reach_the_client(make):
    storage = make(
        prepare=False,
        user_agent="demo/1",
        user_agent_extra="more",
        connect_timeout="3",
        read_timeout="4.5",
        parameter_validation="false",
        max_pool_connections="7",
        proxies="https=http://127.0.0.1:3128",
        payload_signing_enabled="true",
        api_version="2006-03-01",
        verify="no",
    )
    config = storage._connection.client.meta.config
    assert config.user_agent.startswith("demo/1")
    assert config.user_agent_extra == "more"
    assert (config.connect_timeout, config.read_timeout, config.max_pool_connections) == (3, 4.5, 7)
    assert not isinstance(storage._connection.client._serializer, ParamValidationDecorator)
    assert config.proxies == {"https": "http://127.0.0.1:3128"}
    assert config.s3["payload_signing_enabled"] is True
    assert storage._settings.verify is False


def test_backend_is_built_without_io(s3_options):
    given = {**s3_options, "storage.endpoint_url": "http://127.0.0.1:1"}
    assert s3.backend.build(S3Settings.model_validate(given)).accelerated(KEY) is None


def test_without_boto3_the_message_says_what_to_install(s3_options, monkeypatch):
    monkeypatch.delitem(sys.modules, "pypicloud_lite.storage.backends.s3_storage")
    monkeypatch.delitem(sys.modules, "pypicloud_lite.storage.backends.s3_client")
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigError, match=r"pypicloud_lite\[s3\]"):
        s3.backend.build(S3Settings.model_validate(s3_options))


# Copies


def test_a_large_copy_is_made_in_parts(make, monkeypatch, client, s3_options):
    part = 5 * 1024 * 1024
    monkeypatch.setattr(s3_transfer, "COPY_LIMIT", part)
    storage, target = make(prefix="p/", storage_class="STANDARD_IA"), StorageKey("root/other/demo/0011/demo-1.0.tar.gz")
    data = content(2 * part + 1)
    put(storage, KEY, data)
    storage.copy(KEY, target, len(data))
    assert get(storage, target) == data
    head = client.head_object(Bucket=s3_options["storage.bucket"], Key=f"p/{target}")
    assert head["StorageClass"] == "STANDARD_IA"
    assert head["ETag"].endswith('-3"')
    for size in (len(data) - 1, len(data) + 1):
        with pytest.raises(DigestMismatch):
            storage.copy(KEY, StorageKey("another"), size)
    with pytest.raises(BlobNotFound):
        storage.copy(StorageKey("nothing"), StorageKey("another"), len(data))
    assert keys(storage) == sorted([KEY.value, target.value])
    assert storage.sweep(datetime.now(UTC) + timedelta(hours=1)) == 0


def test_a_copy_costs_two_requests_and_moves_nothing(make, s3_endpoint):
    with fault_proxy(s3_endpoint) as proxy:
        storage = make(endpoint_url=proxy.url)
        put(storage, KEY, content(3 * CHUNK))
        proxy.heal()
        storage.copy(KEY, StorageKey("another"), 3 * CHUNK)
        assert len(proxy.seen) == 2
    assert get(make(), StorageKey("another")) == content(3 * CHUNK)
