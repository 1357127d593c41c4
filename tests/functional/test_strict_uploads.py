"""``upload.strict``: off unless asked for; then what breaks a rule is refused and leaves nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from pypicloud_lite.testing.artifacts import build_egg, build_sdist, build_wheel

LENIENT = {
    "sdist_name": build_sdist("demo", "1.0", stem="Demo-1.0"),
    "zip": build_sdist("demo", "1.0", suffix=".zip"),
    "egg": build_egg("demo", "1.0"),
    "platform": build_wheel("demo", "1.0", platform_tag="linux_x86_64"),
    "private": build_wheel("demo", "1.0", headers=[("Classifier", "Private :: Do Not Upload")]),
    "local_version": build_wheel("demo", "1.0+here"),
    "license": build_wheel("demo", "1.0", metadata_version="2.4", headers=[("License-File", "LICENSE")]),
}


@pytest.fixture
def strict(make_world):
    return make_world({"upload.strict": "true"})


@pytest.mark.parametrize("kind", LENIENT)
def test_73_74_78_a_lenient_index_takes_what_a_strict_one_refuses(make_world, kind):
    artifact = LENIENT[kind]
    version = "1.0+here" if kind == "local_version" else "1.0"
    strict = make_world({"upload.strict": "true"})
    answer = strict.upload(artifact, status=400, version=version)
    assert "upload.strict" in answer.text
    assert "upload.strict" in answer.status
    strict.get("/simple/demo/", status=404)
    make_world().upload(artifact, version=version)


def test_a_strict_index_takes_what_build_makes(strict):
    strict.upload(build_sdist("demo", "1.0"))
    strict.upload(build_wheel("demo", "1.0"))
    assert len(strict.project("demo")["files"]) == 2


def test_a_strict_index_has_one_sdist_per_version(make_world):
    make_world().upload(build_sdist("demo", "1.0", suffix=".zip"))
    strict = make_world({"upload.strict": "true"})
    answer = strict.upload(build_sdist("demo", "1.0"), status=400)
    assert "version 1.0 has an sdist already, demo-1.0.zip" in answer.text
    assert [file["filename"] for file in strict.project("demo")["files"]] == ["demo-1.0.zip"]
    strict.upload(build_sdist("demo", "1.1"))
    strict.delete("/api/package/demo/demo-1.0.zip", status=200)
    strict.upload(build_sdist("demo", "1.0"))


def test_the_same_sdist_again_is_a_success_on_a_strict_index(strict):
    strict.upload(build_sdist("demo", "1.0"))
    strict.upload(build_sdist("demo", "1.0"))
    strict.upload(build_sdist("demo", "1.0", body=b"other"), status=409)


def test_of_two_sdists_of_a_version_at_once_one_is_taken(strict):
    for number in range(6):
        rivals = [build_sdist("demo", version) for version in (f"{number}", f"{number}.0")]
        with ThreadPoolExecutor() as pool:
            answers = list(pool.map(lambda rival: strict.upload(rival, status="*"), rivals))
        assert sorted(answer.status_int for answer in answers) == [200, 400], answers
    assert len(strict.project("demo")["files"]) == 6
