"""The INI file: a PasteDeploy file, read without loading the application or anything else that it names.

Commands and ``ppc-serve`` read the file here, so a fault in it is one clear message; ``gunicorn --paste`` and
``pserve`` read it with PasteDeploy and call the factory, which hands over what it was given.
"""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from packaging.utils import canonicalize_name

from pypicloud_lite.kernel.errors import ConfigError
from pypicloud_lite.kernel.names import shown

RawSettings = Mapping[str, str]
"""Full key to text, with ``%(…)s`` replaced."""

OUR_SECTIONS = frozenset({"auth", "db", "group", "package", "pypi", "storage", "upload", "user"})
"""The first words of this application's keys."""

_APPLICATION = "pypicloud_lite"
_PREDECESSOR = "pypicloud"
_KINDS = ("app", "application", "composite", "composit", "pipeline", "filter-app")
# What PasteDeploy itself reads in an application's section, or adds to it.
_PASTE_WORDS = frozenset({"use", "filter-with", "require", "paste.app_factory", "here", "__file__"})


def read_ini(path: Path | str, section: str = "main") -> RawSettings:
    """Read what the factory of application ``section`` of a PasteDeploy file would be given.

    Follows ``use``, pipelines, filters and composites to the section that uses this application.
    """
    return _IniFile(Path(path)).application(section, ())


def from_factory(global_config: Mapping[str, str], settings: Mapping[str, str]) -> RawSettings:
    """Take what PasteDeploy handed to the WSGI factory: ``main(global_config, **settings)``."""
    problems = _misplaced(global_config)
    if problems:
        raise ConfigError(*problems)
    return {key: text for key, text in settings.items() if key not in _PASTE_WORDS}


def _misplaced(defaults: Mapping[str, str]) -> list[str]:
    return [
        f"{key}: it stands in [DEFAULT], from which no key reaches the application: move it to the "
        "application's own section, [app:main]"
        for key in sorted(defaults)
        if "." in key and key.partition(".")[0] in OUR_SECTIONS
    ]


class _OtherApplicationError(ConfigError):
    """A section that leads to another application."""


