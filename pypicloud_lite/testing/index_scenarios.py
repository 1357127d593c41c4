"""What people do with named indexes, told once, for every way to do it: WebTest, the REST API, the devpi client.

A driver acts as one of two people, ``ann`` and ``bob``, and says of each act whether it was done. What an index shows
it says as its own side of the wire says it: names of files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from pypicloud_lite.testing.artifacts import BuiltArtifact, build_sdist, build_wheel

ONE, TWO = build_wheel("labpkg", "1.0"), build_wheel("labpkg", "1.1")
ONE_OTHER = build_wheel("labpkg", "1.0", summary="other bytes")
SOURCE = build_sdist("labpkg", "1.0")


class Driver(Protocol):
    """One way to do it."""

    def create(self, who: str, index: str, **options: str) -> bool:
        """Make an index; options are texts, as the devpi client takes them."""

    def modify(self, who: str, index: str, *changes: str) -> bool:
        """Change it: ``key=value``, ``key+=value``, ``key-=value``."""

    def delete(self, who: str, index: str) -> bool:
        """Remove it with all that is in it."""

    def options(self, who: str, index: str) -> Mapping[str, object]:
        """Its options; empty where there is no such index."""

    def upload(self, who: str, index: str, artifact: BuiltArtifact) -> bool:
        """Upload one file."""

    def files(self, who: str, index: str, project: str) -> set[str]:
        """The names of all files that the index shows of a project."""

    def push(self, who: str, source: str, project: str, version: str, target: str) -> bool:
        """Copy a release to another index."""

    def remove(self, who: str, index: str, project: str, version: str) -> bool:
        """Remove a release."""


def create(driver: Driver) -> None:
    """An index has the options that it was given, and only its owner changes it."""
    assert driver.create("ann", "ann/dev", bases="root/main", volatile="False", acl_upload="ann,bob")
    options = driver.options("ann", "ann/dev")
    assert options["bases"] == ["root/main"]
    assert options["volatile"] is False
    assert options["acl_upload"] == ["ann", "bob"]
    assert not driver.create("ann", "ann/dev")
    assert not driver.create("bob", "ann/other")
    assert not driver.create("ann", "ann/wrong", volatile="perhaps")
    assert not driver.create("ann", "ann/wrong", bases="nobody/there")
    assert not driver.modify("bob", "ann/dev", "title=Mine")
    assert driver.modify("ann", "ann/dev", "title=Hers", "acl_upload-=bob", "mirror_whitelist+=Lab_Pkg")
    options = driver.options("ann", "ann/dev")
    assert (options["title"], options["acl_upload"], options["mirror_whitelist"]) == ("Hers", ["ann"], ["lab-pkg"])
    assert not driver.delete("ann", "ann/dev")
    assert driver.modify("ann", "ann/dev", "volatile=True")
    assert not driver.delete("bob", "ann/dev")
    assert driver.delete("ann", "ann/dev")
    assert driver.options("ann", "ann/dev") == {}


def upload(driver: Driver) -> None:
    """The same bytes again are no error; other bytes are, unless the index is volatile."""
    driver.create("ann", "ann/prod", volatile="False")
    assert driver.upload("ann", "ann/prod", ONE)
    assert driver.upload("ann", "ann/prod", ONE)
    assert not driver.upload("ann", "ann/prod", ONE_OTHER)
    assert not driver.upload("bob", "ann/prod", TWO)
    assert driver.upload("ann", "ann/prod", SOURCE)
    assert driver.files("ann", "ann/prod", "labpkg") == {ONE.filename, SOURCE.filename}
    driver.create("ann", "ann/dev")
    assert driver.upload("ann", "ann/dev", ONE)
    assert driver.upload("ann", "ann/dev", ONE_OTHER)


def inherit(driver: Driver) -> None:
    """An index shows what its bases have, as long as they are its bases."""
    driver.create("ann", "ann/base")
    driver.create("bob", "bob/dev", bases="ann/base")
    assert driver.upload("ann", "ann/base", ONE)
    assert driver.files("bob", "bob/dev", "labpkg") == {ONE.filename}
    assert driver.upload("bob", "bob/dev", TWO)
    assert driver.files("bob", "bob/dev", "labpkg") == {ONE.filename, TWO.filename}
    assert driver.files("ann", "ann/base", "labpkg") == {ONE.filename}
    assert not driver.modify("ann", "ann/base", "bases=bob/dev")
    assert driver.modify("bob", "bob/dev", "bases=")
    assert driver.files("bob", "bob/dev", "labpkg") == {TWO.filename}


def push(driver: Driver) -> None:
    """A release goes to another index whole, and outlives its source."""
    driver.create("ann", "ann/dev")
    driver.create("ann", "ann/prod", volatile="False")
    driver.upload("ann", "ann/dev", ONE)
    driver.upload("ann", "ann/dev", SOURCE)
    driver.upload("ann", "ann/dev", TWO)
    assert not driver.push("bob", "ann/dev", "labpkg", "1.0", "ann/prod")
    assert not driver.push("ann", "ann/dev", "labpkg", "9.9", "ann/prod")
    assert not driver.push("ann", "ann/dev", "labpkg", "1.0", "ann/nowhere")
    assert driver.files("ann", "ann/prod", "labpkg") == set()
    assert driver.push("ann", "ann/dev", "labpkg", "1.0", "ann/prod")
    assert driver.files("ann", "ann/prod", "labpkg") == {ONE.filename, SOURCE.filename}
    assert driver.push("ann", "ann/dev", "labpkg", "1.0", "ann/prod")
    assert driver.delete("ann", "ann/dev")
    assert driver.files("ann", "ann/prod", "labpkg") == {ONE.filename, SOURCE.filename}
    driver.create("ann", "ann/dev")
    driver.upload("ann", "ann/dev", ONE_OTHER)
    assert not driver.push("ann", "ann/dev", "labpkg", "1.0", "ann/prod")
    assert driver.files("ann", "ann/prod", "labpkg") == {ONE.filename, SOURCE.filename}


def remove(driver: Driver) -> None:
    """A release goes from a volatile index, and from that index only."""
    driver.create("ann", "ann/base")
    driver.create("ann", "ann/dev", bases="ann/base")
    for artifact in (ONE, TWO):
        driver.upload("ann", "ann/dev", artifact)
    driver.upload("ann", "ann/base", SOURCE)
    assert not driver.remove("bob", "ann/dev", "labpkg", "1.0")
    assert driver.remove("ann", "ann/dev", "labpkg", "1.0")
    assert driver.files("ann", "ann/dev", "labpkg") == {SOURCE.filename, TWO.filename}
    assert not driver.remove("ann", "ann/dev", "labpkg", "9.9")
    driver.modify("ann", "ann/dev", "volatile=False")
    assert not driver.remove("ann", "ann/dev", "labpkg", "1.1")
    assert driver.files("ann", "ann/dev", "labpkg") == {SOURCE.filename, TWO.filename}


def mirror(driver: Driver) -> None:
    """Private hides public, until the index says otherwise; the mirror ``root/pypi`` has labpkg 9.9."""
    driver.create("ann", "ann/dev", bases="root/pypi")
    public = driver.files("ann", "ann/dev", "labpkg")
    assert public == {"labpkg-9.9-py3-none-any.whl"}
    assert driver.upload("ann", "ann/dev", ONE)
    assert driver.files("ann", "ann/dev", "labpkg") == {ONE.filename}
    driver.remove("ann", "ann/dev", "labpkg", "1.0")
    assert driver.files("ann", "ann/dev", "labpkg") == set()
    driver.upload("ann", "ann/dev", ONE)
    assert driver.modify("ann", "ann/dev", "mirror_whitelist=labpkg")
    assert driver.files("ann", "ann/dev", "labpkg") == {ONE.filename, *public}
    driver.create("ann", "ann/top", bases="ann/dev")
    assert driver.files("ann", "ann/top", "labpkg") == {ONE.filename}
    assert not driver.upload("ann", "root/pypi", TWO)


def acl(driver: Driver) -> None:
    """Lists say who uploads and who reads."""
    driver.create("ann", "ann/dev")
    assert not driver.upload("bob", "ann/dev", ONE)
    driver.modify("ann", "ann/dev", "acl_upload+=bob")
    assert driver.upload("bob", "ann/dev", ONE)
    driver.modify("ann", "ann/dev", "acl_upload=:authenticated:")
    assert driver.options("ann", "ann/dev")["acl_upload"] == [":AUTHENTICATED:"]
    assert driver.upload("bob", "ann/dev", TWO)
    driver.modify("ann", "ann/dev", "acl_read=ann", "acl_upload=ann")
    assert driver.files("bob", "ann/dev", "labpkg") == set()
    assert driver.options("bob", "ann/dev") == {}
    assert driver.files("ann", "ann/dev", "labpkg") == {ONE.filename, TWO.filename}


SCENARIOS: Mapping[str, Callable[[Driver], None]] = {
    one.__name__: one for one in (create, upload, inherit, push, remove, mirror, acl)
}
