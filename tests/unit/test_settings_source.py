from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from paste.deploy import appconfig

from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.settings.source import from_factory, read_ini

CANARY = "canary-0wT9x-secret"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def writer(text: str, name: str = "config.ini") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return writer


def problems(path: Path, section: str = "main") -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read_ini(path, section)
    assert CANARY not in str(caught.value)
    return caught.value.problems


def test_a_plain_file(write, tmp_path):
    path = write(
        "[DEFAULT]\nroot = %(here)s/data\n"
        "[app:main]\nuse = egg:pypicloud_lite\nfilter-with = prefix\n"
        "storage.dir = %(root)s/packages\n"
        "pypi.default_read = one\n  two\n"
        "# a comment\nuser.Alice = $6$a%%b\nauth.admins =\n"
        "[filter:prefix]\nuse = egg:PasteDeploy#prefix\n[server:main]\nuse = egg:gunicorn\nport = 1\n"
        "[loggers]\nkeys = root\n"
    )

    assert read_ini(path) == {
        "storage.dir": f"{tmp_path}/data/packages",
        "pypi.default_read": "one\ntwo",
        "user.Alice": "$6$a%b",
        "auth.admins": "",
    }


@pytest.mark.parametrize(
    "text",
    [
        "[app:main]\nuse = egg:pypicloud-lite#main\npypi.realm = x\n",
        "[application:main]\nuse = egg:pypicloud_lite\npypi.realm = x\n",
        "[app:main]\npaste.app_factory = pypicloud_lite.app:main\npypi.realm = x\n",
        "[app:main]\nuse = call:pypicloud_lite.app:main\npypi.realm = x\n",
        "[app]\nuse = egg:pypicloud_lite\npypi.realm = x\n",
        (
            "[pipeline:main]\npipeline = egg:PasteDeploy#prefix pypi\n"
            "[app:pypi]\nuse = egg:pypicloud_lite\npypi.realm = x\n"
        ),
        (
            "[filter-app:main]\nuse = egg:PasteDeploy#prefix\nnext = pypi\n"
            "[app:pypi]\nuse = egg:pypicloud_lite\npypi.realm = x\n"
        ),
        (
            "[composite:main]\nuse = egg:Paste#urlmap\n/ = home\n/pypi = pypi\n"
            "[app:home]\nuse = egg:Other\npypi.realm = no\n[app:pypi]\nuse = egg:pypicloud_lite\npypi.realm = x\n"
        ),
        "[app:main]\nuse = base\npypi.realm = x\n[app:base]\nuse = egg:pypicloud_lite\npypi.realm = no\n",
        "[app:main]\nuse = config:other/more.ini#base\npypi.realm = x\n",
        "[DEFAULT]\nname = x\n[app:main]\nuse = egg:pypicloud_lite\nget pypi.realm = name\n",
        "[app:main]\nuse = egg:pypicloud_lite\nset name = x\nget pypi.realm = name\n",
    ],
)
def test_every_form_of_pastedeploy_leads_to_the_application(write, text):
    write("[app:base]\nuse = egg:pypicloud_lite\npypi.realm = no\n", "other/more.ini")

    assert read_ini(write(text)) == {"pypi.realm": "x"}


def test_another_section_can_be_asked_for(write):
    path = write("[app:main]\nuse = egg:pypicloud_lite\n[app:test]\nuse = main\npypi.realm = test\n")

    assert read_ini(path, "test") == {"pypi.realm": "test"}
    assert read_ini(path) == {}


def test_pastedeploy_itself_reads_the_same(write):
    """On a file whose application PasteDeploy can load, both say the same."""
    text = (
        "[DEFAULT]\nroot = %(here)s/x\nshared = 1\n"
        "[app:main]\nuse = {use}\nstorage.dir = %(root)s/a\nuser.a = 50%% b\nget pypi.realm = shared\n"
        "set shared = 2\nUPPER.Case = 1\nlist =\n  a\n  b\n"
    )
    theirs = appconfig(f"config:{write(text.format(use='call:json:dumps'), 'theirs.ini')}").local_conf
    ours = read_ini(write(text.format(use="egg:pypicloud_lite")))

    assert ours == theirs


