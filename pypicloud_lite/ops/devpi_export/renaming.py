"""Names in an export, and what they become here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pypicloud_lite.access.names import is_kept, new_username
from pypicloud_lite.kernel.errors import InvalidName, InvalidRequest
from pypicloud_lite.kernel.names import IndexName, shown
from pypicloud_lite.ops.devpi_export.reading import Export


class Names:
    """``renamed`` are users and indexes (those with a ``/``) that get another name, as read by :func:`read_renames`."""

    def __init__(self, renamed: Mapping[str, str]) -> None:
        self._renamed = renamed

    def user(self, name: str) -> str:
        """The user's name here; also of one who is not in the export."""
        return self._renamed.get(name, name)

    def kept(self, name: str | None) -> str | None:
        """The name here of whoever uploaded something; None where none of that name can be kept."""
        ours = self.user(name or "")
        return ours if is_kept(ours) else None

    def index(self, name: str) -> IndexName:
        """The index's name here, below its owner's; InvalidName where there can be none."""
        if name in self._renamed:
            return IndexName.parse(self._renamed[name])
        owner, slash, index = name.partition("/")
        return IndexName.parse(f"{self.user(owner)}{slash}{index}")

    def listed(self, people: Iterable[object]) -> list[object]:
        """The items of an ACL: users, and ``:GROUP`` or what is no text as it is."""
        return [self.user(one) if isinstance(one, str) else one for one in people]


def read_renames(lines: Sequence[str], export: Export) -> Names:
    """Read ``OLD=NEW``; InvalidRequest where one of them cannot be, or two would become one."""
    renamed: dict[str, str] = {}
    known = {user.name for user in export.users} | {index.name for index in export.indexes}
    for line in lines:
        old, equals, new = line.partition("=")
        if not equals or ("/" in old) != ("/" in new):
            raise InvalidRequest(f"--rename {shown(line)}: write USER=NEWNAME or USER/INDEX=NEWUSER/NEWINDEX")
        if old not in known:
            raise InvalidRequest(f"--rename {shown(line)}: there is no {shown(old)} in the export: check the name")
        renamed[old] = str(IndexName.parse(new)) if "/" in new else new_username(new)
    names = Names(renamed)
    _require_apart(names.user(user.name) for user in export.users)
    _require_apart(name for index in export.indexes if (name := _possible(names, index.name)) is not None)
    return names


def _possible(names: Names, index: str) -> str | None:
    try:
        return str(names.index(index))
    except InvalidName:
        return None


def _require_apart(names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise InvalidRequest(f"--rename: two would become {shown(name)}: choose another name for one of them")
