"""A push to another index of this server, and what the client is told of it."""

from __future__ import annotations

from pypicloud_lite.access.model import Identity
from pypicloud_lite.catalog.model import AttachmentKind
from pypicloud_lite.devpi.project_json import file_path
from pypicloud_lite.devpi.push_views import Action, Push
from pypicloud_lite.journal.model import Author
from pypicloud_lite.kernel.names import IndexName
from pypicloud_lite.publish.attachments import Attachments
from pypicloud_lite.publish.promotion import Promotion, PromotionRequest


class Promoter:
    """Promotion, for the client."""

    def __init__(self, promotion: Promotion, attachments: Attachments) -> None:
        self._promotion = promotion
        self._attachments = attachments

    def __call__(self, push: Push, target: IndexName, identity: Identity, author: Author) -> list[Action]:
        """See :class:`~pypicloud_lite.devpi.push_views.Promoting`."""
        wanted = PromotionRequest(
            push.source, target, push.project, push.version, docs=not push.no_docs, only_docs=push.only_docs
        )
        actions: list[Action] = [[200, "register", str(push.project), push.version, "->", str(target)]]
        for one in self._promotion.promote(wanted, identity, author):
            if one.record is not None:
                path = file_path(target, one.record.digests.sha256, one.filename)
                actions.append([200, "store_releasefile", path])
        if not push.no_docs and self._has_docs(push, target):
            actions.append([200, "store_doczip", str(push.project), push.version, "->", str(target)])
        return actions

    def _has_docs(self, push: Push, target: IndexName) -> bool:
        attached = self._attachments.of([target], push.project)
        return any(one.kind is AttachmentKind.DOCZIP and one.version == push.version for one in attached)