class _IniFile:
    def __init__(self, path: Path) -> None:
        self._path = path
        # As PasteDeploy does, but a directory with a % in its name works.
        absolute = path.absolute()
        self._parser = configparser.ConfigParser(
            defaults={
                "here": str(absolute.parent).replace("%", "%%"),
                "__file__": str(absolute).replace("%", "%%"),
            }
        )
        self._parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case
        self._read()
        problems = _misplaced(self._parser.defaults())
        if problems:
            raise ConfigError(*problems)

    def application(self, name: str, trail: tuple[str, ...]) -> dict[str, str]:
        """Read the settings of what ``use = name`` would name in this file."""
        scheme, colon, rest = name.partition(":")
        if colon and scheme in {"egg", "call"}:
            self._require_ours(name, trail[-1] if trail else name)
            return {}
        if colon and scheme == "config":
            other, _, inner = rest.partition("#")
            return _IniFile(self._path.parent / other).application(inner or "main", trail)
        section = self._find(name)
        visited = f"{self._path}[{section}]"
        if visited in trail:
            raise ConfigError(f"{self._path}: [{section}] uses itself: point its 'use' at egg:{_APPLICATION}")
        return self._follow(section, (*trail, visited))

    def _follow(self, section: str, trail: tuple[str, ...]) -> dict[str, str]:
        kind = section.partition(":")[0]
        if kind == "pipeline":
            names = self._required(section, "pipeline").split()
            if not names:
                raise ConfigError(f"{self._path}: [{section}] has an empty pipeline: end it with the application")
            return self.application(names[-1], trail)
        if kind == "filter-app":
            return self.application(self._required(section, "next"), trail)
        if kind in {"composite", "composit"}:
            return self._mounted(section, trail)
        factory = self._parser.get(section, "paste.app_factory", raw=True, fallback=None)
        used = f"call:{factory}" if factory is not None else self._required(section, "use")
        inherited = self.application(used, trail)
        return {**inherited, **self._local(section)}

    def _mounted(self, section: str, trail: tuple[str, ...]) -> dict[str, str]:
        """Find the one application of ours among those that a composite mounts."""
        found: dict[str, dict[str, str]] = {}
        for option in self._parser.options(section):
            name = self._parser.get(section, option, raw=True)
            if option in self._parser.defaults() or option == "use" or not self._exists(name):
                continue
            try:
                found[name] = self.application(name, trail)
            except _OtherApplicationError:
                continue
        if len(found) != 1:
            raise _OtherApplicationError(
                f"{self._path}: [{section}] mounts {len(found)} applications with use = egg:{_APPLICATION}; "
                "it must be one: name the section of the wanted application"
            )
        return next(iter(found.values()))

    def _exists(self, name: str) -> bool:
        return ":" in name or any(f"{kind}:{name}" in self._parser for kind in _KINDS)

    def _require_ours(self, used: str, place: str) -> None:
        scheme, _, rest = used.partition(":")
        target = rest.partition("#")[0]
        if scheme == "egg":
            ours = canonicalize_name(target) == canonicalize_name(_APPLICATION)
        else:
            ours = target.partition(":")[0].partition(".")[0] == _APPLICATION
        if ours:
            return
        if target == _PREDECESSOR:
            raise _OtherApplicationError(
                f"{place} has use = egg:{_PREDECESSOR}: change that line to use = egg:{_APPLICATION}"
            )
        raise _OtherApplicationError(
            f"{place} is another application ({shown(used)}): it needs use = egg:{_APPLICATION}"
        )

    def _find(self, name: str) -> str:
        sections = [f"{kind}:{name}" for kind in _KINDS]
        if name == "main":
            sections.extend(kind for kind in _KINDS)
        found = [section for section in sections if section in self._parser]
        if len(found) == 1:
            return found[0]
        if found:
            choices = " and ".join(f"[{section}]" for section in found)
            raise ConfigError(f"{self._path}: {choices} have the same name: rename one of them")
        there = ", ".join(f"[{section}]" for section in self._parser.sections()) or "no section at all"
        raise ConfigError(
            f"{self._path}: there is no section [app:{name}]: add it, with use = egg:{_APPLICATION} (there is {there})"
        )

    def _required(self, section: str, option: str) -> str:
        if option not in self._parser[section]:
            example = f": add use = egg:{_APPLICATION}" if option == "use" else ""
            raise ConfigError(f"{self._path}: [{section}] has no '{option}'{example}")
        values, problems = self._values(section, (option,))
        if problems:
            raise ConfigError(*problems)
        return values[option].strip()

    def _local(self, section: str) -> dict[str, str]:
        """Read a section's own keys: of [DEFAULT] only what ``get key = name`` asks for, like PasteDeploy."""
        defaults = self._parser.defaults()
        own = [key for key in self._parser.options(section) if key not in defaults]
        shared, problems = self._values(configparser.DEFAULTSECT, tuple(defaults))
        values, more = self._values(section, own)
        problems += more
        local: dict[str, str] = {}
        fetched: list[tuple[str, str]] = []
        for key, text in values.items():
            if key.startswith("set "):
                shared[key.removeprefix("set ").strip()] = text
            elif key.startswith("get "):
                fetched.append((key.removeprefix("get ").strip(), text))
            elif key not in _PASTE_WORDS:
                local[key] = text
        for key, source in fetched:
            if source in shared:
                local[key] = shared[source]
            else:
                problems.append(f"{key}: [{section}] gets it from a key that is not in [DEFAULT]: add it there")
        if problems:
            raise ConfigError(*problems)
        return local

    def _values(self, section: str, keys: tuple[str, ...] | list[str]) -> tuple[dict[str, str], list[str]]:
        values: dict[str, str] = {}
        problems: list[str] = []
        for key in keys:
            try:
                values[key] = self._parser.get(section, key)
            except configparser.InterpolationMissingOptionError:
                problems.append(
                    f"{key}: it refers by %(…)s to a name that [{section}] and [DEFAULT] do not have: define "
                    "the name, or write % as %% where a percent sign is meant"
                )
            except configparser.InterpolationDepthError:
                problems.append(f"{key}: its %(…)s refer to each other in a circle: write the value out")
            except configparser.InterpolationError:
                problems.append(f"{key}: a single % in [{section}]: write % as %%")
        return values, problems

    def _read(self) -> None:
        # The errors' own texts quote lines of the file, which may hold secrets.
        try:
            with self._path.open(encoding="utf-8") as lines:
                self._parser.read_file(lines)
        except FileNotFoundError:
            self._fail("there is no such file: check the path, or copy config.ini.sample there")
        except OSError as error:
            self._fail(f"it cannot be read ({error.strerror}): make it readable for this user")
        except UnicodeDecodeError as error:
            self._fail(f"byte {error.start} is not UTF-8: save the file as UTF-8")
        except configparser.DuplicateOptionError as error:
            self._fail(f"{error.option} is given twice in [{error.section}]: keep one of them", error.lineno)
        except configparser.DuplicateSectionError as error:
            self._fail(f"there are two sections [{error.section}]: make them one", error.lineno)
        except configparser.MissingSectionHeaderError as error:
            self._fail("a section such as [app:main] must come first", error.lineno)
        except configparser.ParsingError as error:
            raise ConfigError(
                *(
                    f"{self._path}, line {line}: it is neither 'key = value' nor a [section] nor a # "
                    "comment; indent the continuation of a value"
                    for line, _ in error.errors
                )
            ) from None

    def _fail(self, problem: str, line: int | None = None) -> NoReturn:
        place = f"{self._path}, line {line}" if line else f"{self._path}"
        raise ConfigError(f"{place}: {problem}") from None
