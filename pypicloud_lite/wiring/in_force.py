"""The configuration in force, under the headings of ``config.ini.sample``."""

from __future__ import annotations

from collections.abc import Sequence

from pypicloud_lite.mirror.settings import MirrorSettings
from pypicloud_lite.settings.in_force import Configuration, SettingInForce, settings_in_force, without_secrets
from pypicloud_lite.wiring import Services
from pypicloud_lite.wiring.sample import GROUPS

_HIDDEN = "***"


def mirror_rules(services: Services) -> Sequence[SettingInForce]:
    """What the mirror is told to do; it holds from the start on."""
    return list(settings_in_force(services.settings, (MirrorSettings,), {}))


def configuration(services: Services) -> Configuration:
    """What holds now: the settings of the start, and of those that are followed what the file says since.

    No I/O but a look at whether the file changed.
    """
    loaded, latest = services.settings, services.access.settings
    now = {} if latest is None else {type(latest): latest}
    known = {model for _, models in GROUPS for model in models}
    others = [model for model in loaded.settings if model not in known]
    groups = [
        (heading, list(settings_in_force(loaded, models, now)))
        for heading, models in (*GROUPS, ("Other backends", others))
    ]
    if loaded.admin is not None:
        groups.append(
            (
                "The administrator of the environment",
                [
                    SettingInForce("PPC_ADMIN_USER", loaded.admin.username, "PPC_ADMIN_USER", "Its name"),
                    SettingInForce("PPC_ADMIN_PASSWORD", _HIDDEN, "PPC_ADMIN_PASSWORD", "Its password, or a file's"),
                ],
            )
        )
    warnings = [without_secrets(line, loaded) for line in services.warnings]
    return Configuration([(heading, group) for heading, group in groups if group], warnings)
