"""The HTTP skin of named indexes: their list, one of them, and what is made and changed there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from pyramid.request import Request

from pypicloud_lite.access.model import Identity
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.browse.indexes.options_form import changes, fields
from pypicloud_lite.browse.indexes.overview import IndexPages, IndexView
from pypicloud_lite.browse.indexes.words import shown_address
from pypicloud_lite.browse.manage.views import see_other
from pypicloud_lite.browse.views import or_login
from pypicloud_lite.indexes.administration import Indexes
from pypicloud_lite.indexes.model import IndexDefinition
from pypicloud_lite.indexes.options import read_kind
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.errors import InvalidName, InvalidRequest, NotFound, PpcError
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.web.errors import status_of
from pypicloud_lite.web.forms import Form, read_form
from pypicloud_lite.web.pages import page
from pypicloud_lite.web.responses import PlainResponse, redirect

_TEMPLATES = "pypicloud_lite.browse:templates/indexes/"
_QUERY = 128
_NEW = ("owner", "name", "type", "bases", "mirror_url", "title")


class IndexPageViews:
    """The list, one index, its options, its removal."""

    def __init__(self, pages: IndexPages, indexes: Indexes, identity: RequestIdentity, base_url: str | None) -> None:
        self._pages = pages
        self._indexes = indexes
        self._identity = identity
        self._base_url = base_url

    def indexes(self, request: Request) -> PlainResponse:
        """Those that the caller may know of, and the form that makes one."""
        return self._list(request, self._identity(request))

    def create(self, request: Request) -> PlainResponse:
        """Make an index, and go there."""
        form, identity, author = sent(request, self._identity)
        try:
            name = _new_name(form)
            kind = read_kind(form.text("type"))
            wanted = ("bases", "title") if kind.value == "stage" else ("mirror_url", "title")
            given = {key: form.text(key).strip() for key in wanted}
            made = self._indexes.create(name, kind, given, identity, author)
        except PpcError as error:
            return self._list(request, identity, refused=error, form=form)
        return see_other(request, f"/{made.name}/")

    def index(self, request: Request) -> PlainResponse:
        """One of them, for a browser at ``/OWNER/INDEX/``."""
        match = request.matchdict
        name = read_index(f"{match['owner']}/{match['index']}")
        if not request.path_info.endswith("/"):
            query = f"?{request.query_string}" if request.query_string else ""
            return redirect(f"{request.script_name}/{name}/{query}", permanent=True)
        return self._asked(request, lambda identity: self._index(request, identity, name))

    def change(self, request: Request) -> PlainResponse:
        """Set the options that somebody changed; a refusal is shown above the form, which keeps what was typed."""
        form, identity, author = sent(request, self._identity)
        name = read_index(form.text("index"))

        def typed(field: str) -> str | None:
            return form.text(field) if form.every(field) else None

        try:
            self._indexes.modify(name, lambda index: changes(index, typed), identity, author)
        except PpcError as error:
            if isinstance(error, NotFound):
                raise
            return self._index(request, identity, name, refused=error, form=form)
        return see_other(request, f"/{name}/")

    def confirm(self, request: Request) -> PlainResponse:
        """What follows when an index is removed, before it is."""
        name = read_index(request.GET.get("index", ""))
        return self._asked(request, lambda identity: self._confirm(request, identity, name))

    def remove(self, request: Request) -> PlainResponse:
        """Remove an index, whose name was typed."""
        form, identity, author = sent(request, self._identity)
        name = read_index(form.text("index"))
        try:
            if form.text("name").strip() != str(name):
                raise InvalidRequest(
                    f"Nothing was changed: type the name of the index, {name}, to say that you mean it"
                )
            self._indexes.remove(name, identity, author)
        except NotFound:
            raise
        except PpcError as error:
            return self._confirm(request, identity, name, refused=error)
        return see_other(request, "/indexes")

    def _list(
        self, request: Request, identity: Identity, refused: PpcError | None = None, form: Form | None = None
    ) -> PlainResponse:
        typed = {key: "" if form is None else form.text(key) for key in _NEW}
        seen = self._pages.listed(identity)
        told = {one.index.name for one in seen.indexes}
        return answer(request, "list", refused, seen=seen, told=told, typed=typed)

    def _index(
        self,
        request: Request,
        identity: Identity,
        name: IndexName,
        refused: PpcError | None = None,
        form: Form | None = None,
    ) -> PlainResponse:
        part, after = (request.GET.get(key, "").strip()[:_QUERY] for key in ("q", "after"))
        seen = self._pages.index(identity, name, part, after)
        more = None
        if seen.more_after is not None:
            more = urlencode({key: text for key, text in (("q", part), ("after", str(seen.more_after))) if text})
        values = {
            "seen": seen,
            "base": base_of(request, self._base_url),
            "upstream": _upstream(seen.index),
            "part": part,
            "after": after,
            "more": more,
            "elsewhere": _elsewhere(seen, part),
            "fields": fields(seen.index, None if form is None else form.text) if seen.may_change else (),
        }
        return answer(request, "index", refused, **values)

    def _confirm(
        self, request: Request, identity: Identity, name: IndexName, refused: PpcError | None = None
    ) -> PlainResponse:
        seen = self._pages.index(identity, name)
        if not seen.may_remove and refused is None:
            raise NotFound(f"There is nothing to remove at index {name} for you")
        return answer(request, "remove", refused, seen=seen)

    def _asked(self, request: Request, show: Callable[[Identity], PlainResponse]) -> PlainResponse:
        return or_login(request, self._identity, show)


def answer(request: Request, name: str, refused: PpcError | None = None, **values: Any) -> PlainResponse:
    """One of the pages; with the error with which the visitor's form was ``refused``."""
    status = "200 OK" if refused is None else f"{status_of(refused)} Refused"
    headers = [] if refused is None else [("Cache-Control", "no-store")]
    return page(request, f"{_TEMPLATES}{name}.jinja2", status, headers, refused=refused, **values)


def sent(request: Request, identity: RequestIdentity) -> tuple[Form, Identity, Author]:
    """A form and who sent it."""
    form = read_form(request)
    caller = identity.by_form(request, form.text("csrf_token"))
    return form, caller, Author(caller.username, request.remote_addr, caller.credential)


def read_index(text: str) -> IndexName:
    """The index that an address or a form names; NotFound where none could have that name."""
    try:
        return IndexName.parse(text.strip())
    except InvalidName:
        raise NotFound(f"There is no index {shown(text)} here") from None


def base_of(request: Request, base_url: str | None) -> str:
    """This server's address without a slash at its end."""
    return (base_url or str(request.application_url)).rstrip("/")


def project_path(name: ProjectName, index: IndexName, version: str = "") -> str:
    """The page of a project as an index shows it."""
    rest = f"{quote(version, safe='')}/" if version else ""
    return f"/project/{name}/{rest}?{urlencode({'index': str(index)}, safe='/')}"


def _new_name(form: Form) -> IndexName:
    try:
        return IndexName(form.text("owner").strip(), form.text("name").strip())
    except InvalidName as error:
        raise InvalidRequest(error.message) from None


def _upstream(index: IndexDefinition) -> str | None:
    address = index.options.get("mirror_url")
    return shown_address(address) if isinstance(address, str) else None


def _elsewhere(seen: IndexView, part: str) -> str | None:
    """Where to look for a name in the mirrors of an index, which list theirs on no page."""
    if not seen.chain.mirrors or not part:
        return None
    try:
        name = ProjectName.parse(part)
    except InvalidName:
        return None
    return None if any(one.name == name for one in seen.projects) else project_path(name, seen.index.name)
