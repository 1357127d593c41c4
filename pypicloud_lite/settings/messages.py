"""One line for each fault that validation finds; never a value of a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from pydantic_core import ErrorDetails

from pypicloud_lite.settings.declare import Declared
from pypicloud_lite.settings.environment import variable

_PYDANTIC_SUBJECT = re.compile(r"^[A-Z]\w* should ")
_RULES: Mapping[str, str] = MappingProxyType(
    {
        "bool_parsing": "must be true or false (or yes, no, on, off, 1, 0)",
        "bool_type": "must be true or false (or yes, no, on, off, 1, 0)",
        "int_parsing": "must be a whole number",
        "int_parsing_size": "must be a smaller whole number",
        "float_parsing": "must be a number",
    }
)


def missing(declared: Declared) -> str:
    """Say that a required key is not there, or empty."""
    description = (declared.field.description or "").rstrip(".")
    purpose = f" ({description[:1].lower()}{description[1:]})" if description else ""
    where = f"set it, or the variable {variable(declared.key)}"
    return f"{declared.key}: it is required{purpose}: {where}{_such(declared)}"


def invalid(label: str, error: ErrorDetails, declared: Declared) -> str:
    """Say which rule a key's text breaks."""
    return f"{label}: {_RULES.get(error['type']) or _said(error['msg'])}{_such(declared)}"


def contradiction(error: ErrorDetails) -> str:
    """Repeat what a model's own check says of several keys together."""
    return _said(error["msg"])


def _said(message: str) -> str:
    plain = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return _PYDANTIC_SUBJECT.sub("must ", plain)


def _such(declared: Declared) -> str:
    example = declared.example
    return f"; for example {declared.key} = {example}" if example else ""
