"""What an index allows, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from pypicloud_lite.access.policy import ANY_USER, ANYBODY
from pypicloud_lite.indexes.model import IndexDefinition

_BY_SERVER = "whoever the rules of this server let, project by project"


def people(who: Iterable[str]) -> str:
    """A list of users and groups as people read it: the widest of it alone, where that holds the others."""
    listed = list(who)
    if ANYBODY in listed:
        return "everybody"
    if ANY_USER in listed:
        return "everybody who has logged in"
    words = [f"group {one[1:]}" if one.startswith(":") else one for one in listed]
    return ", ".join(words) or "nobody"


def rights(index: IndexDefinition) -> Sequence[tuple[str, str]]:
    """What may be done in an index, and by whom."""
    if index.is_default:
        return [("Everything", "as the rules of this server say: it is the default index")]
    read, upload = index.get("acl_read"), list(index.get("acl_upload")) if not index.is_mirror else []
    owner = index.name.owner
    may_read = f"{owner}, and {_BY_SERVER}" if read is None else people(_each(owner, *read, *upload))
    if index.is_mirror:
        return [("Read", may_read), ("Upload", "nobody: it shows what an upstream has")]
    said = [("Read", may_read), ("Upload", people(upload))]
    if index.volatile:
        said += [("Replace files", people(upload)), ("Delete and yank", people(_each(owner, *upload)))]
    else:
        said.append(("Replace and delete", "nobody: the index is not volatile"))
        said.append(("Delete by force", people(index.options.get("acl_force", ())) + ", and administrators"))
        said.append(("Yank", people(_each(owner, *upload))))
    said.append(("Add test results", people(index.get("acl_toxresult_upload"))))
    said.append(("Change the index", f"{owner}, and administrators"))
    return said


def _each(*names: str) -> list[str]:
    return list(dict.fromkeys(names))


def shown_address(address: str) -> str:
    """An upstream's address without what it holds of a password."""
    parts = urlsplit(address.strip())
    if "@" not in parts.netloc:
        return address
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
