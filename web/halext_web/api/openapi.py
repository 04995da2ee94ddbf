"""The OpenAPI document of `/hx`, made from the table of operations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp

from halext._version import __version__
from halext.accounts.types import Permission
from halext.runtime.operations import Operation
from halext.runtime.shapes import Done, Me
from halext_web.api.hx import operations
from halext_web.failures import PROBLEM
from halext_web.routes import Route, route
from halext_web.shapes import FirstAdmin, Problem, SignIn
from halext_web.visit import Visit

Document = dict[str, Any]
REF = "#/components/schemas/{name}"


def routes() -> list[Route]:
    """The document."""
    return [route("/hx/openapi.json", openapi, Permission.USE)]


async def openapi(visit: Visit) -> ASGIApp:
    """GET /hx/openapi.json."""
    del visit
    return Response(_encoded(), media_type="application/json")


@cache
def _encoded() -> bytes:
    return msgspec.json.encode(document(operations()))


def document(table: Sequence[Operation[Any, Any]]) -> Document:
    """The whole document, in OpenAPI 3.1."""
    shapes: list[Any] = [Problem, SignIn, FirstAdmin, Me, Done]
    shapes += [shape for operation in table for shape in (operation.params, operation.result)]
    found, components = msgspec.json.schema_components(shapes, ref_template=REF)
    schemas = dict(zip([repr(shape) for shape in shapes], found, strict=True))
    paths: dict[str, Document] = {"/hx/session": _session(), "/hx/first-admin": _first_admin()}
    for operation in table:
        path = re.sub(r":\w+\}", "}", operation.path)
        entry = _entry(operation, components, schemas[repr(operation.result)])
        paths.setdefault(path, {})[operation.method.lower()] = entry
    return {
        "openapi": "3.1.0",
        "info": {"title": "halext", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "page": {"type": "apiKey", "in": "cookie", "name": "hx_session"},
            },
        },
        "security": [{"token": []}, {"page": []}],
    }


def _entry(operation: Operation[Any, Any], components: Document, result: Document) -> Document:
    """One operation. Fields of the path and the query stand one by one, the rest is the body's schema."""
    schema = components[operation.params.__name__]
    properties: Document = schema.get("properties", {})
    in_path = [name for name in properties if "{" + name in operation.path]
    others = [name for name in properties if name not in in_path]
    entry: Document = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Needs the right {' and '.join(f'“{right}”' for right in operation.rights)}.",
        "parameters": [_parameter(name, "path", properties[name], required=True) for name in in_path],
        "responses": _responses(result),
    }
    required = [name for name in schema.get("required", ()) if name in others]
    if operation.method in {"GET", "DELETE"}:
        entry["parameters"] += [
            _parameter(name, "query", properties[name], required=name in required) for name in others
        ]
    elif others:
        body = {"type": "object", "properties": {name: properties[name] for name in others}, "required": required}
        entry["requestBody"] = _content(body | {"additionalProperties": False})
    return entry


def _parameter(name: str, place: str, schema: Document, *, required: bool) -> Document:
    return {"name": name, "in": place, "required": required, "schema": schema}


def _content(schema: Document, media: str = "application/json") -> Document:
    return {"content": {media: {"schema": schema}}}


def _responses(result: Document) -> Document:
    problem = {"$ref": REF.format(name="Problem")}
    return {
        "200": {"description": "Done", **_content(result)},
        "default": {"description": "It did not work", **_content(problem, PROBLEM)},
    }


def _session() -> Document:
    me, done = {"$ref": REF.format(name="Me")}, {"$ref": REF.format(name="Done")}
    return {
        "post": {
            "operationId": "sign_in",
            "summary": "Sign in: the answer sets the page's cookie.",
            "security": [],
            "requestBody": _content({"$ref": REF.format(name="SignIn")}),
            "responses": _responses(me),
        },
        "delete": {"operationId": "sign_out", "summary": "Sign out.", "responses": _responses(done)},
    }


def _first_admin() -> Document:
    return {
        "post": {
            "operationId": "claim_first_admin",
            "summary": "Make the first administrator with the one-time code.",
            "security": [],
            "requestBody": _content({"$ref": REF.format(name="FirstAdmin")}),
            "responses": _responses({"$ref": REF.format(name="Me")}),
        }
    }
