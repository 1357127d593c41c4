from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import ByteSize, Field, SecretStr

from pypicloud_lite.settings.declare import Settings, Words
from pypicloud_lite.settings.load import load
from pypicloud_lite.settings.sample import render_sample
from pypicloud_lite.settings.source import read_ini
from pypicloud_lite.settings.values import Duration, Size


class Demo(Settings):
    open_keys: ClassVar[tuple[str, ...]] = ("user.",)

    dir: Path = Field(
        alias="demo.dir", description="Where it lies", json_schema_extra={"example": "%(here)s/100% data"}
    )
    size: Size = Field(2**20, alias="demo.size", description="How much")
    room: ByteSize = Field(ByteSize(2**30), alias="demo.room", description="How much more")
    wait: Duration = Field(600, alias="demo.wait", description="How long")
    words: Words = Field(("a", "b"), alias="demo.words", description="Which ones")
    flag: bool = Field(False, alias="demo.flag", description="Whether" + " at length" * 20)
    prefix: str = Field("", alias="demo.prefix", description="Before it", json_schema_extra={"example": "x/"})
    secret: SecretStr = Field(SecretStr("hidden-default"), alias="demo.secret", description="What nobody knows")
    entries: Mapping[str, str] = Field(
        default_factory=dict,
        alias="*",
        description="Users.",
        json_schema_extra={"example": ["user.alice = $argon2id$50%", "user.bob = x"]},
    )


class Again(Settings):
    size: Size = Field(2**20, alias="demo.size", description="How much")


def test_the_whole_sample():
    text = render_sample([("Demo", [Demo, Again])])

    assert text.partition("[app:main]")[2] == (
        "\nuse = egg:pypicloud_lite\n\n"
        f"{'## Demo '.ljust(100, '#')}\n\n"
        "# Where it lies. Required.\n# demo.dir = %(here)s/100%% data\n\n"
        "# How much.\n# demo.size = 1 MiB\n\n"
        "# How much more.\n# demo.room = 1 GiB\n\n"
        "# How long.\n# demo.wait = 10 min\n\n"
        "# Which ones.\n# demo.words = a b\n\n"
        "# Whether at length at length at length at length at length at length at length at length at length\n"
        "# at length at length at length at length at length at length at length at length at length at\n"
        "# length at length.\n# demo.flag = false\n\n"
        "# Before it.\n# For example: x/\n# demo.prefix =\n\n"
        "# What nobody knows. Secret: PPC_DEMO_SECRET_FILE may name a file that holds it.\n# demo.secret =\n\n"
        "# Users. The keys user.* are read from this file alone.\n"
        "# user.alice = $argon2id$50%%\n# user.bob = x\n"
    )


def test_the_sample_with_every_key_switched_on_is_the_default(tmp_path):
    path = tmp_path / "config.ini"
    text = re.sub(r"(?m)^# ((?:demo|user)\.\w+ =.*)$", r"\1", render_sample([("Demo", [Demo])]))
    path.write_text(text)
    found = load(read_ini(path), {}, [Demo]).get(Demo)

    assert found.dir == tmp_path / "100% data"
    assert found.entries == {"user.alice": "$argon2id$50%", "user.bob": "x"}
    assert found == Demo.model_validate({"demo.dir": found.dir, "*": found.entries})


def test_the_application_comes_last():
    """What a person adds at the end of the file is the application's."""
    text = render_sample([("Demo", [Demo])], before="[server:main]\nport = 1\n")
    assert text.index("[server:main]") < text.index("[app:main]")
