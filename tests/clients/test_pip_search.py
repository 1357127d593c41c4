"""``pip search``: the public PyPI has given it up, pip has not."""

from __future__ import annotations

import pytest

from pypicloud_lite.testing.artifacts import build_wheel

NO_MATCHES_FOUND = 23


@pytest.fixture(scope="module", autouse=True)
def packages(index):
    """Only read."""
    index.put(
        build_wheel("Search-Web", "1.0", summary="Old words"),
        build_wheel("Search-Web", "1.1", summary="Serves <pages> & Übersichten"),
        build_wheel("Search-Web", "2.0rc1", summary="New words"),
        build_wheel("search-tool", "3.0", summary="100% tools"),
        build_wheel("search-bare", "1!1.0+local"),
    )


@pytest.fixture
def search(tools, run, index):
    """``search(*words)`` as the reader."""

    def call(*words, user="reader", path="/pypi", url=None, **how):
        return run(tools / "python", "-m", "pip", "search", "--index", url or index.url_for(user, path), *words, **how)

    return call


@pytest.mark.parametrize("path", ["/pypi", "/pypi/", "/simple/", "/RPC2", "/", ""])
def test_89_pip_prints_what_is_found(search, index, path):
    with index.watch() as seen:
        said = search("search", path=path).output
    assert said.splitlines() == [
        "search-bare (1!1.0+local)  -",
        "search-tool (3.0)          - 100% tools",
        "Search-Web (1.1)           - Serves <pages> & Übersichten",
    ]
    assert [(request.method, request.status) for request in seen] == [("POST", 200)]
    assert seen[0].agent.startswith("pip/")


def test_89_words_of_names_and_summaries(search):
    assert search("PAGES").output.startswith("Search-Web (1.1)")
    assert search("übersichten").output.startswith("Search-Web (1.1)")
    assert search("search_tool").output.startswith("search-tool (3.0)")
    assert len(search("tool", "pages").output.splitlines()) == 2


@pytest.mark.parametrize("word", ["no-such-thing", "old words", "new words", "_x_", "' OR 1=1"])
def test_89_pip_says_nothing_when_nothing_is_found(search, word):
    assert search(word, status=NO_MATCHES_FOUND).output == ""


def test_47_pip_finds_nothing_that_it_may_not_read(search):
    assert search("search", user="outsider", status=NO_MATCHES_FOUND).output == ""


def test_41_wrong_credentials_are_told_of(search, index):
    url = index.server.url_with("reader", "wrong") + "/pypi"
    with index.watch() as seen:
        said = search("search", url=url, status=None)
    assert said.status not in {0, NO_MATCHES_FOUND}
    assert "401" in said.output
    assert "Search-Web" not in said.output
    assert {request.status for request in seen} == {401}


def test_45_pip_reads_netrc(search, index, home):
    netrc = home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login reader password reader-pw\n")
    netrc.chmod(0o600)
    assert "Search-Web (1.1)" in search("search", url=f"{index.url}/pypi").output


def test_89_pip_shows_the_text_of_a_fault(search):
    said = search(*["word"] * 33, status=None)
    assert said.status == 1
    assert "[code: -32602]" in said.output
    assert "name has 33 words and may have 32" in said.output
    assert "Traceback" not in said.output
