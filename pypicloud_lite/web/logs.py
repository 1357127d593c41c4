"""The application's log: one line an event on standard error, with whatever looks like a secret taken out."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_HIDDEN = "***"
_SECRETS = (
    # user:password@ of any URL
    (re.compile(r"(\w+://[^\s/:@]*):[^\s/@]+@"), rf"\1:{_HIDDEN}@"),
    (re.compile(r"(?i)\b(basic|bearer)\s+[A-Za-z0-9+/=_.~-]{6,}"), rf"\1 {_HIDDEN}"),
    (re.compile(r"(?i)\b(x-amz-(?:signature|credential|security-token)=)[^&\s'\"]+"), rf"\1{_HIDDEN}"),
    (re.compile(r"(?i)(\b\w*(?:password|secret|passwd)\w*['\"]?\s*[=:]\s*)(?!\*)[^\s,;)}]+"), rf"\1{_HIDDEN}"),
    (re.compile(r"\$(?:argon2\w*|2[abxy]?|5|6|pbkdf2[\w-]*|apr1)\$[^\s'\"]+"), f"${_HIDDEN}"),
)


def redact(text: str) -> str:
    """``text`` without credentials of URLs and headers, signatures of signed URLs, passwords and their hashes."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def configure_logging() -> None:
    """Send structlog's events through Python's logging, where an INI file's ``[loggers]`` may direct them.

    Without any such configuration they go to standard error. Calling it again changes nothing.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _render,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        # structlog's own wrapper for Python's logging would hand it the exception too, unredacted
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    if not logging.getLogger().handlers:
        ours = logging.getLogger("pypicloud_lite")
        if not ours.handlers:
            handler = logging.StreamHandler(sys.stderr)
            handler.setFormatter(logging.Formatter("%(message)s"))
            ours.addHandler(handler)
            ours.setLevel(logging.INFO)
            ours.propagate = False


def _render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """``time level event key=value …``, newlines of values escaped; a traceback follows on its own lines."""
    trace = event.pop("exception", None)
    head = f"{event.pop('timestamp', '')} {event.pop('level', '')} {event.pop('event', '')}"
    facts = "".join(f" {name}={value!r}" for name, value in event.items())
    line = redact((head + facts).replace("\n", "\\n").replace("\r", "\\r"))
    return f"{line}\n{redact(str(trace))}" if trace else line
