"""Results of testing a file: kept beside it, and gone with it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from pypicloud_lite.access.model import ANONYMOUS
from pypicloud_lite.catalog.model import AttachmentKind, ProjectStatus
from pypicloud_lite.indexes.copying_attached import AttachedChoice
from pypicloud_lite.indexes.options import Kind
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import (
    AuthenticationRequired,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    TooLarge,
)
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.testing.artifacts import build_sdist, build_wheel

WHEEL = build_wheel("demo", "1.0")
SDIST = build_sdist("demo", "1.0")
RESULT = b'{ "reportversion": "1",\n "testenvs": {"py311": {}} }'
AUTHOR = Author("tester")
DEMO = ProjectName("demo")
DEV = IndexName("root", "dev")


def who(world, user):
    return ANONYMOUS if user is None else world.services.authenticator.identify(user, f"{user}-pw")


def send(world, filename=WHEEL.filename, body=RESULT, user="writer", index=None, digest=WHEEL.sha256[:16]):
    index = index or world.services.index
    return world.services.attachments.add_tox_result(index, filename, digest, body, who(world, user), AUTHOR)


def attached(world, index=None):
    return list(world.services.attachments.of([index or world.services.index], DEMO))


def stored(world):
    return [info.key.value for info in world.services.storage.list() if "+attached" in info.key.value]


def make_index(world, name="root/dev", **options):
    """An index with the wheel in it."""
    services, index = world.services, IndexName.parse(name)
    given = {"acl_upload": ["writer"], **options}
    services.indexes.create(index, Kind.STAGE, given, who(world, "admin"), AUTHOR)
    copy_wheel(world, index)
    return index


def copy_wheel(world, index, artifact=WHEEL):
    from pypicloud_lite.indexes.incoming import NewFile
    from pypicloud_lite.kernel.filenames import Filename

    with world.services.storage.spool() as spool:
        spool.write(artifact.data)
        new = NewFile(index, Filename.parse(artifact.filename), "demo", {})
        world.services.ingest.add(new, spool, AUTHOR, lambda: True)


@pytest.fixture
def world(make_world):
    made = make_world()
    made.upload(WHEEL)
    made.upload(SDIST)
    return made


def test_the_same_bytes_come_back(world):
    first, second = send(world), send(world)
    assert [one.id for one in attached(world)] == [first.id, second.id]
    assert (first.kind, first.for_file, first.version) == (AttachmentKind.TOXRESULT, WHEEL.filename, "1.0")
    assert first.filename == f"{WHEEL.filename}.toxresult-{first.uploaded_at:%Y%m%d%H%M%S}-0"
    assert second.filename.endswith("-1")
    with world.services.attachments.read(first) as blob:
        assert b"".join(blob) == RESULT
    assert world.services.attachments.find(world.services.index, first.filename, who(world, "reader")) == first
    with world.services.catalog.read() as catalog:
        entry = catalog.journal()[-1]
    assert (entry.action, entry.subject, entry.author) == ("add test result", second.filename, AUTHOR)


@pytest.mark.parametrize(
    ("user", "error"), [(None, AuthenticationRequired), ("reader", PermissionDenied), ("outsider", PermissionDenied)]
)
def test_who_sends_in_the_default_index(world, user, error):
    for filename in (WHEEL.filename, "demo-9.0.tar.gz", "other-1.0.tar.gz"):
        with pytest.raises(error):
            send(world, filename, user=user)
    assert stored(world) == []


def test_who_sends_in_a_named_index(world):
    index = make_index(world)
    assert send(world, user=None, index=index).uploader is None
    closed = make_index(world, "root/closed", acl_toxresult_upload=["writer"])
    assert send(world, index=closed).uploader == "writer"
    with pytest.raises(AuthenticationRequired):
        send(world, user=None, index=closed)
    with pytest.raises(PermissionDenied):
        send(world, user="reader", index=closed)


def test_who_finds_one(world):
    record = send(world)
    find = world.services.attachments.find
    for user, error in ((None, AuthenticationRequired), ("outsider", NotFound)):
        with pytest.raises(error):
            find(world.services.index, record.filename, who(world, user))
    for index, name in ((DEV, record.filename), (world.services.index, "nothing"), (world.services.index, "ä")):
        with pytest.raises(NotFound):
            find(index, name, who(world, "reader"))


@pytest.mark.parametrize(
    "more",
    [
        {"filename": "demo-9.0.tar.gz"},
        {"filename": "nonsense"},
        {"filename": "dämo-1.0.tar.gz"},
        {"digest": ""},
        {"digest": WHEEL.sha256[:15]},
        {"digest": "0" * 16},
        {"filename": SDIST.filename},
        {"index": DEV},
        {"index": DEV, "user": "admin"},
    ],
)
def test_what_is_not_there(world, more):
    with pytest.raises(NotFound):
        send(world, **more)
    assert stored(world) == []


def test_a_mirror_takes_none(make_mirror):
    world = make_mirror()
    with pytest.raises(InvalidRequest, match="is a mirror"):
        send(world, index=world.services.mirror.index, user="admin")


def test_a_quarantined_project_takes_none(world, set_status):
    set_status(world, "demo", ProjectStatus.QUARANTINED)
    with pytest.raises(NotFound):
        send(world)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"1",
        b'"text"',
        b"{",
        b"{}{}",
        b"\xff\xfe",
        b'{"a": ' * 100_000,
        b"[" * 100_000,
        b'{"a": ' + b"1" * 5000 + b"}",
    ],
    ids=range(10),
)
def test_what_is_no_object(world, body):
    with pytest.raises(InvalidRequest, match="JSON object"):
        send(world, body=body)
    assert stored(world) == []


def test_how_large_it_may_be(world):
    most = 10 * 1024 * 1024
    with pytest.raises(TooLarge):
        send(world, body=json.dumps({"a": "x" * most}).encode())
    body = b'{"a": "' + b"x" * (most - 9) + b'"}'
    assert len(body) == most
    assert send(world, body=body).size == most


def test_many_at_once(world):
    with ThreadPoolExecutor(6) as pool:
        sent = list(pool.map(lambda number: send(world, body=b'{"n": %d}' % number), range(6)))
    assert len({one.filename for one in sent}) == len({one.sha256 for one in attached(world)}) == 6
    assert len(stored(world)) == 12


def test_it_goes_with_its_file(world):
    send(world)
    other = send(world, SDIST.filename, digest=SDIST.sha256[:16])
    world.delete(f"/api/package/demo/{WHEEL.filename}", status=200)
    assert attached(world) == [other]
    assert len(stored(world)) == 2
    # The same file again has none.
    world.upload(WHEEL)
    assert attached(world) == [other]
    send(world)
    world.delete("/api/package/demo/version/1.0", status=200)
    assert (attached(world), stored(world)) == ([], [])


def test_it_goes_with_its_index(world):
    index = make_index(world)
    send(world, user=None, index=index)
    world.services.indexes.remove(index, who(world, "admin"), AUTHOR)
    assert (attached(world, index), stored(world)) == ([], [])


def test_it_is_about_these_bytes(world):
    """A file that is replaced has not been tested."""
    send(world)
    world.upload(WHEEL, "admin")
    assert len(attached(world)) == 1
    world.upload(build_wheel("demo", "1.0", body=b"other"), "admin")
    assert (attached(world), stored(world)) == ([], [])


def copy(world, choice):
    return world.services.attachments.copying(choice).carry(AUTHOR, lambda _catalog: None)


def test_copying_to_another_index(world):
    dev, stable = make_index(world), make_index(world, "root/stable", volatile=False)
    first = send(world, index=dev)
    second = send(world, index=dev, body=b'{"other": 1}')

    def copied(*files, results=True):
        return copy(world, AttachedChoice(dev, stable, DEMO, {"1.0"}, files, results=results))

    assert copied(WHEEL.filename, results=False) == copied() == copied(SDIST.filename) == []
    done = copied(WHEEL.filename)
    assert [(one.filename, one.sha256, one.uploaded_at, one.uploader) for one in done] == [
        (one.filename, one.sha256, one.uploaded_at, one.uploader) for one in (first, second)
    ]
    assert copied(WHEEL.filename) == done
    # Another result of the same name is no reason to lose one.
    world.services.ingest.changes.attached.remove([done[0]], AUTHOR)
    copy_of_name = first.filename
    with world.services.storage.spool() as spool:
        spool.write(b'{"third": 1}')
        from pypicloud_lite.indexes.attaching import NewAttachment

        new = NewAttachment(
            stable, DEMO, "1.0", AttachmentKind.TOXRESULT, copy_of_name, first.uploaded_at, WHEEL.filename
        )
        world.services.ingest.changes.attached.add(new, spool, AUTHOR, lambda: False)
    copied(WHEEL.filename)
    assert len({one.sha256 for one in attached(world, stable)}) == 3


def test_a_file_of_other_bytes_gets_no_results_of_these(world):
    dev, stable = make_index(world), make_index(world, "root/stable")
    copy_wheel(world, stable, build_wheel("demo", "1.0", body=b"other"))
    send(world, index=dev)
    assert copy(world, AttachedChoice(dev, stable, DEMO, {"1.0"}, [WHEEL.filename])) == []
    assert not [info for info in world.services.storage.list(str(stable)) if "+attached" in info.key.value]
