"""The parameters of a REST call: JSON, a form or the query, checked against what the call takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pypicloud_lite.catalog.model import ProjectStatus
from pypicloud_lite.downloads.thinning import KEPT_DAYS
from pypicloud_lite.kernel.errors import InvalidRequest, TooLarge
from pypicloud_lite.kernel.names import shown
from pypicloud_lite.publish.form import FormLimits, Readable, read_form
from pypicloud_lite.publish.yanking import MAX_REASON

_MAX_BYTES = 64 * 1024
_FORM_LIMITS = FormLimits(max_bytes=_MAX_BYTES, max_parts=100)


Reason = Annotated[str, Field(max_length=MAX_REASON)]


class Parameters(BaseModel):
    """What one call takes; anything else in it is refused, as it would have no effect."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ListParameters(Parameters):
    """Of the list of projects."""

    verbose: bool = False


class YankParameters(Parameters):
    """Of yanking a file or a release."""

    reason: Reason | None = None


class StatusParameters(Parameters):
    """Of giving a project its status."""

    status: ProjectStatus
    reason: Reason | None = None


class DownloadParameters(Parameters):
    """Of the counts of downloads."""

    days: int = Field(default=30, ge=1, le=KEPT_DAYS, description="how many days, today's with them")


class NoParameters(Parameters):
    """Of a call that takes none."""


P = TypeVar("P", bound=Parameters)


def read_parameters(
    model: type[P], query: Mapping[str, str], body: Readable, content_type: str, content_length: int | None
) -> P:
    """Read what was sent, the body's values before the query's; :class:`InvalidRequest` names the wrong field.

    A number or a truth value may be sent as text, as forms have nothing else; text is never taken for a list.
    """
    sent = {**query, **_body(body, content_type, content_length)}
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        # Which of several types it was tried as is pydantic's own affair.
        where, *rest = first["loc"]
        name = ".".join(str(part) for part in (where, *(one for one in rest if isinstance(one, int))))
        takes = ", ".join(model.model_fields) or "none"
        raise InvalidRequest(
            f"Parameter {shown(name)} is wrong: {first['msg']}. This call takes these parameters: {takes}"
        ) from None


def _body(body: Readable, content_type: str, content_length: int | None) -> Mapping[str, Any]:
    if content_length == 0 or (content_length is None and not content_type):
        return {}
    if content_length is not None and content_length > _MAX_BYTES:
        raise TooLarge(f"The body of this call may have at most {_MAX_BYTES} bytes")
    if content_type.partition(";")[0].strip().lower() == "application/json":
        return _json(body)
    with read_form(body, content_type, content_length, spool_factory=_no_file, limits=_FORM_LIMITS) as form:
        doubled = next((name for name, values in form.fields.items() if len(values) > 1), None)
        if doubled is not None:
            raise InvalidRequest(f"Parameter {shown(doubled)} came twice: send it once")
        return {name: values[0] for name, values in form.fields.items()}


def _json(body: Readable) -> Mapping[str, Any]:
    raw = b""
    try:
        while len(raw) <= _MAX_BYTES and (piece := body.read(_MAX_BYTES + 1 - len(raw))):
            raw += piece
    except OSError as error:
        raise InvalidRequest("The body broke off: send it again") from error
    if len(raw) > _MAX_BYTES:
        raise TooLarge(f"The body of this call may have at most {_MAX_BYTES} bytes")
    try:
        document = json.loads(raw or b"{}")
    except (ValueError, RecursionError):
        raise InvalidRequest("The body is not JSON, as its Content-Type says: correct one of them") from None
    if not isinstance(document, dict):
        raise InvalidRequest("The body is JSON but no object: send one, such as {}")
    return document


def _no_file(_size: int | None) -> NoReturn:
    raise InvalidRequest("This call takes no file: leave the field 'content' out")
