"""The HTTP skin of uploads."""

from __future__ import annotations

from pyramid.request import Request

from pypicloud_lite.access.gate import Gate
from pypicloud_lite.access.model import Identity
from pypicloud_lite.access.security import RequestIdentity
from pypicloud_lite.kernel.errors import InvalidRequest, PpcError, TooLarge
from pypicloud_lite.kernel.names import IndexName, ProjectName, shown
from pypicloud_lite.publish.attachments import Attachments
from pypicloud_lite.publish.form import FormLimits, UploadForm, read_form
from pypicloud_lite.publish.package_object import package_object
from pypicloud_lite.publish.upload import Expected, Uploads
from pypicloud_lite.storage.port import Spool, Storage
from pypicloud_lite.web.body import RequestBody
from pypicloud_lite.web.responses import PlainResponse, respond, respond_json

_NO_EFFECT = frozenset({"submit", "submit_pkg_info", "verify", "register"})


class UploadViews:
    """``POST`` of the legacy form; at every address with and without slash, as a redirected POST loses its body."""

    def __init__(
        self,
        uploads: Uploads,
        storage: Storage,
        gate: Gate,
        identity: RequestIdentity,
        index: IndexName,
        attachments: Attachments,
        max_bytes: int,
        base_url: str | None,
    ) -> None:
        self._uploads = uploads
        self._storage = storage
        self._gate = gate
        self._identity = identity
        self._index = index
        self._attachments = attachments
        self._max_bytes = max_bytes
        self._limits = FormLimits(max_bytes=max_bytes)
        self._base_url = base_url

    def upload(self, request: Request) -> PlainResponse:
        """One file in, or an old action that has no effect any more."""
        body = RequestBody(request.environ)
        try:
            answer = self._read(request, body)
        except PpcError:
            # Whoever is still sending reads no answer.
            body.drain()
            raise
        body.release()
        return answer

    def _read(self, request: Request, body: RequestBody) -> PlainResponse:
        environ = request.environ
        identity = self._identity(request)
        index = self._of(request, identity)
        length = request.content_length
        if length is not None and length > self._max_bytes:
            raise TooLarge(
                f"File too large: {length} bytes were announced and the limit is {self._max_bytes} "
                "(pypi.max_upload_size)"
            )

        def spool(expected_size: int | None) -> Spool:
            self._gate.require_write_somewhere(identity, index)
            return self._storage.spool(expected_size)

        content_type = environ.get("CONTENT_TYPE", "")
        if content_type.partition(";")[0].strip().lower() in {"text/xml", "application/xml"}:
            raise InvalidRequest("XML-RPC is not spoken here: call /pypi or /RPC2")
        with read_form(body, content_type, length, spool_factory=spool, limits=self._limits) as form:
            return self._act(request, form, index)

    def _act(self, request: Request, form: UploadForm, index: IndexName) -> PlainResponse:
        action = form.one(":action") or request.GET.get(":action") or "file_upload"
        if action in _NO_EFFECT:
            text = b"OK: nothing needs to be registered here, upload the files\n"
            return respond("200 OK", [("Content-Type", "text/plain; charset=utf-8")], text)
        if action == "doc_upload":
            return self._documentation(request, form, index)
        if action != "file_upload":
            raise InvalidRequest(f":action {shown(action)} is unknown: send file_upload")
        identity, author = self._identity.author(request)
        stored = self._uploads.upload(form, index, identity, author, _expected(request))
        return respond_json("200 OK", package_object(stored.record, self._base_url or request.application_url))

    def _of(self, request: Request, identity: Identity) -> IndexName:
        """The index that the address names, else the default one; NotFound where there is no such index."""
        match = request.matchdict or {}
        if "owner" not in match:
            return self._index
        return self._uploads.require_stage(match["owner"], match["index"], identity)

    def _documentation(self, request: Request, form: UploadForm, index: IndexName) -> PlainResponse:
        """The documentation of a release, or of the newest one, as a ZIP file."""
        identity, author = self._identity.author(request)
        name = form.one("name")
        if form.content is None or name is None:
            raise InvalidRequest(
                "Documentation is sent as a ZIP file, in a file part named 'content', with the project's name as 'name'"
            )
        project, version = ProjectName.parse(name), form.one("version")
        self._attachments.add_docs(index, project, version, form.content, identity, author, display_name=name)
        return respond("200 OK", [("Content-Type", "text/plain; charset=utf-8")], b"")


def _expected(request: Request) -> Expected | None:
    """What pypicloud's address of an upload says beside the form: ``/api/package/PROJECT/FILENAME``."""
    match = request.matchdict
    return Expected(match["project"], match["filename"]) if match and "filename" in match else None
