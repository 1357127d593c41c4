"""What the calls about named indexes take and give."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from pypicloud_lite.indexes.options import Kind
from pypicloud_lite.manage.bodies import Parameters
from pypicloud_lite.manage.shapes import PackageObject, Shape, Truth, Whole, words

_Words = Annotated[tuple[str, ...], BeforeValidator(words), Field(max_length=500)]
_Text = Annotated[str, Field(max_length=10_000)]


class IndexOptions(Parameters):
    """The options of an index, each of which may be left out; null takes one away. See ``docs/indexes.rst``."""

    bases: _Words | None = None
    volatile: Truth | None = None
    acl_upload: _Words | None = None
    acl_toxresult_upload: _Words | None = None
    acl_read: _Words | None = None
    acl_force: _Words | None = None
    mirror_whitelist: _Words | None = None
    mirror_whitelist_inheritance: str | None = None
    strict: Truth | None = None
    mirror_url: _Text | None = None
    mirror_cache_expiry: Whole | None = None
    mirror_no_project_list: Truth | None = None
    mirror_use_external_urls: Truth | None = None
    mirror_provides_core_metadata: Truth | None = None
    mirror_ignore_serial_header: Truth | None = None
    mirror_web_url_fmt: _Text | None = None
    title: _Text | None = None
    description: _Text | None = None
    custom_data: Any = None

    def given(self) -> dict[str, object]:
        """Those that were sent, null too."""
        sent = {name: getattr(self, name) for name in self.model_fields_set & IndexOptions.model_fields.keys()}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in sent.items()}


class NewIndexParameters(IndexOptions):
    """A new index: its kind, and its options."""

    type: Kind = Kind.STAGE


class IndexShape(Shape):
    """An index: its options as they hold, and where its definition stands."""

    name: str
    type: Kind
    defined: str
    default: bool
    options: dict[str, Any]


class IndexFile(PackageObject):
    """A file, and the index that has it."""

    index: str


class IndexFiles(Shape):
    """Every file that an index shows of a project: its own first, of one filename one."""

    name: str
    packages: list[IndexFile]


class IndexProjects(Shape):
    """The projects that an index itself has."""

    packages: list[str]
