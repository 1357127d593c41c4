"""Texts to validated settings, every problem at once.

Where a key is looked for: the models in force (those given, and those of the chosen plugins), then
pypicloud's keys that are refused or without effect here, then the open families, then the plugins that were
not chosen. The rest is unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.kernel.names import shown
from pypicloud_lite.settings import legacy, messages
from pypicloud_lite.settings.choice import CHAINED, choose, others
from pypicloud_lite.settings.declare import (
    FAMILIES,
    Declared,
    Plugin,
    Settings,
    declared,
    families,
    in_family,
)
from pypicloud_lite.settings.environment import Environment, EnvironmentAdmin, read_environment, variable
from pypicloud_lite.settings.nearest import nearest

M = TypeVar("M", bound=Settings)

# A shorter text may be a word of the messages themselves.
_SHORTEST_REDACTED = 6


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings of this process. ``warnings`` are lines for the start-up log."""

    settings: Mapping[type[Settings], Settings] = field(repr=False)
    plugins: Mapping[str, Mapping[str, Plugin[Any, Any]]]
    warnings: tuple[str, ...]
    admin: EnvironmentAdmin | None
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Where a key's value was said: ``file``, or the name of a variable; a key that is missing has its default."""

    def get(self, model: type[M]) -> M:
        """Return the validated instance of a model that was loaded; KeyError for another."""
        return cast("M", self.settings[model])

    def plugin(self, key: str) -> Plugin[Any, Any]:
        """Return the plugin that a key of ``choices`` chose; the first of several."""
        return next(iter(self.plugins[key].values()))

    def chain(self, key: str) -> Mapping[str, Plugin[Any, Any]]:
        """Return all plugins that a key of ``choices`` chose, by the names written there, in their order."""
        return self.plugins[key]


def load(
    raw: Mapping[str, str],
    environ: Mapping[str, str],
    models: Sequence[type[Settings]],
    *,
    choices: Mapping[str, str] = MappingProxyType({}),
    foreign: Collection[str] = (),
    defaults: Mapping[str, str] = MappingProxyType({}),
) -> Loaded:
    """Validate everything or raise one :class:`ConfigError` with every problem.

    ``raw`` is the INI file's text by key, overridden by ``environ``'s ``PPC_*`` variables. ``choices`` maps a
    key that one of ``models`` declares to the entry point group in which its value names a plugin; the
    settings of the plugin join ``models``. ``foreign`` are ``PPC_*`` variables that something else reads,
    ``defaults`` are texts for keys that ``raw`` does not have, in the place of what the models say.
    """
    loading = _Loading({**defaults, **raw}, environ, models, choices, foreign)
    loading.choose_plugins()
    loading.read_texts()
    for key in sorted(loading.texts):
        loading.place(key)
    loading.judge_legacy()
    settings = loading.validate()
    if loading.problems:
        raise ConfigError(*loading.redacted(loading.problems))
    return Loaded(
        settings=MappingProxyType(settings),
        plugins=MappingProxyType({key: MappingProxyType(chosen) for key, chosen in loading.plugins.items()}),
        warnings=tuple(loading.redacted(loading.warnings)),
        admin=loading.environment.admin,
        sources=MappingProxyType(loading.sources(raw)),
    )


