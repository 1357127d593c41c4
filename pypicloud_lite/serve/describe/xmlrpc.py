"""XML-RPC as text: a call out of bytes that nobody trusts, and an answer or a fault back into bytes.

Fault codes are those of the XML-RPC servers' common list, and the public PyPI's own for what it has given up.
"""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from defusedxml.common import DefusedXmlException
from defusedxml.xmlrpc import DefusedExpatParser

from pypicloud_lite.kernel.names import shown
from pypicloud_lite.serve.describe.xml_text import xml_text

MAX_CALL = 64 * 1024
"""The longest call, in bytes; pip's have a few hundred."""

NOT_WELL_FORMED = -32700
INVALID_CALL = -32600
UNKNOWN_METHOD = -32601
INVALID_PARAMETERS = -32602
NOT_OFFERED = -32500

_INSTEAD = {
    "/rss/updates.xml": ("changelog", "changelog_last_serial", "changelog_since_serial", "updated_releases"),
    "/simple/": ("list_packages", "list_packages_with_serial", "top_packages", "changed_packages", "browse"),
    "/pypi/NAME/json": (
        *("package_releases", "package_data", "package_urls", "package_roles", "user_packages"),
        *("release_data", "release_urls", "release_downloads"),
    ),
}


class Refused(Exception):
    """A call that gets a fault."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Call:
    """A method's name and its parameters, of any type that XML-RPC has."""

    method: str
    parameters: Sequence[Any]


def decode_call(body: bytes) -> Call:
    """Read a call; :class:`Refused` for anything else. No document type, no entities, nothing from elsewhere."""
    target = xmlrpc.client.Unmarshaller()
    parser = DefusedExpatParser(target, forbid_dtd=True)
    try:
        parser.feed(body)
        parser.close()
        parameters = target.close()
        method = target.getmethodname()
    except DefusedXmlException:
        raise Refused(NOT_WELL_FORMED, "A document type and entities are not taken: send plain XML-RPC") from None
    except Exception:  # noqa: BLE001  the standard library's reader raises whatever it comes across
        raise Refused(NOT_WELL_FORMED, "This is not an XML-RPC call: the XML is malformed or incomplete") from None
    if not isinstance(method, str) or not method:
        raise Refused(INVALID_CALL, "This is not an XML-RPC call: methodName is missing")
    return Call(method, parameters)


def encode_result(result: list[dict[str, str]]) -> bytes:
    """The answer to a call."""
    return xmlrpc.client.dumps((result,), methodresponse=True, encoding="utf-8").encode()


def encode_fault(code: int, message: str) -> bytes:
    """A fault, whose text clients show to a person."""
    return xmlrpc.client.dumps(xmlrpc.client.Fault(code, xml_text(message)), encoding="utf-8").encode()


def not_offered(method: str) -> Refused:
    """For every method but ``search``; what the public PyPI has or had is told apart from what nobody knows."""
    instead = next((path for path, methods in _INSTEAD.items() if method in methods), None)
    if instead is None:
        return Refused(UNKNOWN_METHOD, f"There is no method {shown(method)} here: the only one is search")
    return Refused(NOT_OFFERED, f"{method} is not offered here: read {instead} instead")
