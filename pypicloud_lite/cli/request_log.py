"""gunicorn's request log without what may be secret in a request line."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger


class RequestLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """The request line as it was sent, percent-encoded, but for its query and any ``user:password@``."""

    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> dict[str, Any]:
        """What ``access_log_format`` may name; ``r`` is the shortened line."""
        atoms: dict[str, Any] = super().atoms(resp, req, environ, request_time)
        target = str(environ.get("RAW_URI", "")).partition("?")[0]
        if "://" in target:
            target = "/" + target.partition("://")[2].partition("/")[2]
        atoms["r"] = f"{environ.get('REQUEST_METHOD')} {target} {environ.get('SERVER_PROTOCOL')}"
        return atoms
