"""What an index can be told: each option's name, its kinds of index, how it is read, and what holds without it.

One table for the INI file, the REST API, the pages and the devpi client: each of them may send text (``a,b``, ``True``)
or JSON. The names are devpi's, where it has the option (``acl_read``, ``acl_force`` and ``strict`` are ours).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from pypicloud_lite.access.policy import ANY_USER, ANYBODY
from pypicloud_lite.db.types import storable
from pypicloud_lite.kernel.errors import InvalidName, InvalidRequest
from pypicloud_lite.kernel.json_values import DEEPEST, kept_json
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown

_MOST_TEXT = 10_000
_MOST_ITEMS = 500
_LONGEST_ADDRESS = 2000
_LONGEST_EXPIRY = 10 * 365 * 24 * 3600
_WORDS = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}


class Kind(StrEnum):
    """What an index is: one takes uploads, the other shows an upstream."""

    STAGE = "stage"
    MIRROR = "mirror"


def read_kind(value: object) -> Kind:
    """The ``type`` of an index; :class:`InvalidRequest` for another word."""
    word = value.strip().lower() if isinstance(value, str) else ""
    if word not in set(Kind):
        raise InvalidRequest(f"type is stage or mirror, not {shown(str(value))}")
    return Kind(word)


_STAGE, _MIRROR, _BOTH = frozenset({Kind.STAGE}), frozenset({Kind.MIRROR}), frozenset(Kind)


@dataclass(frozen=True, slots=True)
class Option:
    """``read`` takes text or JSON and raises :class:`InvalidRequest`; ``default`` is None where it is absent unset."""

    name: str
    kinds: frozenset[Kind]
    read: Callable[[str, object], Any]
    default: object = None
    is_list: bool = False


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > _MOST_TEXT or storable(value) != value:
        raise InvalidRequest(f"{name} is a text of at most {_MOST_TEXT} characters, not {shown(repr(value))}")
    return value


def _boolean(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = _WORDS.get(value.strip().lower()) if isinstance(value, str) else None
    if word is None:
        raise InvalidRequest(f"{name} is true or false, not {shown(str(value))}")
    return word


def items(name: str, value: object) -> list[str]:
    """A list, or text with commas or white space between its items; nothing is nothing."""
    if isinstance(value, str):
        found = value.replace(",", " ").split()
    elif isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        found = [one.strip() for one in value if one.strip()]
    else:
        raise InvalidRequest(f"{name} is a list of texts, not {shown(repr(value))}")
    if len(found) > _MOST_ITEMS:
        raise InvalidRequest(f"{name} has {len(found)} items: the limit is {_MOST_ITEMS}")
    return list(dict.fromkeys(found))


def _bases(name: str, value: object) -> list[str]:
    found = []
    for item in items(name, value):
        try:
            found.append(str(IndexName.parse(item.strip("/"))))
        except InvalidName as error:
            raise InvalidRequest(f"{name}: {error.message}") from None
    return list(dict.fromkeys(found))


def _people(name: str, value: object) -> list[str]:
    found = []
    for item in items(name, value):
        word = item.upper() if item.upper() in {ANYBODY, ANY_USER} else item
        if not word.strip(":") or len(word) > 256 or not word.isprintable():  # noqa: PLR2004  a user name's length
            raise InvalidRequest(f"{name}: {shown(item)} is no user and no :GROUP")
        found.append(word)
    return list(dict.fromkeys(found))


def _whitelist(name: str, value: object) -> list[str]:
    found = []
    for item in items(name, value):
        try:
            found.append("*" if item == "*" else str(ProjectName.parse(item)))
        except InvalidName as error:
            raise InvalidRequest(f"{name}: {error.message}") from None
    return list(dict.fromkeys(found))


def _inheritance(name: str, value: object) -> str:
    if not isinstance(value, str) or value not in {"intersection", "union"}:
        raise InvalidRequest(f"{name} is intersection or union, not {shown(str(value))}")
    return value


def _seconds(name: str, value: object) -> int:
    try:
        number = float(value)  # type: ignore[arg-type]  # anything else is told of below
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not 0 <= number <= _LONGEST_EXPIRY:
        raise InvalidRequest(f"{name} is a number of seconds, not {shown(str(value))}")
    return int(number)


def _address(name: str, value: object) -> str:
    text = _text(name, value)
    try:
        parts = urlsplit(text.strip())
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and len(text) <= _LONGEST_ADDRESS
        # What has no meaning there is no part of it, and a port out of range is a ValueError.
        valid = valid and parts.port != 0 and not (parts.query or parts.fragment) and text.strip().isprintable()
    except ValueError:
        valid = False
    if not valid or any(char.isspace() for char in text.strip()):
        raise InvalidRequest(f"{name} is the address of an index, as https://index.example.com/simple/")
    return text


def _anything(name: str, value: object) -> Any:
    if kept_json(value, _MOST_TEXT) is None:
        raise InvalidRequest(
            f"{name} is JSON of at most {_MOST_TEXT} characters and {DEEPEST} levels, without NaN and Infinity: "
            "send less, or flatter"
        )
    return value


_ALL = (
    Option("bases", _STAGE, _bases, (), is_list=True),
    Option("volatile", _BOTH, _boolean, True),
    Option("acl_upload", _STAGE, _people, is_list=True),
    Option("acl_toxresult_upload", _STAGE, _people, (ANYBODY,), is_list=True),
    Option("acl_read", _BOTH, _people, is_list=True),
    Option("acl_force", _STAGE, _people, is_list=True),
    Option("mirror_whitelist", _STAGE, _whitelist, (), is_list=True),
    Option("mirror_whitelist_inheritance", _STAGE, _inheritance, "intersection"),
    Option("strict", _STAGE, _boolean),
    Option("mirror_url", _MIRROR, _address),
    Option("mirror_cache_expiry", _MIRROR, _seconds),
    Option("mirror_no_project_list", _MIRROR, _boolean),
    Option("mirror_use_external_urls", _MIRROR, _boolean),
    Option("mirror_provides_core_metadata", _MIRROR, _boolean),
    Option("mirror_ignore_serial_header", _MIRROR, _boolean),
    Option("mirror_web_url_fmt", _MIRROR, _text),
    Option("title", _BOTH, _text),
    Option("description", _BOTH, _text),
    Option("custom_data", _BOTH, _anything),
)
OPTIONS: Mapping[str, Option] = MappingProxyType({one.name: one for one in _ALL})
"""By name; ``type`` is none: it cannot change."""


def option(name: str, kind: Kind) -> Option:
    """The option of that name; :class:`InvalidRequest` where an index of this kind has none."""
    found = OPTIONS.get(name)
    if found is None or kind not in found.kinds:
        known = ", ".join(one.name for one in _ALL if kind in one.kinds)
        raise InvalidRequest(f"A {kind} index has no option {shown(name)}: it has {known}")
    return found


def read_options(given: Mapping[str, object], kind: Kind) -> dict[str, Any]:
    """Options as they are kept, of those that were given; an empty text or None takes one away, a list apart."""
    kept: dict[str, Any] = {}
    for name, value in given.items():
        known = option(name, kind)
        if value is None or (value == "" and not known.is_list):
            continue
        kept[name] = known.read(name, value)
    return kept
