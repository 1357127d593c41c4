"""Promotion in the REST API."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from pypicloud_lite.kernel.errors import InvalidName, InvalidRequest
from pypicloud_lite.kernel.names import IndexName, ProjectName
from pypicloud_lite.kernel.versions import normalised_version
from pypicloud_lite.manage.bodies import Parameters
from pypicloud_lite.manage.shapes import Shape, Truth, words
from pypicloud_lite.publish.promotion import Promoted, PromotionRequest

_Filenames = Annotated[tuple[str, ...], BeforeValidator(words), Field(max_length=1000)]


class PromotionParameters(Parameters):
    """A release from one index to another: without a version every one, with filenames those of its files alone."""

    source: str
    target: str
    project: str
    version: str | None = None
    filenames: _Filenames = ()
    move: Truth = False
    dry_run: Truth = False
    docs: Truth = True

    def request(self) -> PromotionRequest:
        """As the service takes it; InvalidRequest names what is no name."""
        try:
            return PromotionRequest(
                IndexName.parse(self.source),
                IndexName.parse(self.target),
                ProjectName.parse(self.project),
                None if self.version is None else normalised_version(self.version),
                self.filenames,
                self.move,
                self.docs,
            )
        except InvalidName as error:
            raise InvalidRequest(error.message) from None


class PromotedShape(Shape):
    """What became of one file, or with ``dry_run`` would: copied, replaced, already there."""

    filename: str
    outcome: str
    index: str


def shown(promoted: list[Promoted], target: str) -> list[dict[str, Any]]:
    """As the answer has it."""
    return [{"filename": one.filename, "outcome": one.how.value, "index": target} for one in promoted]
