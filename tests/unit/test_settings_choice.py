from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.settings.choice import choose, others

GROUP = "pypicloud_lite.tests_of_choice"
MODULE = """
from pydantic import Field
from pypicloud_lite.settings.declare import Plugin, Settings

class OneSettings(Settings):
    size: int = Field(1, alias="one.size", description="Size")

class TwoSettings(Settings):
    size: int = Field(1, alias="two.size", description="Size")

one = Plugin(OneSettings, lambda settings: settings)
two = Plugin(TwoSettings, lambda settings: settings)
neither = object()
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    def installer(project: str, entries: str) -> None:
        info = tmp_path / f"{project}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{entries}")
        monkeypatch.syspath_prepend(str(tmp_path))

    (tmp_path / "ppc_choice_plugins.py").write_text(MODULE)
    (tmp_path / "ppc_choice_broken.py").write_text("raise RuntimeError('no driver')\n")
    return installer


@pytest.fixture
def plugins(install):
    install(
        "choice_plugins",
        "one = ppc_choice_plugins:one\ntwo = ppc_choice_plugins:two\nodd = ppc_choice_plugins:neither\n"
        "broken = ppc_choice_broken:backend\ngone = ppc_choice_absent:backend\n",
    )


@pytest.mark.parametrize("name", ["one", "ppc_choice_plugins:one"])
def test_a_plugin_is_found_by_short_name_and_by_path(plugins, name):
    assert choose(GROUP, name).settings.__name__ == "OneSettings"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("onee", ("'onee'", "did you mean one?", "broken, gone, odd, one, two", "package.module:attribute")),
        ("odd", ("'odd'", "is not a backend")),
        ("broken", ("'broken'", "no driver", "pypicloud_lite[broken]")),
        ("gone", ("'gone'", "ppc_choice_absent", "pypicloud_lite[gone]")),
        ("ppc_choice_plugins:absent", ("absent", "install its package")),
        ("ppc_choice_absent:one", ("ppc_choice_absent", "install its package")),
        (":one", ("':one'", "package.module:attribute")),
        ("ppc_choice_plugins:neither", ("is not a backend",)),
        ("line\nbreak", (r"'line\nbreak'",)),
    ],
)
def test_what_cannot_be_chosen(plugins, name, parts):
    with pytest.raises(ConfigError) as caught:
        choose(GROUP, name)

    assert [part for part in parts if part not in caught.value.message] == []


def test_two_projects_that_say_the_same_are_one(install):
    install("choice_plugins", "one = ppc_choice_plugins:one\n")
    install("choice_plugins_again", "one = ppc_choice_plugins:one\n")

    assert choose(GROUP, "one").settings.__name__ == "OneSettings"


def test_two_projects_that_fight_over_a_name_are_refused(install):
    install("choice_plugins", "one = ppc_choice_plugins:one\n")
    install("choice_plugins_again", "one = ppc_choice_plugins:two\n")

    with pytest.raises(ConfigError, match=r"ppc_choice_plugins:\w+ and ppc_choice_plugins:\w+"):
        choose(GROUP, "one")


def test_the_others_leave_out_the_chosen_and_what_cannot_be_loaded(plugins):
    assert [model.__name__ for model in others(GROUP, [choose(GROUP, "one")])] == ["TwoSettings"]
    assert [model.__name__ for model in others(GROUP, [])] == ["OneSettings", "TwoSettings"]


def test_nothing_installed_says_so():
    with pytest.raises(ConfigError, match="is pypicloud_lite installed"):
        choose(GROUP, "one")
