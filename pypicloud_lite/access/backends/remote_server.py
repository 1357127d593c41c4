"""Questions to a server of one's own, over HTTP: the one module of this backend that knows urllib3."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

from pypicloud_lite.access.backends.remote_settings import RemoteSettings
from pypicloud_lite.access.outages import Unreachable
from pypicloud_lite.kernel.errors import AccessUnavailable, ConfigError

MAX_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer."""

_OK, _NOT_FOUND = 200, 404
_REFUSALS = frozenset({401, 403})


class NotOffered(AccessUnavailable):
    """The server has no such question (404)."""


class RemoteServer:
    """Puts questions as forms, so that no password is in an address; AccessUnavailable for all but a JSON answer.

    Thread-safe. The waits are bounded one by one, the whole by :class:`~pypicloud_lite.access.outages.Guard`.
    """

    def __init__(self, settings: RemoteSettings) -> None:
        try:
            import urllib3
        except ImportError as error:
            raise ConfigError(
                f"pypi.auth: remote needs urllib3 ({error}): pip install 'pypicloud_lite[remote]'"
            ) from None
        self._root = settings.backend_server.rstrip("/")
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        if settings.user and settings.password is not None:
            pair = f"{settings.user}:{settings.password.get_secret_value()}".encode()
            self._headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        self._pool = urllib3.PoolManager(
            maxsize=32,
            timeout=settings.timeout,
            retries=False,
            cert_reqs="CERT_REQUIRED",
            ca_certs=settings.ca_file or None,
        )

    def ask(self, path: str, **form: str) -> Any:
        """What the server answers to the form, decoded."""
        status, body = self._post(path, urlencode(form).encode())
        if status == _NOT_FOUND:
            raise NotOffered(
                f"The server of auth.backend_server has no {path}: answer there, or change its auth.uri key"
            )
        if status in _REFUSALS:
            raise AccessUnavailable(
                f"The server of auth.backend_server refuses {path} ({status}): check auth.user and auth.password"
            )
        if status != _OK:
            raise AccessUnavailable(f"The server of auth.backend_server answers {status} to {path}")
        if len(body) > MAX_ANSWER:
            raise AccessUnavailable(f"The answer of auth.backend_server to {path} is longer than {MAX_ANSWER} bytes")
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise AccessUnavailable(f"The answer of auth.backend_server to {path} is no JSON") from None

    def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        from urllib3.exceptions import HTTPError, ProtocolError

        try:
            try:
                return self._once(path, body)
            except ProtocolError:
                # Most likely a connection that the server had closed meanwhile.
                return self._once(path, body)
        except HTTPError as error:
            why = type(error).__name__
            raise Unreachable(f"The server of auth.backend_server does not answer {path}: {why}") from error

    def _once(self, path: str, body: bytes) -> tuple[int, bytes]:
        answer = self._pool.request(
            "POST",
            f"{self._root}/{path.lstrip('/')}",
            body=body,
            headers=self._headers,
            redirect=False,
            preload_content=False,
        )
        try:
            data = answer.read(MAX_ANSWER + 1, decode_content=False)
        except BaseException:
            answer.close()
            raise
        if len(data) > MAX_ANSWER:
            answer.close()
        answer.release_conn()
        return answer.status, data
