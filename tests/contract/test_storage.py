"""The storage contract, over every backend."""

from __future__ import annotations

import pytest

from pypicloud_lite.storage.backends import local, s3
from pypicloud_lite.testing.servers import Fault, fault_proxy
from pypicloud_lite.testing.storage import StorageContract
from pypicloud_lite.testing.storage_copies import CopyContract


class TestLocal(StorageContract, CopyContract):
    @pytest.fixture
    def root(self, tmp_path):
        return tmp_path / "packages"

    @pytest.fixture
    def storage(self, root):
        settings = local.LocalSettings.model_validate({"storage.dir": str(root)})
        storage = local.backend.build(settings)
        storage.prepare()
        return storage

    @pytest.fixture
    def break_storage(self, root):
        return lambda: root.rename(root.with_name("gone"))


class TestS3(StorageContract, CopyContract):
    # moto looks whether a key exists and then writes, so that two at once may both succeed.
    sees_existing = False

    @pytest.fixture
    def proxy(self, s3_endpoint):
        with fault_proxy(s3_endpoint) as proxy:
            yield proxy

    @pytest.fixture
    def storage(self, proxy, s3_options):
        options = s3_options | {"storage.endpoint_url": proxy.url, "storage.prefix": "some/prefix/"}
        storage = s3.backend.build(s3.S3Settings.model_validate(options))
        storage.prepare()
        return storage

    @pytest.fixture
    def break_storage(self, proxy):
        return lambda: proxy.fail(Fault.FORBIDDEN)
