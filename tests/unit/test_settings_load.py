from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import pytest
from pydantic import BeforeValidator, Field, SecretStr, model_validator

from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.settings.declare import Settings, Words
from pypicloud_lite.settings.load import load
from pypicloud_lite.settings.values import Duration, Size

CANARY = "canary-0wT9x-secret"


def quoting(value: Any) -> Any:
    if value == CANARY:
        raise ValueError(f"{value} is not good enough")
    return value


class Demo(Settings):
    open_keys: ClassVar[tuple[str, ...]] = ("extra.",)

    words: Words = Field(("a",), alias="demo.words", description="Words")
    other_words: Words | None = Field(None, alias="demo.other_words", description="Words")
    flag: bool = Field(True, alias="demo.flag", description="Flag")
    maybe: bool | None = Field(None, alias="demo.maybe", description="Maybe")
    size: Size = Field(5, alias="demo.size", description="Size")
    wait: Duration | None = Field(None, alias="demo.wait", description="Wait")
    kind: Literal["x", "y"] = Field("x", alias="demo.kind", description="Kind")
    text: str = Field("t", alias="demo.text", description="Text")
    path: Path = Field(alias="demo.path", description="Where it lies.", json_schema_extra={"example": "/srv/demo"})
    secret: SecretStr | None = Field(None, alias="demo.secret", description="Secret")
    picky: Annotated[SecretStr | None, BeforeValidator(quoting)] = Field(None, alias="demo.picky", description="Secret")
    extra: Mapping[str, str] = Field(default_factory=dict, alias="*", description="More")

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.kind == "y" and self.secret is None:
            raise ValueError("demo.kind = y needs demo.secret: set it")
        return self


class Sibling(Settings):
    words: Words = Field((), alias="demo.words", description="The same key again")


def demo(changes, environ=None, models=(Demo, Sibling)):
    return load({"demo.path": "/srv", **changes}, environ or {}, models)


def problems(changes, environ=None):
    with pytest.raises(ConfigError) as caught:
        demo(changes, environ)
    assert CANARY not in str(caught.value)
    return caught.value.problems


def test_defaults():
    found = demo({}).get(Demo)

    assert (found.words, found.flag, found.maybe, found.size, found.wait) == (("a",), True, None, 5, None)
    assert found.model_fields_set == {"path", "extra"}


def test_values():
    found = demo(
        {
            "demo.words": "b\n  c",
            "demo.size": "1 KiB",
            "demo.wait": "2 min",
            "demo.kind": "y",
            "demo.secret": CANARY,
            "extra.a.B": " kept ",
        }
    )

    assert found.get(Demo).words == found.get(Sibling).words == ("b", "c")
    assert (found.get(Demo).size, found.get(Demo).wait) == (1024, 120)
    assert found.get(Demo).extra == {"extra.a.B": "kept"}
    assert found.get(Demo).secret == SecretStr(CANARY)
    assert "extra.a.B" not in repr(found.get(Demo))


@pytest.mark.parametrize("text", ["true", "True", "YES", "on", "1"])
def test_what_is_true(text):
    assert demo({"demo.flag": text}).get(Demo).flag is True


@pytest.mark.parametrize("text", ["false", "False", "NO", "off", "0"])
def test_what_is_false(text):
    assert demo({"demo.flag": text, "demo.maybe": text}).get(Demo).flag is False


@pytest.mark.parametrize("text", ["2", "maybe", "none", "truefalse", "-"])
def test_what_is_neither(text):
    (line,) = problems({"demo.flag": text})

    assert line == "demo.flag: must be true or false (or yes, no, on, off, 1, 0)"


def test_an_empty_text_is_not_set_and_an_empty_list_is_empty():
    keys = ("words", "other_words", "flag", "maybe", "size", "wait", "kind", "text", "secret")
    found = demo({f"demo.{key}": " \n" for key in keys}).get(Demo)

    assert (found.words, found.other_words) == ((), ())
    assert (found.flag, found.maybe, found.size, found.kind, found.text) == (True, None, 5, "x", "t")


def test_the_environment_overrides_the_file():
    found = demo({"demo.words": "a", "demo.size": "3"}, {"PPC_DEMO_WORDS": "x y", "PPC_DEMO_SIZE": ""}).get(Demo)

    assert (found.words, found.size) == (("x", "y"), 5)


def test_a_message_names_the_variable_that_is_wrong():
    (line,) = problems({}, {"PPC_DEMO_KIND": "z"})

    assert line == "PPC_DEMO_KIND (demo.kind): must be 'x' or 'y'"


def test_what_is_required_is_said_with_its_example():
    (line,) = problems({"demo.path": ""})

    assert line == (
        "demo.path: it is required (where it lies): set it, or the variable PPC_DEMO_PATH; for example "
        "demo.path = /srv/demo"
    )


def test_a_contradiction_is_said_as_the_model_says_it():
    assert problems({"demo.kind": "y"}) == ("demo.kind = y needs demo.secret: set it",)


def test_a_check_that_quotes_a_secret_is_redacted():
    assert problems({"demo.picky": CANARY}) == ("demo.picky: *** is not good enough",)


def test_a_fault_in_a_shared_key_is_reported_once():
    class Strict(Settings):
        size: Size = Field(5, alias="demo.size", description="The same key again")

    with pytest.raises(ConfigError) as caught:
        demo({"demo.size": "x"}, models=(Demo, Strict))

    assert len(caught.value.problems) == 1


def test_a_field_without_a_key_is_a_programming_error():
    class Nameless(Settings):
        size: int = Field(5, description="No alias")

    with pytest.raises(TypeError, match=r"Nameless\.size has no alias"):
        load({}, {}, [Nameless])


def test_settings_are_immutable():
    found = demo({})

    with pytest.raises(ValueError, match="frozen"):
        found.get(Demo).size = 3
    with pytest.raises(TypeError):
        found.settings[Demo] = found.get(Demo)
