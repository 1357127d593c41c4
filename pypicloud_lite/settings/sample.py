"""``config.ini.sample`` and first configurations, written from the declarations."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from enum import Enum
from typing import Any, get_args

from pydantic import BeforeValidator, ByteSize

from pypicloud_lite.settings.declare import FAMILIES, Declared, Settings, declared, families, family_examples
from pypicloud_lite.settings.environment import variable
from pypicloud_lite.settings.values import format_duration, format_size, parse_duration, parse_size

_WIDTH = 100
_SECTION = "[app:main]\nuse = egg:pypicloud_lite\n"
_HEADER = """\
# Every setting of pypicloud_lite, with its default. A line that begins with '#' is switched off: take the
# '#' away to set something. Write % as %%; %(here)s is the folder of this file; white space separates the
# words of a list.
#
# Each key can come from the environment instead: PPC_ and the key in capitals with '_' for '.', such as
# PPC_PYPI_DEFAULT_READ. A secret can also lie in a file that PPC_..._FILE names. PPC_ADMIN_USER with
# PPC_ADMIN_PASSWORD or PPC_ADMIN_PASSWORD_FILE defines one admin.
"""
# A percent sign, unless it begins %(here)s.
_PERCENT = re.compile(r"%(?!\(here\)s)")


def render_sample(groups: Sequence[tuple[str, Sequence[type[Settings]]]], before: str = "") -> str:
    """Write the whole file: each group is a heading and its models; a key is shown where it comes first.

    ``before`` are sections that stand before the application's, which is the last: what a person adds at the end is
    the application's.
    """
    parts = [_HEADER, *([before] if before else []), _SECTION]
    seen: set[str] = set()
    for heading, models in groups:
        lines = [f"## {heading} ".ljust(_WIDTH, "#")]
        for model in models:
            for one in declared(model):
                if one.key not in seen:
                    lines += ["", *_entry(one)]
                seen.add(one.key)
            if families(model):
                lines += ["", *_family(model)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _entry(one: Declared) -> list[str]:
    description = one.field.description or ""
    remarks = [description if description.endswith((".", "?", ")")) else f"{description}."]
    if one.field.is_required():
        remarks.append("Required.")
    if one.is_secret:
        remarks.append(f"Secret: {variable(one.key)}_FILE may name a file that holds it.")
    lines = textwrap.wrap(" ".join(remarks), _WIDTH, initial_indent="# ", subsequent_indent="# ")
    default = _default(one)
    if default is None or (default == "" and one.example):
        example = f"For example: {one.example}" if one.example and not one.field.is_required() else ""
        lines += [f"# {example}"] if example else []
        default = one.example or "" if one.field.is_required() else ""
    return [*lines, f"# {one.key} = {_escaped(default)}".rstrip()]


def _default(one: Declared) -> str | None:
    """Write the default; None where there is none, or it may not be shown."""
    if one.field.is_required() or one.is_secret:
        return None
    value = one.field.get_default(call_default_factory=True, validated_data={})
    return None if value is None else written(one, value)


def written(one: Declared, value: Any) -> str:
    """A value as it is written in the file."""
    if value is not None and (_is_quantity(one, parse_size) or one.field.annotation is ByteSize):
        return format_size(int(value))
    if value is not None and _is_quantity(one, parse_duration):
        return format_duration(int(value))
    return _written(value)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, (tuple, list, set, frozenset, dict)):
        return " ".join(str(item) for item in (value if isinstance(value, (tuple, list)) else sorted(value)))
    return str(value)


def _is_quantity(one: Declared, parse: Any) -> bool:
    # Of one that need not be set, what it is stands within its type.
    within = (part for kind in get_args(one.field.annotation) for part in getattr(kind, "__metadata__", ()))
    return any(isinstance(part, BeforeValidator) and part.func is parse for part in (*one.field.metadata, *within))


def _family(model: type[Settings]) -> list[str]:
    described = next(
        (field.description for field in model.model_fields.values() if field.alias == FAMILIES and field.description),
        "",
    )
    opened = ", ".join(f"{family}*" for family in families(model))
    text = f"{described.rstrip('.')}. The keys {opened} are read from this file alone."
    lines = textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")
    return [*lines, *(f"# {_escaped(example)}" for example in family_examples(model))]


def _escaped(text: str) -> str:
    return _PERCENT.sub("%%", text)
