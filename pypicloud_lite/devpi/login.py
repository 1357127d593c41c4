"""What a server tells the devpi client of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pypicloud_lite.access.model import Identity

FEATURES = ("push-no-docs", "push-only-docs", "push-register-project", "server-keyvalue-parsing")


def api_config(base: str, identity: Identity, more: Mapping[str, str]) -> dict[str, Any]:
    """``apiconfig``: where to log in, who the caller is, what this server understands; ``base`` as :func:`base_of`."""
    known = identity.is_authenticated
    status: list[Any] = ["ok", identity.username, sorted(identity.groups)] if known else ["noauth", "", []]
    return {"login": f"{base}/+login", "authstatus": status, "features": list(FEATURES), **more}