def test_a_folder_with_a_percent_sign_works(write, tmp_path):
    path = write("[app:main]\nuse = egg:pypicloud_lite\nstorage.dir = %(here)s/files\n", "100%/config.ini")

    assert read_ini(path) == {"storage.dir": f"{tmp_path}/100%/files"}


APP = "[app:main]\nuse = egg:pypicloud_lite\n"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ("there is no section [app:main]", "use = egg:pypicloud_lite", "no section at all")),
        ("[server:main]\nuse = egg:x\n", ("there is no section [app:main]", "[server:main]")),
        ("[app:main]\nuse = egg:pypicloud\n", ("[app:main]", "change that line to use = egg:pypicloud_lite")),
        ("[app:main]\nuse = egg:Other\n", ("[app:main]", "another application", "egg:pypicloud_lite")),
        ("[app:main]\npypi.realm = x\n", ("[app:main] has no 'use'", "add use = egg:pypicloud_lite")),
        ("[app:main]\nuse = main\n", ("[app:main] uses itself", "egg:pypicloud_lite")),
        (f"{APP}[application:main]\nuse = egg:pypicloud_lite\n", ("[app:main] and [application:main]", "rename")),
        ("[pipeline:main]\npipeline =\n", ("[pipeline:main]", "empty pipeline")),
        ("[pipeline:main]\npipeline = a b\n", ("no section [app:b]",)),
        ("[composite:main]\nuse = egg:Paste#urlmap\n/ = home\n", ("[composite:main]", "mounts 0 applications")),
        (f"{APP}user.a = {CANARY}%\n", ("user.a", "a single %", "write % as %%")),
        (f"{APP}user.a = %{CANARY}\n", ("user.a", "write % as %%")),
        (f"{APP}user.a = %({CANARY})s\n", ("user.a", "write % as %%")),
        (f"{APP}a.b = %(c.d)s\nc.d = %(a.b)s\n", ("a.b", "circle")),
        (f"{APP}get pypi.realm = nowhere\n", ("pypi.realm", "[DEFAULT]")),
        (f"[DEFAULT]\nuser.a = {CANARY}\n{APP}", ("user.a", "stands in [DEFAULT]", "move it")),
        (f"{APP}pypi.realm = 1\npypi.realm = 2\n", ("line 4", "pypi.realm is given twice in [app:main]", "keep one")),
        (f"{APP}{APP}", ("line 3", "two sections [app:main]")),
        (f"user.a = {CANARY}\n{APP}", ("line 1", "[app:main] must come first")),
        (f"{APP}{CANARY}\n", ("line 3", "neither 'key = value'")),
        (f"{APP}= x\n", ("line 3", "neither 'key = value'")),
    ],
)
def test_what_is_wrong_with_a_file(write, text, parts):
    line = problems(write(text))[0]

    assert [part for part in parts if part not in line] == []


def test_every_percent_sign_and_every_bad_line_is_reported(write):
    assert len(problems(write(f"{APP}a.b = 1%\nc.d = 2%\n"))) == 2
    assert len(problems(write(f"{APP}nothing\nsomething = 1\nnothing more\n"))) == 2


def test_a_file_that_is_not_there(tmp_path):
    (line,) = problems(tmp_path / "absent.ini")

    assert "absent.ini" in line
    assert "no such file" in line


def test_a_folder_instead_of_a_file(tmp_path):
    assert "cannot be read" in problems(tmp_path)[0]


def test_a_file_in_another_encoding(tmp_path):
    path = tmp_path / "latin.ini"
    path.write_bytes(b"[app:main]\nuse = egg:pypicloud_lite\npypi.realm = \xe9\n")

    assert "not UTF-8" in problems(path)[0]


def test_what_the_factory_is_given():
    given = {"storage.dir": "/x", "use": "egg:x", "here": "/", "__file__": "/f", "unknown": "y"}

    assert from_factory({"here": "/", "debug": "true"}, given) == {"storage.dir": "/x", "unknown": "y"}


def test_the_factory_refuses_keys_that_lie_in_default():
    with pytest.raises(ConfigError, match=r"storage\.dir: it stands in \[DEFAULT\]"):
        from_factory({"here": "/", "storage.dir": "/x"}, {})
