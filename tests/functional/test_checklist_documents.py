"""Line 88 of the interoperability checklist: the JSON API, with the keys and types of the public PyPI."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

import pytest
from packaging.version import Version

from pypicloud_lite.catalog.model import ProjectRecord, ProjectStatus
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.names import ProjectName
from pypicloud_lite.testing.artifacts import build_dumb, build_egg, build_sdist, build_wheel
from pypicloud_lite.testing.world import World, basic

TEXT, WORDS = (str, type(None)), (list, type(None))
INFO = {
    **dict.fromkeys(("author", "author_email", "description", "description_content_type", "download_url"), TEXT),
    **dict.fromkeys(("home_page", "keywords", "license", "license_expression", "maintainer"), TEXT),
    **dict.fromkeys(("maintainer_email", "platform", "requires_python", "summary", "yanked_reason"), TEXT),
    **dict.fromkeys(("bugtrack_url", "docs_url"), (type(None),)),
    **dict.fromkeys(("name", "version", "package_url", "project_url", "release_url"), (str,)),
    **dict.fromkeys(("dynamic", "license_files", "provides_extra", "requires_dist"), WORDS),
    "classifiers": (list,),
    "downloads": (dict,),
    "project_urls": (dict, type(None)),
    "yanked": (bool,),
}
FILE = {
    **dict.fromkeys(("comment_text", "filename", "md5_digest", "packagetype", "python_version", "url"), (str,)),
    **dict.fromkeys(("upload_time", "upload_time_iso_8601"), (str,)),
    **dict.fromkeys(("requires_python", "yanked_reason"), TEXT),
    **dict.fromkeys(("downloads", "size"), (int,)),
    **dict.fromkeys(("has_sig", "yanked"), (bool,)),
    "core-metadata": (dict, bool),
    "digests": (dict,),
}
HEADERS = [
    ("Author", "Ann Ång"),
    ("Author-email", "ann@example.com"),
    ("Maintainer", "Ben"),
    ("Maintainer-email", "ben@example.com"),
    ("Home-page", "https://home.example.com"),
    ("Download-URL", "https://get.example.com"),
    ("Project-URL", "Docs, https://docs.example.com/a,b"),
    ("Project-URL", "no address"),
    ("Project-URL", "Homepage, https://new-home.example.com"),
    ("Keywords", "one, two"),
    ("Platform", "linux"),
    ("Platform", "any"),
    ("License-Expression", "MIT"),
    ("License-File", "LICENSE"),
    ("License-File", "NOTICE"),
    ("Classifier", "Private :: Do Not Upload"),
    ("Classifier", "Topic :: Software Development"),
    ("Provides-Extra", "fast"),
    ("Dynamic", "version"),
    ("Description-Content-Type", "text/markdown"),
]
RICH = build_wheel(
    "Demo.Pkg",
    "1.0",
    metadata_version="2.4",
    summary="A <demo> & more ☃",
    requires_python=">=3.8",
    requires_dist=["other>=1", 'quick; extra == "fast"'],
    headers=HEADERS,
    description="# Demo\n\nΩ\n",
    extra_files=[("demo_pkg-1.0.dist-info/licenses/LICENSE", b"x"), ("demo_pkg-1.0.dist-info/licenses/NOTICE", b"x")],
)
OLD = build_sdist(
    "Demo.Pkg",
    "0.9",
    metadata_version="1.1",
    headers=[
        *(("Home-page", "UNKNOWN"), ("Author", "UNKNOWN"), ("License", "GPL"), ("Platform", "UNKNOWN")),
        *(("Description", "One\n        Two"), ("Requires", "other"), ("Provides", "demo"), ("Obsoletes", "demoed")),
    ],
)
ADDRESSES = [
    f"{prefix}/json{end}" for prefix in ("/pypi/demo-pkg", "/simple/demo-pkg", "/demo-pkg") for end in ("", "/")
]


@pytest.fixture(scope="module")
def shared(make_shared_world):
    """Only read."""
    world = make_shared_world({"package.hidden.user.somebody": "rw"})
    world.upload(RICH)
    world.upload(OLD, signature=b"-----BEGIN PGP SIGNATURE-----\n")
    world.upload(build_wheel("hidden", "1.0"), "admin")
    return world


def check(values, types):
    assert set(values) == set(types)
    for key, value in values.items():
        assert type(value) in types[key], (key, value)


def check_document(document, *, whole):
    assert set(document) == {
        *("info", "last_serial", "ownership", "urls", "vulnerabilities"),
        *(["releases"] if whole else []),
    }
    check(document["info"], INFO)
    assert document["info"]["downloads"] == {"last_day": -1, "last_week": -1, "last_month": -1}
    assert document["vulnerabilities"] == []
    assert document["ownership"] == {"roles": [], "organization": None}
    assert type(document["last_serial"]) is int
    for record in [*document["urls"], *(one for files in document.get("releases", {}).values() for one in files)]:
        check(record, FILE)
        assert record["downloads"] == -1
        assert record["digests"]["md5"] == record["md5_digest"]


def test_88_every_key_with_its_type(shared):
    document = shared.get("/pypi/demo-pkg/json", status=200)
    assert document.headers["Content-Type"] == "application/json"
    check_document(document.json, whole=True)
    for version in ("1.0", "0.9"):
        check_document(shared.get(f"/pypi/demo-pkg/{version}/json", status=200).json, whole=False)


def test_88_metadata_is_that_of_the_file(shared):
    info = shared.get("/pypi/demo-pkg/json").json["info"]
    base = "http://localhost/project/demo-pkg/"
    assert info == {
        "author": "Ann Ång",
        "author_email": "ann@example.com",
        "bugtrack_url": None,
        "classifiers": ["Private :: Do Not Upload", "Topic :: Software Development"],
        "description": "# Demo\n\nΩ\n",
        "description_content_type": "text/markdown",
        "docs_url": None,
        "download_url": "https://get.example.com",
        "downloads": {"last_day": -1, "last_month": -1, "last_week": -1},
        "dynamic": ["version"],
        "home_page": "https://home.example.com",
        "keywords": "one,two",
        "license": None,
        "license_expression": "MIT",
        "license_files": ["LICENSE", "NOTICE"],
        "maintainer": "Ben",
        "maintainer_email": "ben@example.com",
        "name": "Demo.Pkg",
        "package_url": base,
        "platform": "linux,any",
        "project_url": base,
        "project_urls": {
            "Homepage": "https://new-home.example.com",
            "Download": "https://get.example.com",
            "Docs": "https://docs.example.com/a,b",
        },
        "provides_extra": ["fast"],
        "release_url": base + "1.0/",
        "requires_dist": ["other>=1", 'quick; extra == "fast"'],
        "requires_python": ">=3.8",
        "summary": "A <demo> & more ☃",
        "version": "1.0",
        "yanked": False,
        "yanked_reason": None,
    }


def test_88_old_metadata_has_nulls_for_what_it_does_not_say(shared):
    info = shared.get("/pypi/demo-pkg/0.9/json").json["info"]
    said = {key: value for key, value in info.items() if value not in (None, [], {}, False)}
    assert set(said) - {"name", "version", "downloads", "package_url", "project_url", "release_url"} == {
        "license",
        "description",
    }
    assert (info["license"], info["description"]) == ("GPL", "One\nTwo")
    assert info["classifiers"] == []
    assert info["project_urls"] is info["requires_dist"] is info["dynamic"] is info["license_files"] is None


def test_88_files(shared):
    document = shared.get("/pypi/demo-pkg/json").json
    assert {version: [one["filename"] for one in files] for version, files in document["releases"].items()} == {
        "0.9": [OLD.filename],
        "1.0": [RICH.filename],
    }
    assert document["urls"] == document["releases"]["1.0"]
    wheel, sdist = document["urls"][0], document["releases"]["0.9"][0]
    assert (wheel["packagetype"], wheel["python_version"], wheel["has_sig"]) == ("bdist_wheel", "py3", False)
    assert (sdist["packagetype"], sdist["python_version"], sdist["has_sig"]) == ("sdist", "source", True)
    assert wheel["core-metadata"] == {"sha256": hashlib.sha256(RICH.metadata).hexdigest()}
    assert sdist["core-metadata"] is False
    assert wheel["requires_python"] == ">=3.8"
    assert wheel["upload_time_iso_8601"].startswith(wheel["upload_time"] + ".")
    assert wheel["upload_time_iso_8601"].endswith("Z")
    for record, artifact in ((wheel, RICH), (sdist, OLD)):
        assert record["size"] == len(artifact.data)
        assert record["digests"] == {
            "sha256": artifact.sha256,
            "md5": hashlib.md5(artifact.data).hexdigest(),
            "blake2b_256": hashlib.blake2b(artifact.data, digest_size=32).hexdigest(),
        }
        assert shared.get(urlsplit(record["url"]).path, status=200).body == artifact.data


def test_88_every_old_kind_of_file_is_described(world):
    for artifact in (
        *(build_egg("demo", "1.0"), build_dumb("demo", "1.0"), build_sdist("demo", "1.0", suffix=".zip")),
        build_sdist("demo", "1.0", suffix=".tar.bz2"),
    ):
        world.upload(artifact, version="1.0")
    document = world.get("/pypi/demo/json", status=200).json
    check_document(document, whole=True)
    assert {(one["packagetype"], one["python_version"]) for one in document["urls"]} == {
        *(("bdist_egg", "3.11"), ("bdist_dumb", "any"), ("sdist", "source")),
    }


@pytest.mark.parametrize("spelling", ["demo-pkg", "Demo.Pkg", "DEMO__PKG"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_88_each_address_and_spelling_is_the_same_document(shared, address, spelling):
    expected = shared.get("/pypi/demo-pkg/json", status=200)
    found = shared.get(address.replace("demo-pkg", spelling), status=200)
    assert found.body == expected.body
    assert found.headers["ETag"] == expected.headers["ETag"]


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("1.0", ["1.0", "1", "v1.0", "1.0.0", "01.00", "1.0/"]),
        ("2.0rc1", ["2.0rc1", "2.0-RC1", "2.0c1", "2.0.RC.1"]),
        ("1!3.0+cpu.1", ["1!3.0+cpu.1", "1%213.0%2Bcpu.1", "1!3.0+CPU-1"]),
        ("4.0.post1", ["4.0-1", "4.0.post1", "4.0rev1"]),
    ],
)
def test_88_a_version_in_any_spelling(world, stored, asked):
    world.upload(build_wheel("demo", stored))
    world.upload(build_wheel("demo", "0.1"))
    for spelling in asked:
        version, slash = spelling.rstrip("/"), "/" if spelling.endswith("/") else ""
        document = world.get(f"/pypi/Demo/{version}/json{slash}", status=200).json
        assert document["info"]["version"] == stored
        assert [one["filename"] for one in document["urls"]] == [build_wheel("demo", stored).filename]


def test_88_a_version_as_it_is_stored_wins_over_an_equal_one(world):
    for version in ("1.0", "1.0.0"):
        world.upload(build_sdist("demo", version))
    for version in ("1.0", "1.0.0"):
        assert world.get(f"/pypi/demo/{version}/json").json["info"]["version"] == version


@pytest.mark.parametrize(
    ("versions", "yanked", "latest"),
    [
        (["1.0", "2.0", "1.10"], [], "2.0"),
        (["1.9", "1.10"], [], "1.10"),
        (["1.0", "2.0rc1", "2.0.dev1"], [], "1.0"),
        (["1.0a1", "1.0rc1", "1.0.dev9"], [], "1.0rc1"),
        (["1.0", "2.0"], ["2.0"], "1.0"),
        (["1.0", "2.0rc1"], ["1.0"], "2.0rc1"),
        (["1.0", "2.0"], ["1.0", "2.0"], "2.0"),
        (["1.0", "1.0.post1", "1!0.1", "1.0+local"], [], "1!0.1"),
    ],
)
def test_88_the_latest_is_not_yanked_then_no_pre_release(world, change_file, versions, yanked, latest):
    for version in versions:
        world.upload(build_wheel("demo", version))
    for version in yanked:
        change_file(world, build_wheel("demo", version).filename, yanked=True, yanked_reason=f"{version} is bad")
    document = world.get("/pypi/demo/json", status=200).json
    info = document["info"]
    assert (info["version"], info["yanked"]) == (latest, latest in yanked)
    assert info["yanked_reason"] == (f"{latest} is bad" if latest in yanked else None)
    assert [one["filename"] for one in document["urls"]] == [build_wheel("demo", latest).filename]
    assert list(document["releases"]) == sorted(versions, key=Version)
    for version in versions:
        one = world.get(f"/pypi/demo/{version}/json").json["info"]
        assert (one["yanked"], one["yanked_reason"]) == (
            version in yanked,
            f"{version} is bad" if version in yanked else None,
        )


def test_88_a_release_is_yanked_when_all_its_files_are(world, change_file):
    wheel, sdist = build_wheel("demo", "1.0"), build_sdist("demo", "1.0")
    world.upload(wheel)
    world.upload(sdist)
    change_file(world, wheel.filename, yanked=True, yanked_reason="why")
    document = world.get("/pypi/demo/json").json
    assert document["info"]["yanked"] is False
    assert document["info"]["yanked_reason"] is None
    assert {one["filename"]: (one["yanked"], one["yanked_reason"]) for one in document["urls"]} == {
        wheel.filename: (True, "why"),
        sdist.filename: (False, None),
    }
    change_file(world, sdist.filename, yanked=True)
    info = world.get("/pypi/demo/json").json["info"]
    assert (info["yanked"], info["yanked_reason"]) == (True, "why")


def test_88_the_metadata_is_the_first_wheels(world):
    world.upload(build_sdist("demo", "1.0", summary="sdist"))
    assert world.get("/pypi/demo/json").json["info"]["summary"] == "sdist"
    world.upload(build_wheel("demo", "1.0", summary="first", python_tag="py3"))
    world.upload(build_wheel("demo", "1.0", summary="second", python_tag="cp311"))
    assert world.get("/pypi/demo/json").json["info"]["summary"] == "first"


UNKNOWN = [
    *("/pypi/nothing/json", "/simple/nothing/json", "/nothing/json/", "/pypi/nothing/1.0/json"),
    *("/pypi/-bad-/json", "/pypi/b%20d/1.0/json", "/pypi/demo-pkg/9.9/json", "/pypi/demo-pkg/not-a-version/json"),
    *("/search/json", "/API/json", "/pypi/hidden/json", "/pypi/hidden/1.0/json", "/hidden/json"),
]


@pytest.mark.parametrize("accept", [None, "*/*", "text/html,application/xhtml+xml", "application/json"])
@pytest.mark.parametrize("path", UNKNOWN)
def test_88_unknown_is_a_404_in_json(shared, path, accept):
    answer = shared.get(path, status=404, **({"Accept": accept} if accept else {}))
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["title"] == "Not Found"
    assert answer.json["message"]


def test_47_hidden_is_told_of_as_unknown_is(shared):
    for pattern in ("/pypi/{}/json", "/pypi/{}/1.0/json", "/{}/json"):
        hidden, nothing = (shared.get(pattern.format(name), status=404) for name in ("hidden", "absent"))
        assert hidden.text.replace("hidden", "*") == nothing.text.replace("absent", "*")
        shared.get(pattern.format("hidden"), "admin", 200)


def test_41_an_anonymous_caller_is_asked_to_log_in(shared):
    for name in ("demo-pkg", "hidden", "nothing"):
        answer = shared.get(f"/pypi/{name}/json", None, 401)
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="pypi"'
        assert answer.headers["Content-Type"] == "application/json"
    for user, password in (("reader", "wrong"), ("nobody", "x")):
        shared.app.get("/pypi/demo-pkg/json", headers={"Authorization": basic(user, password)}, status=401)


def test_48_a_public_document_is_for_everyone(make_world):
    world = make_world({"pypi.default_read": "everyone", "package.hidden.user.admin": "rw"})
    world.upload(build_wheel("demo", "1.0"))
    world.upload(build_wheel("hidden", "1.0"), "admin")
    assert world.get("/pypi/demo/json", None, 200).headers["Cache-Control"] == "no-cache"
    assert world.get("/pypi/demo/json", "reader", 200).headers["Cache-Control"] == "private, no-cache"
    world.get("/pypi/nothing/json", None, 404)
    world.get("/pypi/hidden/json", None, 401)


def test_26_a_quarantined_project_is_unknown(world, set_status):
    world.upload(build_wheel("demo", "1.0"))
    world.get("/pypi/demo/json", status=200)
    set_status(world, "demo", ProjectStatus.QUARANTINED, "malware")
    for path in ("/pypi/demo/json", "/pypi/demo/1.0/json"):
        assert world.get(path, status=404).json["message"] == (
            "There is no project demo here: check its name, or ask an administrator for access"
        )
    set_status(world, "demo", ProjectStatus.ARCHIVED)
    world.get("/pypi/demo/json", status=200)


def test_94_a_file_that_is_being_removed_is_not_shown(world):
    artifacts = [build_wheel("demo", "1.0"), build_wheel("demo", "2.0")]
    for artifact in artifacts:
        world.upload(artifact)
    with world.services.catalog.write(Author("tester")) as catalog:
        catalog.begin_removal(catalog.file(world.services.index, artifacts[1].filename))
    document = world.get("/pypi/demo/json", status=200).json
    assert (document["info"]["version"], list(document["releases"])) == ("1.0", ["1.0"])
    world.get("/pypi/demo/2.0/json", status=404)
    world.delete(f"/api/package/demo/{artifacts[0].filename}", status=200)
    assert world.get("/pypi/demo/json", status=404).json["message"].startswith("There is no project demo")


def test_09_not_modified_until_the_next_upload(world):
    world.upload(build_wheel("demo", "1.0"))
    first = world.get("/pypi/demo/json", status=200)
    assert first.headers["X-PyPI-Last-Serial"] == str(first.json["last_serial"])
    assert first.headers["Vary"] == "Accept-Encoding, Authorization, Cookie"
    again = world.get("/pypi/demo/json", status=304, If_None_Match=first.headers["ETag"])
    assert again.body == b""
    assert again.headers["X-PyPI-Last-Serial"] == first.headers["X-PyPI-Last-Serial"]
    assert world.head("/pypi/demo/json", status=200).headers["ETag"] == first.headers["ETag"]
    world.upload(build_wheel("demo", "2.0"))
    newer = world.get("/pypi/demo/json", status=200, If_None_Match=first.headers["ETag"])
    assert newer.json["last_serial"] > first.json["last_serial"]
    assert newer.json["info"]["version"] == "2.0"


def test_95_addresses_are_the_servers_own(make_world):
    world = make_world({"pypi.base_url": "https://packages.example.com/prefix/"})
    world.upload(build_wheel("demo", "1.0"))
    document = world.get("/pypi/demo/json", status=200).json
    assert document["urls"][0]["url"].startswith("https://packages.example.com/prefix/packages/root/main/demo/")
    assert document["info"]["release_url"] == "https://packages.example.com/prefix/project/demo/1.0/"


def test_95_addresses_are_those_that_the_caller_used(shared):
    for host in ("a.example.com", "b.example.com:8080"):
        environ = {"HTTP_HOST": host, "SCRIPT_NAME": "/prefix", "wsgi.url_scheme": "https"}
        headers = {"Authorization": basic("reader")}
        document = shared.app.get("/prefix/pypi/demo-pkg/json", headers=headers, extra_environ=environ, status=200).json
        assert document["urls"][0]["url"].startswith(f"https://{host}/prefix/packages/")
        assert document["info"]["project_url"] == f"https://{host}/prefix/project/demo-pkg/"


def test_the_pages_that_documents_link_to_are_there(shared):
    info = shared.get("/pypi/demo-pkg/json").json["info"]
    for url in (info["project_url"], info["release_url"]):
        assert RICH.filename in shared.get(urlsplit(url).path, status=200).text
        moved = shared.get(urlsplit(url).path.rstrip("/"), status=301)
        assert moved.headers["Location"] == urlsplit(url).path


@pytest.mark.parametrize(
    "core",
    [
        {},
        {"requires_dist": "other", "classifier": {"a": "b"}, "summary": ["a"], "project_url": [1, None, "x"]},
        {"keywords": "a, b", "platform": "any", "description": 5, "license": None, "provides_extra": [["a"]]},
    ],
)
def test_88_metadata_of_another_server_may_be_of_any_shape(make_world, tmp_path, core):
    world: World = make_world()
    world.upload(build_sdist("donor", "1.0"))
    with world.services.catalog.write(Author("tester")) as catalog:
        record = catalog.files(world.services.index, ProjectName("donor"))[0]
        catalog.remove_file(record, reserve=False)
        project = ProjectRecord(world.services.index, ProjectName("donor"), "donor", 0, 0)
        catalog.restore_project(project, [(record, core)], ())
    document = world.get("/pypi/donor/json", status=200).json
    check_document(document, whole=True)
    assert document["info"]["keywords"] == core.get("keywords")
    assert document["info"]["platform"] == core.get("platform")
    assert document["info"]["requires_dist"] is None
