"""What the devpi client sends to an index: options as JSON, as a list of changes, or what it was told itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pypicloud_lite.devpi.bodies import parsed
from pypicloud_lite.indexes.administration import edited
from pypicloud_lite.indexes.model import IndexDefinition
from pypicloud_lite.indexes.options import Kind, read_kind
from pypicloud_lite.kernel.errors import InvalidRequest
from pypicloud_lite.kernel.names import shown

MOST_BYTES = 1024 * 1024
"""Of options, with the projects that a client was told and sends back."""
_TOLD = frozenset({"projects", "created", "modified"})
"""Keys of our own answers that are no options."""


def new_index(body: bytes) -> tuple[Kind, Mapping[str, object]]:
    """Of a PUT, which may be empty: the kind of the index, and its options."""
    document = parsed(body) if body.strip() else {}
    if not isinstance(document, dict):
        raise InvalidRequest("The body is not a JSON object: send options with their values")
    given = dict(document)
    kind = read_kind(given.pop("type", Kind.STAGE.value))
    return kind, given


def changes_of(document: object, index: IndexDefinition) -> Mapping[str, object]:
    """Of a PATCH: the options that are to be set of the index as it is; None takes one away."""
    if isinstance(document, list):
        return edited(index, _lines(document))
    if not isinstance(document, dict):
        raise InvalidRequest("The body is neither a JSON object nor a list of key=value: send one of them")
    given: Mapping[str, object] = document
    if document.get("type") == "indexconfig" and isinstance(document.get("result"), dict):
        given = document["result"]
    kind = given.get("type", index.kind.value)
    if read_kind(kind) is not index.kind:
        raise InvalidRequest(f"The type of {index.name} is {index.kind} and cannot change: make another index")
    told = index.shown()
    return {
        key: value
        for key, value in given.items()
        if key != "type" and key not in _TOLD and not (key in told and told[key] == value)
    }


def _lines(document: Sequence[object]) -> list[str]:
    for line in document:
        if not isinstance(line, str):
            raise InvalidRequest(f"{shown(repr(line))} is no change: send texts such as key=value")
        if line.partition("=")[0].strip() == "type":
            raise InvalidRequest("The type of an index cannot change: make another index")
    return [line for line in document if isinstance(line, str)]
