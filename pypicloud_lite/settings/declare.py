"""How a feature declares its settings: a frozen model whose aliases are the INI keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, TypeVar, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

FAMILIES = "*"
"""The alias of the one field that takes every key of ``open_keys``."""


def _words(value: Any) -> Any:
    return tuple(value.split()) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
"""A list separated by white space or newlines, pypicloud's form."""


class Settings(BaseModel):
    """A group of settings, validated once at start and immutable after.

    Each field has an ``alias`` (its INI key) and a ``description`` (its line in ``config.ini.sample``);
    ``json_schema_extra={"example": "..."}`` is shown in the sample and in messages. Secrets are
    ``SecretStr``. Key families (``user.*``) are named in ``open_keys`` and arrive together in the one field
    whose alias is ``"*"``, a mapping of full key to text; its ``example`` is one whole ``key = value`` line,
    or a list of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=False)

    open_keys: ClassVar[tuple[str, ...]] = ()

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        # A family such as user.* holds password hashes.
        for name, value in super().__repr_args__():
            field = type(self).model_fields.get(name or "")
            if field is None or field.alias != FAMILIES:
                yield name, value


S = TypeVar("S", bound=Settings)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plugin(Generic[S, T]):
    """What an entry point of a port names: the settings a backend reads, and how it is built from them.

    ``build`` does no I/O. It takes the settings, and for an access backend an ``AccessContext`` too.
    """

    settings: type[S]
    build: Callable[..., T]


@dataclass(frozen=True, slots=True)
class Declared:
    """One fixed key of a model."""

    key: str
    field: FieldInfo

    @property
    def is_secret(self) -> bool:
        """Whether its value may never be shown."""
        return any(part in {SecretStr, SecretBytes} for part in _parts(self.field.annotation))

    @property
    def is_list(self) -> bool:
        """Whether an empty text is an empty list rather than "not set"."""
        return any(get_origin(part) in {tuple, list, set, frozenset} for part in _parts(self.field.annotation))

    @property
    def may_be_empty(self) -> bool:
        """Whether the file may say an empty text and mean it: ``json_schema_extra={"may_be_empty": True}``."""
        extra = self.field.json_schema_extra
        return isinstance(extra, dict) and bool(extra.get("may_be_empty"))

    @property
    def example(self) -> str | None:
        """The example that its declaration gives."""
        examples = _examples(self.field)
        return examples[0] if examples else None


def declared(model: type[Settings]) -> tuple[Declared, ...]:
    """List the fixed keys of a model, in its order."""
    keys: list[Declared] = []
    for name, field in model.model_fields.items():
        if field.alias is None:
            raise TypeError(f"{model.__name__}.{name} has no alias: it must name its INI key")
        if field.alias != FAMILIES:
            keys.append(Declared(field.alias, field))
    return tuple(keys)


def families(model: type[Settings]) -> tuple[str, ...]:
    """List the beginnings of the model's open keys, such as ``user.``."""
    return tuple(key.removesuffix("*") for key in model.open_keys)


def in_family(key: str, model: type[Settings]) -> bool:
    """Tell whether a key belongs to one of the model's open families."""
    return key.startswith(families(model))


def family_examples(model: type[Settings]) -> tuple[str, ...]:
    """List the ``key = value`` lines that the model gives as examples of its families."""
    return tuple(line for field in model.model_fields.values() if field.alias == FAMILIES for line in _examples(field))


def _examples(field: FieldInfo) -> tuple[str, ...]:
    extra = field.json_schema_extra
    example = extra.get("example") if isinstance(extra, dict) else None
    if example is None:
        return ()
    return tuple(str(line) for line in example) if isinstance(example, list | tuple) else (str(example),)


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield an annotation and, for unions and ``Annotated``, its members."""
    yield annotation
    if get_origin(annotation) not in {tuple, list, set, frozenset, dict}:
        for part in get_args(annotation):
            yield from _parts(part)
