"""What a call of the REST API is: its address, what it takes and gives, and who may make it.

Routes, checks of who calls, and the OpenAPI document all come from one table of these (``app.py`` mounts it), so a call
that is not described does not exist, and one that says nothing of who may make it cannot be written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pypicloud_lite.manage.bodies import NoParameters, Parameters


class Needs(Enum):
    """Who may make a call."""

    ANYONE = "anyone"
    ANY_LOGIN = "a logged-in user"
    LOGIN = "a logged-in user; a token only with the scope admin"
    ADMIN = "an administrator; a token only with the scope admin"
    PROJECT = "whoever has the right on the project"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address. ``path`` may be several patterns, the first of which is documented.

    ``doing`` ends the sentence "only administrators may …" where ``needs`` says so. ``gives`` is the shape of what
    comes back: None for an empty body, ``bytes`` for a file.
    """

    name: str
    method: str
    path: str | Sequence[str]
    needs: Needs
    view: Callable[[Any], Any] = field(repr=False)
    doing: str
    takes: type[Parameters] = NoParameters
    gives: Any = None
    status: int = 200
    sends_file: bool = False
    gives_type: str = "application/json"

    @property
    def patterns(self) -> tuple[str, ...]:
        """Every pattern of it."""
        return (self.path,) if isinstance(self.path, str) else tuple(self.path)
