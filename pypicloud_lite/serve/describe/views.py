"""The HTTP skin of the JSON API, the feeds, the statistics and XML-RPC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyramid.request import Request

from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.kernel.errors import InvalidName, InvalidRequest, NotFound, PpcError
from pypicloud_lite.kernel.names import RESERVED_WORDS, IndexName, ProjectName, shown
from pypicloud_lite.serve.cache import Page
from pypicloud_lite.serve.describe import xmlrpc
from pypicloud_lite.serve.describe.descriptions import Descriptions
from pypicloud_lite.serve.describe.project_documents import Elsewhere, ProjectDocuments, Wish
from pypicloud_lite.serve.describe.search import Query, hit
from pypicloud_lite.serve.sending import send_page
from pypicloud_lite.upstream.hops import came_by
from pypicloud_lite.web.body import RequestBody
from pypicloud_lite.web.errors import answers_json
from pypicloud_lite.web.responses import TYPE_JSON, PlainResponse, redirect, respond

_XML = "text/xml; charset=utf-8"
_MAX_ACCEPT = 1024


class DescriptionViews:
    """Documents to read."""

    def __init__(
        self,
        descriptions: Descriptions,
        documents: ProjectDocuments,
        identity: RequestIdentity,
        index: IndexName,
        base_url: str | None,
    ) -> None:
        self._descriptions = descriptions
        self._documents = documents
        self._identity = identity
        self._index = index
        self._base_url = base_url

    def project_json(self, request: Request) -> PlainResponse:
        """A project; as below, any spelling of it is answered without a redirect."""
        return self._document(request, None)

    def release_json(self, request: Request) -> PlainResponse:
        """One release."""
        return self._document(request, request.matchdict["version"])

    def _document(self, request: Request, spelling: str | None) -> PlainResponse:
        answers_json(request)
        caller, author = self._identity.author(request)
        wish = Wish(_project(request), spelling, self._base(request))
        with came_by(request.environ.get("HTTP_VIA")):
            found = self._documents.find(caller, wish, author)
        if isinstance(found, Elsewhere):
            return redirect(found.url, permanent=False)
        return self._send(request, found, TYPE_JSON, more=[("X-PyPI-Last-Serial", str(found.serial))])

    def root_project_json(self, request: Request) -> PlainResponse:
        """The same at the root, where reserved words win over project names."""
        answers_json(request)
        if request.matchdict["project"].lower() in RESERVED_WORDS:
            raise NotFound("There is nothing at this address: check its spelling")
        return self.project_json(request)

    def releases(self, request: Request) -> PlainResponse:
        """The feed of one project."""
        name = _project(request)
        page = self._descriptions.releases(self._identity(request), self._index, name, self._base(request))
        return self._send(request, page, _XML)

    def updates(self, request: Request) -> PlainResponse:
        """The feed of new releases."""
        page = self._descriptions.updates(self._identity(request), self._index, self._base(request))
        return self._send(request, page, _XML)

    def newcomers(self, request: Request) -> PlainResponse:
        """The feed of new projects."""
        page = self._descriptions.newcomers(self._identity(request), self._index, self._base(request))
        return self._send(request, page, _XML)

    def statistics(self, request: Request) -> PlainResponse:
        """Sizes, as JSON or as a page."""
        if not request.path_info.endswith("/"):
            return redirect("stats/", permanent=True)
        as_json = _prefers_json(request)
        page = self._descriptions.statistics(self._identity(request), self._index, as_json=as_json)
        kind = TYPE_JSON if as_json else "text/html; charset=utf-8"
        return self._send(request, page, kind, vary="Accept, Accept-Encoding, Authorization, Cookie")

    def _send(self, request: Request, page: Page, content_type: str, **more: Any) -> PlainResponse:
        private = self._identity(request).is_authenticated
        return send_page(request.environ, page, content_type, private=private, **more)

    def _base(self, request: Request) -> str:
        base: str = self._base_url or request.application_url
        return base.rstrip("/")


class XmlRpcView:
    """Calls of XML-RPC: ``search``, and clean faults for everything else.

    Also what is malformed gets a fault and HTTP 200, as XML-RPC wants it; 401, 403 and 503 stay HTTP's.
    """

    def __init__(self, descriptions: Descriptions, identity: RequestIdentity, index: IndexName) -> None:
        self._descriptions = descriptions
        self._identity = identity
        self._index = index

    def call(self, request: Request) -> PlainResponse:
        """One call, whatever its ``Content-Type``."""
        body = RequestBody(request.environ)
        try:
            answer = self._answer(request, body)
        except PpcError:
            # Whoever is still sending reads no answer.
            body.drain()
            raise
        body.release()
        return respond("200 OK", [("Content-Type", _XML)], answer)

    def unless_form(self, form: Callable[[Request], Any]) -> Callable[[Request], Any]:
        """A view for an address that also takes forms: calls are known by their ``Content-Type``."""

        def dispatch(request: Request) -> Any:
            kind = request.environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
            return self.call(request) if kind in {"text/xml", "application/xml"} else form(request)

        return dispatch

    def _answer(self, request: Request, body: RequestBody) -> bytes:
        identity = self._identity(request)
        try:
            call = xmlrpc.decode_call(_read(body))
            if call.method != "search":
                raise xmlrpc.not_offered(call.method)
            query = Query.parse(call.parameters)
        except xmlrpc.Refused as refused:
            return xmlrpc.encode_fault(refused.code, refused.message)
        found = self._descriptions.search(identity, self._index, query)
        return xmlrpc.encode_result([hit(release) for release in found])


def _read(body: RequestBody) -> bytes:
    """The whole body, which is short; what is too long is read to its end and forgotten."""
    data = b""
    try:
        while len(data) <= xmlrpc.MAX_CALL and (piece := body.read(xmlrpc.MAX_CALL + 1 - len(data))):
            data += piece
    except OSError:
        raise InvalidRequest("The body of this request is malformed or broke off: send it again") from None
    if len(data) > xmlrpc.MAX_CALL:
        body.drain()
        raise xmlrpc.Refused(xmlrpc.INVALID_CALL, f"This call is longer than {xmlrpc.MAX_CALL} bytes: ask for less")
    return data


def _project(request: Request) -> ProjectName:
    spelling = request.matchdict["project"]
    try:
        return ProjectName.parse(spelling)
    except InvalidName:
        raise NotFound(f"There is no project {shown(spelling)} here") from None


def _prefers_json(request: Request) -> bool:
    """JSON for a program that asks for it; a page for people, and for whoever asks for nothing."""
    accept = request.environ.get("HTTP_ACCEPT", "")
    if TYPE_JSON not in accept or len(accept) > _MAX_ACCEPT:
        return False
    offers = request.accept.acceptable_offers(["text/html", TYPE_JSON])
    return bool(offers) and offers[0][0] == TYPE_JSON
