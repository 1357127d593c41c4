"""What every test may ask for: services that must be there when CI says so."""

from __future__ import annotations

import gc
import importlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pypicloud_lite.testing.databases import KINDS, DatabaseMissing, new_database
from pypicloud_lite.testing.servers import RedisServer, moto_server

_MEMORY = Path("/dev/shm")
_ROOM = 6 * 2**30


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require",
        action="append",
        default=[],
        metavar="NAME",
        help="fail instead of skip when this service is missing (repeatable; 'all' for every one)",
    )


def pytest_configure() -> None:
    """Folders of tests lie in memory where there is room: what every test waits for most is the disk, at each fsync."""
    if "PYTEST_DEBUG_TEMPROOT" not in os.environ and _has_room_in_memory():
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(_MEMORY)


def _has_room_in_memory() -> bool:
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return os.access(_MEMORY, os.W_OK | os.X_OK) and min(free, shutil.disk_usage(_MEMORY).free) > _ROOM
    except (OSError, ValueError):
        return False


def pytest_collection_finish() -> None:
    """What was imported stays: looking through it for garbage again and again takes a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session")
def missing(pytestconfig: pytest.Config) -> Callable[[str, str], None]:
    """``missing(service, reason)``: skip the test, or fail it when the service was required."""
    required = {name for value in pytestconfig.getoption("--require") for name in value.split(",")}

    def report(service: str, reason: str) -> None:
        if service in required or "all" in required:
            pytest.fail(f"{service} is required and missing: {reason}")
        pytest.skip(f"{service}: {reason}")

    return report


@pytest.fixture(scope="session")
def s3_endpoint(missing: Callable[[str, str], None]) -> Iterator[str]:
    """The URL of an S3 server (moto's, in a process of its own) for the whole session."""
    for module in ("boto3", "moto.server"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            missing("s3", str(error))
    with moto_server() as url:
        yield url


@pytest.fixture
def redis_server(missing: Callable[[str, str], None]) -> Iterator[RedisServer]:
    """A Redis that no other test uses."""
    # The path of a Unix socket has at most 107 bytes, which pytest's own folders may pass.
    with tempfile.TemporaryDirectory(prefix="ppc-") as folder:
        server = RedisServer(Path(folder))
        try:
            importlib.import_module("redis")
            server.start()
        except (ImportError, FileNotFoundError) as error:
            missing("redis", str(error))
        yield server
        server.stop()


@pytest.fixture
def s3_options(s3_endpoint: str) -> dict[str, str]:
    """Settings of the backend ``s3`` for a bucket that no other test uses; ``prepare`` creates it."""
    return {
        "storage.bucket": f"test-{secrets.token_hex(8)}",
        "storage.create_bucket": "true",
        "storage.endpoint_url": s3_endpoint,
        "storage.region_name": "us-east-1",
        "storage.aws_access_key_id": "testing",
        "storage.aws_secret_access_key": "testing",
    }


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path, missing: Callable[[str, str], None]) -> Iterator[str]:
    """The URL of a new, empty database of each kind; it is dropped afterwards."""
    try:
        with new_database(request.param, tmp_path) as url:
            yield url
    except DatabaseMissing as error:
        missing(request.param, str(error))
