"""The form for an index's options: its fields, and what somebody changed in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pypicloud_lite.indexes.masking import masked
from pypicloud_lite.indexes.model import IndexDefinition
from pypicloud_lite.indexes.options import OPTIONS, items

_YES_NO = (("true", "yes"), ("false", "no"))
_PEOPLE = "One a line: a user, :group, :AUTHENTICATED: or :ANONYMOUS:."
_LISTED = frozenset({"acl_read", "acl_upload", "acl_force", "acl_toxresult_upload"})
_UNSET_WHEN_EMPTY = frozenset({"acl_read", "acl_force"})
_WORDS: dict[str, tuple[str, str]] = {
    "title": ("Title", ""),
    "description": ("Description", "Plain text."),
    "bases": ("Bases", "One a line, OWNER/NAME. What an index has comes before what its bases have, in this order."),
    "volatile": ("Volatile", "Files may be replaced and deleted, and the index removed."),
    "acl_upload": ("Who may upload", _PEOPLE),
    "acl_read": ("Who may read", f"{_PEOPLE} Empty: as the rules of this server say."),
    "acl_force": ("Who may delete by force", f"{_PEOPLE} Where it is not volatile. Empty: administrators."),
    "acl_toxresult_upload": ("Who may add test results", _PEOPLE),
    "mirror_whitelist": (
        "Names that mirrors may add to",
        "One project a line, or *. Other names that are here hide what mirrors have.",
    ),
    "mirror_whitelist_inheritance": ("Whose names these are", ""),
    "strict": ("Strict uploads", ""),
    "mirror_url": ("Address of the upstream", "A login in it is kept, and shown as ***."),
    "mirror_cache_expiry": ("Seconds until it is asked again", ""),
    "mirror_no_project_list": ("It has no list of projects", ""),
    "mirror_use_external_urls": ("Send installers to its own files", ""),
    "mirror_provides_core_metadata": ("It has metadata beside its files", ""),
    "mirror_ignore_serial_header": ("Its serials are to be ignored", ""),
    "mirror_web_url_fmt": ("Address of its pages", ""),
}
_CHOICES = {
    "volatile": _YES_NO,
    "strict": (("", "as this server does"), *_YES_NO),
    "mirror_whitelist_inheritance": (
        ("intersection", "this index's list alone"),
        ("union", "the lists of its bases too"),
    ),
}
_FLAG = (("", "not said"), *_YES_NO)
_FLAGS = frozenset(
    {
        *("mirror_no_project_list", "mirror_use_external_urls", "mirror_provides_core_metadata"),
        "mirror_ignore_serial_header",
    }
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field. ``kind`` is ``text``, ``long``, ``lines`` or ``choice``; ``value`` what stands in it."""

    name: str
    label: str
    help: str
    kind: str
    value: str
    choices: Sequence[tuple[str, str]] = ()


def fields(index: IndexDefinition, sent: Callable[[str], str] | None = None) -> list[Field]:
    """Those of an index of its kind, with what it has, or with what was ``sent`` and refused."""
    found = []
    for name, (label, said) in _WORDS.items():
        if index.kind not in OPTIONS[name].kinds or (index.is_default and name in _LISTED):
            continue
        value = _text(index, name) if sent is None else sent(name)
        choices = _FLAG if name in _FLAGS else _CHOICES.get(name, ())
        kind = "choice" if choices else "lines" if OPTIONS[name].is_list else "text"
        found.append(Field(name, label, said, "long" if name == "description" else kind, value, choices))
    return found


def changes(index: IndexDefinition, sent: Callable[[str], str | None]) -> dict[str, object]:
    """The options that somebody changed: what stands there as it was is left as it is, also where it is a default.

    ``sent`` gives None for a field that was not sent, which changes nothing either.
    """
    changed: dict[str, object] = {}
    for field in fields(index):
        typed = sent(field.name)
        if typed is None:
            continue
        text = typed.replace("\r\n", "\n").strip()
        if field.kind == "lines":
            if items(field.name, text) != items(field.name, field.value):
                changed[field.name] = None if not text and field.name in _UNSET_WHEN_EMPTY else items(field.name, text)
        elif text != field.value.strip():
            changed[field.name] = text or None
    return changed


def _text(index: IndexDefinition, name: str) -> str:
    value: Any = index.get(name)
    if value is None:
        return ""
    if OPTIONS[name].is_list:
        return "\n".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return masked(value) if name == "mirror_url" else str(value)
