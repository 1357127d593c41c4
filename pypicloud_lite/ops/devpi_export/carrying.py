"""What people say of themselves, on its way from an export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pypicloud_lite.access.administration import Administration
from pypicloud_lite.access.profiles import Profile, read_values
from pypicloud_lite.journal.model import Author


class CarriedProfiles:
    """Keeps what nothing was said of here: what somebody has changed since stays."""

    def __init__(self, administration: Administration) -> None:
        self._administration = administration

    def keep_profile(self, username: str, more: Mapping[str, object], author: Author) -> None:
        """See :class:`~pypicloud_lite.ops.devpi_export.people.Profiles`."""
        values = read_values(more)

        def completed(before: Profile) -> Profile:
            return replace(before, **{name: value for name, value in values.items() if getattr(before, name) is None})

        self._administration.change_user(username, completed, None, author)
