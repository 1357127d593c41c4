"""What every setting is, and where that was said, for administrators to read: no secret is in it.

Hidden are the values of fields that are declared secret or whose key sounds like it, the credentials and the query of
every URL, and wherever it is repeated the text of any secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import SecretBytes, SecretStr

from pypicloud_lite.settings.declare import FAMILIES, Declared, Settings, declared, families
from pypicloud_lite.settings.load import Loaded
from pypicloud_lite.settings.sample import written

HIDDEN = "***"
_SOUNDS_SECRET = re.compile(r"(?:^|[._-])(?:pass(?:word|wd|phrase)|secret|token|key|credentials?)$")
# A URL to the end of its word: a secret may hold any sign, so what is not understood is not shown either.
_URL = re.compile(r"(?P<scheme>[A-Za-z][\w+.-]*://)(?P<rest>\S*)")
_PLACE = re.compile(r"(?:[\w.-]*|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:/[^?#@]*)?")
_USER = re.compile(r"[^:/?#@]*(?=:)")
# A shorter text may be a word of anything.
_SHORTEST_REPEATED = 6


@dataclass(frozen=True, slots=True)
class SettingInForce:
    """One setting; ``source`` is ``file``, ``default`` or the name of a variable of the environment."""

    key: str
    value: str
    source: str
    description: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """All of it by heading, and what at the start looked like a mistake."""

    groups: Sequence[tuple[str, Sequence[SettingInForce]]]
    warnings: Sequence[str]


def settings_in_force(
    loaded: Loaded, models: Iterable[type[Settings]], now: Mapping[type[Settings], Settings]
) -> Iterator[SettingInForce]:
    """The settings of the models that are loaded; ``now`` are those that were read again since the start."""
    secrets = _secrets(loaded)
    for model in models:
        if model not in loaded.settings:
            continue
        first, latest = loaded.settings[model], now.get(model, loaded.settings[model])
        for one in declared(model):
            value = _value(latest, one)
            source = loaded.sources.get(one.key, "default")
            if value != _value(first, one) and source == "default":
                source = "file"  # it came when the file was read again
            yield SettingInForce(one.key, _shown(one, value, secrets), source, one.field.description or "")
        if families(model):
            count = len(_family(latest))
            keys = ", ".join(f"{family}*" for family in families(model))
            yield SettingInForce(keys, f"{count} lines", "file" if count else "default", _family_description(model))


def without_secrets(text: str, loaded: Loaded) -> str:
    """A line about the settings, such as a warning, without any of their secrets."""
    return _hidden_in(text, _secrets(loaded))


def _shown(one: Declared, value: Any, secrets: Sequence[str]) -> str:
    if isinstance(value, SecretStr | SecretBytes):
        secret = value.get_secret_value()
        text = secret if isinstance(secret, str) else ""
        match = _URL.fullmatch(text)
        return HIDDEN if match is None else _hidden_url(match)
    if value is None or value == "":
        return ""
    if one.is_secret or _SOUNDS_SECRET.search(one.key):
        return HIDDEN
    text = " ".join(f"{name}={item}" for name, item in value.items()) if isinstance(value, Mapping) else ""
    return _hidden_in(text or written(one, value), secrets)


def _hidden_in(text: str, secrets: Sequence[str]) -> str:
    text = _URL.sub(_hidden_url, text)
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def _hidden_url(match: re.Match[str]) -> str:
    """The URL by its user and place; all of it hidden that could be anything else."""
    credentials, at, rest = match["rest"].rpartition("@")
    place, mark, _ = rest.partition("?")
    if _PLACE.fullmatch(place) is None:
        return f"{match['scheme']}{HIDDEN}"
    user = _USER.match(credentials)
    who = f"{user[0]}:{HIDDEN}" if user is not None else HIDDEN
    return f"{match['scheme']}{who + at if at else ''}{place}{mark + HIDDEN if mark else ''}"


def _secrets(loaded: Loaded) -> Sequence[str]:
    """The texts of all secrets, and the passwords in those that are URLs; the longest first."""
    found: set[str] = set()
    for model, settings in loaded.settings.items():
        for one in declared(model):
            value = _value(settings, one)
            if isinstance(value, SecretStr):
                found |= {value.get_secret_value(), *_credentials(value.get_secret_value())}
            elif isinstance(value, str) and _SOUNDS_SECRET.search(one.key):
                found.add(value)
    if loaded.admin is not None:
        found.add(loaded.admin.password.get_secret_value())
    return sorted((text for text in found if len(text) >= _SHORTEST_REPEATED), key=len, reverse=True)


def _credentials(text: str) -> Iterator[str]:
    match = _URL.fullmatch(text)
    if match is not None:
        yield match["rest"].rpartition("@")[0].partition(":")[2]


def _value(settings: Settings, one: Declared) -> Any:
    names = {field.alias: name for name, field in type(settings).model_fields.items()}
    return getattr(settings, names[one.key])


def _family(settings: Settings) -> Mapping[str, str]:
    names = [name for name, field in type(settings).model_fields.items() if field.alias == FAMILIES]
    found: Mapping[str, str] = getattr(settings, names[0]) if names else {}
    return found


def _family_description(model: type[Settings]) -> str:
    return next((one.description or "" for one in model.model_fields.values() if one.alias == FAMILIES), "")
