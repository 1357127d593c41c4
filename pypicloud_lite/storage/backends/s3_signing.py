"""Download URLs that every worker signs alike."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from botocore.auth import SIGV4_TIMESTAMP, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest


class _SignedAt(S3SigV4QueryAuth):
    """SigV4 in the query string, at a given moment: botocore's own signer knows only the present."""

    def __init__(self, credentials: Any, region: str, moment: datetime, expires: int) -> None:
        super().__init__(credentials, "s3", region, expires=expires)
        self._moment = moment

    def add_auth(self, request: Any) -> None:
        request.context["timestamp"] = self._moment.strftime(SIGV4_TIMESTAMP)
        self._modify_request_before_signing(request)  # type: ignore[attr-defined]  # not in the stubs
        text = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(  # type: ignore[attr-defined]  # not in the stubs
            request, self.signature(text, request)
        )


def signed(url: str, credentials: Any, region: str, now: datetime, expires: int) -> str:
    """Sign a GET of ``url`` for ``expires`` seconds from ``now`` rounded down to half of that.

    So the string is the same for half of its life, whoever signs it, and works for at least the other half.
    """
    step = expires // 2
    moment = datetime.fromtimestamp(int(now.timestamp()) // step * step, UTC)
    request = AWSRequest(method="GET", url=url)
    _SignedAt(credentials, region, moment, expires).add_auth(request)
    return str(request.url)


def attachment(filename: str) -> str:
    """A ``Content-Disposition`` (RFC 6266) that saves under ``filename``."""
    plain = re.sub(r'[^ -~]|["\\%]', "_", filename)
    extended = "" if plain == filename else f"; filename*=UTF-8''{quote(filename, safe='')}"
    return f'attachment; filename="{plain}"{extended}'
