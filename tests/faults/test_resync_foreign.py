"""Folders and buckets that pypicloud and pypiserver left are taken over as they lie."""

from __future__ import annotations

import boto3
import pytest

from pypicloud_lite.testing.artifacts import build_sdist, build_wheel


def test_a_folder_of_pypicloud(site, wheel):
    sdist = build_sdist("demo", "2.0")
    site.put_foreign(f"demo/1.0/{wheel.filename}", wheel.data)
    meta = b'{"uploader": "alice", "summary": "old", "hash_sha256": "%s"}' % wheel.sha256.encode()
    site.put_foreign(f"demo/1.0/{wheel.filename}.meta", meta)
    site.put_foreign(f"demo/2.0/{sdist.filename}", sdist.data)
    report = site.resync()
    assert (report.imported, report.remarks) == (2, [])
    assert site.listed() == {wheel.filename: wheel.sha256, sdist.filename: sdist.sha256}
    row = site.rows()[wheel.filename]
    assert (row.uploader, row.summary, row.requires_python) == ("alice", "A demo", ">=3.8")
    assert row.key.value == f"demo/1.0/{wheel.filename}"
    modified = (site.packages / row.key.value).stat().st_mtime
    assert row.uploaded_at.timestamp() == pytest.approx(modified, abs=1e-5)
    assert site.world.get(f"/packages/root/main/demo/{wheel.filename}.metadata").body == wheel.metadata
    before = site.page(), site.rows(), site.core(wheel.filename)
    site.lose_database()
    assert site.resync().restored == 2
    assert (site.page(), site.rows(), site.core(wheel.filename)) == before


def test_a_folder_of_pypiserver(site):
    files = {
        "": build_sdist("flat", "1.0"),
        "deep/er/": build_wheel("nested", "1.0"),
        "old/": build_sdist("Dotted.Name", "1.0", suffix=".zip", stem="Dotted.Name-1.0"),
    }
    for folder, artifact in files.items():
        site.put_foreign(folder + artifact.filename, artifact.data)
    site.put_foreign(".htpasswd", b"alice:x\n")
    site.put_foreign("flat-1.0.tar.gz.asc", b"signature")
    report = site.resync()
    assert report.imported == 3
    for project, artifact in zip(("flat", "nested", "dotted-name"), files.values(), strict=True):
        assert site.listed(project) == {artifact.filename: artifact.sha256}
        assert site.world.get(f"/packages/root/main/{project}/{artifact.filename}").body == artifact.data
    again = site.resync()
    assert (again.restored, again.imported) == (0, 0)


def test_a_bucket_of_pypicloud(s3_site, wheel):
    settings = s3_site.settings
    client = boto3.client(
        "s3",
        endpoint_url=settings["storage.endpoint_url"],
        region_name=settings["storage.region_name"],
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    broken = build_wheel("broken", "1.0")
    stored = {
        f"pkgs/9f3c/demo/{wheel.filename}": (wheel.data, {"uploader": "bob", "hash_sha256": wheel.sha256}),
        "pkgs/11aa/under-scored/under_scored-1.0.tar.gz": (
            build_sdist("under-scored", "1.0").data,
            {
                "name": "under_scored",
                "requires-python": ">=3",
                "hash-sha256": build_sdist("under-scored", "1.0").sha256,
            },
        ),
        f"pkgs/00ff/broken/{broken.filename}": (broken.data, {"hash_sha256": "0" * 64}),
        f"elsewhere/{wheel.filename}": (b"not below the prefix", {}),
    }
    for key, (data, attributes) in stored.items():
        client.put_object(Bucket=settings["storage.bucket"], Key=key, Body=data, Metadata=attributes)
    client.close()
    report = s3_site.resync()
    assert report.imported == 3
    (remark,) = report.remarks
    assert broken.filename in remark
    assert "sha256" in remark
    assert s3_site.listed() == {wheel.filename: wheel.sha256}
    assert s3_site.rows()[wheel.filename].uploader == "bob"
    assert s3_site.world.get(f"/packages/root/main/demo/{wheel.filename}").body == wheel.data
    assert list(s3_site.listed("under-scored")) == ["under_scored-1.0.tar.gz"]
    before = s3_site.page(), s3_site.page("under-scored")
    s3_site.lose_database()
    s3_site.resync()
    assert (s3_site.page(), s3_site.page("under-scored")) == before