class _Loading:
    """One call of :func:`load` under way."""

    def __init__(
        self,
        raw: Mapping[str, str],
        environ: Mapping[str, str],
        models: Sequence[type[Settings]],
        choices: Mapping[str, str],
        foreign: Collection[str],
    ) -> None:
        self._raw = raw
        self._environ = environ
        self._models = list(models)
        self._choices = choices
        self._foreign = foreign
        self._fixed: dict[str, Declared] = {}
        # The settings of plugins that were not chosen, by the key that did not choose them.
        self._leftover: dict[str, str] = {}
        self._leftover_families: dict[str, str] = {}
        self._leftover_secrets: set[str] = set()
        self._placed: dict[str, str] = {}
        self._without_effect: dict[str, list[str]] = {}
        self._labels: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self.plugins: dict[str, dict[str, Plugin[Any, Any]]] = {}
        self.environment = Environment()
        self.texts: dict[str, str] = {}
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def choose_plugins(self) -> None:
        """Load what the keys of ``choices`` name, and learn the keys of what they do not."""
        defaults = {one.key: one.field.default for model in self._models for one in declared(model)}
        for key, group in self._choices.items():
            label = f"{variable(key)} ({key})" if variable(key) in self._environ else key
            text = self._environ.get(variable(key), self._raw.get(key, "")).strip() or defaults[key]
            words = text.split() if key in CHAINED else [text]
            names = list(dict.fromkeys(self._short(key, word) for word in words))
            more = legacy.implied(key, names, lambda one: self._environ.get(variable(one), self._raw.get(one, "")))
            if more:
                names += more
                self.warnings.append(f"auth.ldap.fallback is read as {key} = {' '.join(names)}: write that instead")
            self._names[key] = " ".join(names)
            for name in names:
                self._choose(key, label, group, name)
        self._models = list(dict.fromkeys(self._models))
        self._fixed = {one.key: one for model in self._models for one in declared(model)}
        for key, group in self._choices.items():
            for model in others(group, self.plugins.get(key, {}).values()):
                self._leftover |= {one.key: key for one in declared(model) if one.key not in self._fixed}
                self._leftover_secrets |= {one.key for one in declared(model) if one.is_secret}
                self._leftover_families |= dict.fromkeys(families(model), key)

    def _choose(self, key: str, label: str, group: str, name: str) -> None:
        try:
            plugin = choose(group, name)
        except ConfigError as error:
            problem = legacy.unavailable(key, name)
            self.problems += [f"{label}: {line}" for line in ([problem] if problem else error.problems)]
        else:
            self.plugins.setdefault(key, {})[name] = plugin
            self._models.append(plugin.settings)

    def read_texts(self) -> None:
        """Lay the environment over the file."""
        known = {*self._fixed, *legacy.fixed_keys(), *self._leftover}
        self.environment = read_environment(
            self._environ,
            keys=known,
            secrets={key for key in known if self._is_secret(key)},
            families=self._families(),
            foreign=self._foreign,
        )
        self.problems += self.environment.problems
        self.warnings += self.environment.warnings
        self.texts = {key: text.strip() for key, text in self._raw.items()}
        for override in self.environment.overrides:
            self.texts[override.key] = override.text.strip()
            self._labels[override.key] = f"{override.variable} ({override.key})"

    def place(self, key: str) -> None:
        """Decide whose a key is."""
        label = self._labels.get(key, key)
        if key in self._fixed:
            self._place_fixed(key, label)
        elif (reason := legacy.refusal(key)) is not None:
            self.problems.append(f"{label}: {reason}")
        elif (reason := legacy.without_effect(key)) is not None:
            if not _says_what_happens_anyway(key, self.texts[key]):
                self._without_effect.setdefault(reason, []).append(label)
        elif any(in_family(key, model) for model in self._models):
            self._placed[key] = self.texts[key]
        elif (chooser := self._chooser_of(key)) is not None:
            # Where the choice itself failed there is nothing to compare with.
            if chooser in self.plugins:
                reason = f"{chooser} = {self._names[chooser]}"
                self._without_effect.setdefault(reason, []).append(label)
        else:
            self.problems.append(self._unknown(key))

    def judge_legacy(self) -> None:
        """Say what pypicloud's keys come to."""
        self.warnings += [
            f"without effect ({reason}): {', '.join(keys)}" for reason, keys in self._without_effect.items()
        ]

    def validate(self) -> dict[type[Settings], Settings]:
        """Build the models; what is wrong goes to ``problems``."""
        settings: dict[type[Settings], Settings] = {}
        reported: set[str] = set()
        for model in self._models:
            try:
                settings[model] = model.model_validate(self._given(model))
            except ValidationError as errors:
                for error in errors.errors(include_url=False, include_context=False, include_input=False):
                    problem = self._problem(error["loc"], error)
                    if problem not in reported:
                        reported.add(problem)
                        self.problems.append(problem)
        return settings

    def sources(self, raw: Mapping[str, str]) -> dict[str, str]:
        """Where what counts was said; an empty text counts for lists alone."""
        said = dict.fromkeys(raw, "file") | {one.key: one.variable for one in self.environment.overrides}
        return {key: source for key, source in said.items() if key in self._placed}

    def redacted(self, lines: Iterable[str]) -> list[str]:
        """Take out of the lines every secret that somebody's check quoted."""
        secrets = {text for key, text in self.texts.items() if self._is_secret(key)}
        if self.environment.admin is not None:
            secrets.add(self.environment.admin.password.get_secret_value())
        hidden = sorted((text for text in secrets if len(text) >= _SHORTEST_REDACTED), key=len, reverse=True)
        result: list[str] = []
        for line in lines:
            for text in hidden:
                line = line.replace(text, "***")  # noqa: PLW2901  # one replacement after the other
            result.append(line)
        return result

    def _place_fixed(self, key: str, label: str) -> None:
        text = self.texts[key]
        if key in self._choices:
            text = self._names[key]
        else:
            text = self._short(key, text)
            if (problem := legacy.unavailable(key, text)) is not None:
                self.problems.append(f"{label}: {problem}")
                return
        # An empty variable may be one that nobody has set: only the file says so on purpose.
        means_it = self._fixed[key].may_be_empty and key not in self._labels
        if text or self._fixed[key].is_list or means_it:
            self._placed[key] = text

    def _short(self, key: str, text: str) -> str:
        name = legacy.short_name(key, text)
        if name is None:
            return text
        self.warnings.append(f"{key} = {text} is read as {key} = {name}: write that instead")
        return name

    def _given(self, model: type[Settings]) -> dict[str, Any]:
        given: dict[str, Any] = {
            one.key: () if one.is_list and not self._placed[one.key] else self._placed[one.key]
            for one in declared(model)
            if one.key in self._placed
        }
        if model.open_keys:
            given[FAMILIES] = {
                key: text for key, text in self._placed.items() if key not in self._fixed and in_family(key, model)
            }
        return given

    def _problem(self, location: tuple[int | str, ...], error: Any) -> str:
        key = str(location[0]) if location else ""
        if key not in self._fixed:
            return messages.contradiction(error)
        if error["type"] == "missing":
            return messages.missing(self._fixed[key])
        return messages.invalid(self._labels.get(key, key), error, self._fixed[key])

    def _unknown(self, key: str) -> str:
        known = [*self._fixed, *self._leftover, *legacy.fixed_keys()]
        guess = nearest(key, known) or self._nearest_family(key)
        hint = f"did you mean {guess}?" if guess else "remove it; config.ini.sample lists every key"
        return f"{shown(key).strip(chr(39))}: there is no such key: {hint}"

    def _nearest_family(self, key: str) -> str | None:
        first, dot, rest = key.partition(".")
        near = nearest(first, [family.partition(".")[0] for family in self._families()])
        return f"{near}.{rest}" if near and dot and near != first else None

    def _chooser_of(self, key: str) -> str | None:
        if key in self._leftover:
            return self._leftover[key]
        return next((chooser for family, chooser in self._leftover_families.items() if key.startswith(family)), None)

    def _families(self) -> list[str]:
        return [family for model in self._models for family in families(model)]

    def _is_secret(self, key: str) -> bool:
        if key in self._fixed:
            return self._fixed[key].is_secret
        return key in self._leftover_secrets or key in legacy.SECRETS


def _says_what_happens_anyway(key: str, text: str) -> bool:
    """Tell whether a key without effect asks for no more than what this server does."""
    return key == "pypi.calculate_package_hashes" and text.lower() in {"", "true", "yes", "on", "1"}
