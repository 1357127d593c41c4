"""The OpenAPI 3.1 document, made from the table of operations."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, TypeAdapter

from pypicloud_lite.manage import shapes
from pypicloud_lite.manage.bodies import NoParameters
from pypicloud_lite.manage.operations import Needs, Operation

_PLACEHOLDER = re.compile(r"\{(\w+):((?:[^{}]|\{[^{}]*\})*)\}")
_ANY_SEGMENT = "[^/]+"
_NEW = frozenset({("PUT", "admin.user"), ("PUT", "api.user.register"), ("GET", "admin.signup"), ("PUT", "admin.group")})
"""The calls whose last placeholder is a name that nobody has yet: rules hold for it that old ones may break."""
_TEXT = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[^/\x00-\x1f\x7f]+$"}
_SEGMENTS = {"project": shapes.PROJECT_NAME, "token": {"type": "integer", "minimum": 1, "maximum": 10**18 - 1}}
_REFERENCE = "#/components/schemas/{model}"
_BODYLESS = frozenset({"GET", "DELETE"})

_ERROR = {
    "type": "object",
    "required": ["code", "error", "title", "message"],
    "properties": {
        "code": {"type": "string", "description": "The status line"},
        "error": {"type": "string", "description": "A stable word for programs"},
        "title": {"type": "string", "description": "What the status means"},
        "message": {"type": "string", "description": "The thing, the rule, and the next step"},
    },
}
_SECURITY_SCHEMES = {
    "basic": {"type": "http", "scheme": "basic", "description": "User name and password; a token as the password"},
    "token": {"type": "http", "scheme": "bearer", "description": "An API token"},
    "session": {"type": "apiKey", "in": "cookie", "name": "ppc_session", "description": "With X-CSRF-Token on changes"},
}


def build_document(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    """Describe every operation at the first of its addresses; nothing in it depends on who asks."""
    schemas: dict[str, Any] = {"Error": _ERROR}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = _PLACEHOLDER.sub(r"{\1}", operation.patterns[0])
        paths.setdefault(path, {})[operation.method.lower()] = _described(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pypicloud_lite",
            "version": version,
            "description": (
                "Packages, users, groups, rules, tokens and the journal of this package index. A body may be a form; "
                "as there, numbers and truth values may be text, and lists of words one text."
            ),
        },
        "servers": [{"url": "/"}],
        "security": [{"basic": []}, {"token": []}, {"session": []}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SECURITY_SCHEMES},
    }


def _described(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": f"{operation.method.lower()}_{operation.name}".replace(".", "_"),
        "summary": operation.doing[0].upper() + operation.doing[1:],
        "description": f"For {operation.needs.value}.",
        "tags": [operation.patterns[0].split("/")[2] or "api"],
        "parameters": [*_path_parameters(operation), *_query_parameters(operation, schemas)],
        "responses": _responses(operation, schemas),
    }
    if operation.needs is Needs.ANYONE:
        described["security"] = [{}, {"basic": []}, {"token": []}, {"session": []}]
    body = _body(operation, schemas)
    if body is not None:
        described["requestBody"] = body
    return described


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _segment(operation, name, pattern)}
        for name, pattern in _PLACEHOLDER.findall(operation.patterns[0])
    ]


def _segment(operation: Operation, name: str, pattern: str) -> dict[str, Any]:
    if pattern != _ANY_SEGMENT:
        return {"type": "string", "enum": pattern.split("|")}
    if name == "project" and operation.name.startswith("admin.") and operation.name != "admin.free":
        return shapes.PROJECT_PATTERN
    if (operation.method, operation.name) in _NEW:
        return shapes.NEW_USER if name == "username" else shapes.NEW_GROUP
    return _SEGMENTS.get(name, _TEXT)


def _query_parameters(operation: Operation, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    if operation.method not in _BODYLESS or operation.takes is NoParameters:
        return []
    described = _schema(operation.takes, schemas, inline=True)
    required = described.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in described["properties"].items()
    ]


def _body(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any] | None:
    if operation.sends_file:
        content = {"type": "string", "format": "binary"}
        form = {"type": "object", "required": ["content"], "properties": {"content": content}}
        return {"required": True, "content": {"multipart/form-data": {"schema": form}}}
    if operation.method in _BODYLESS or operation.takes is NoParameters:
        return None
    schema = _schema(operation.takes, schemas)
    required = any(field.is_required() for field in operation.takes.model_fields.values())
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _responses(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done"}
    if operation.gives is not None:
        answer["content"] = {operation.gives_type: {"schema": _given(operation, schemas)}}
    error = {"application/json": {"schema": {"$ref": _REFERENCE.format(model="Error")}}}
    responses: dict[str, Any] = {
        str(operation.status): answer,
        "4XX": {"description": "Refused: the message says why, and what to do", "content": error},
        "503": {"description": "Something this server needs does not answer: try again", "content": error},
    }
    if operation.gives is bytes:
        for kind in ("text/plain", "application/pgp-signature"):
            # .metadata and .asc
            answer["content"][kind] = {"schema": {"type": "string"}}
        responses["206"] = {**answer, "description": "The part that Range asked for"}
        responses["302"] = {"description": "The file lies at the address in Location"}
        responses["304"] = {"description": "The file is the one that If-None-Match names"}
    return responses


def _given(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    if operation.gives is bytes:
        return {"type": "string", "format": "binary"}
    if operation.gives is dict:
        return {"type": "object"}
    if operation.gives is str:
        return {"type": "string"}
    return _schema(operation.gives, schemas)


def _schema(model: Any, schemas: dict[str, Any], *, inline: bool = False) -> dict[str, Any]:
    """A reference to the model's schema, which joins ``schemas`` with all that it refers to."""
    made: dict[str, Any] = TypeAdapter(model).json_schema(ref_template=_REFERENCE)
    schemas.update(made.pop("$defs", {}))
    if inline or not _is_model(model):
        return made
    schemas[model.__name__] = made
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def _is_model(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, BaseModel)
