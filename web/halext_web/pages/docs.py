"""The API in words, made from the same table that serves it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.types import ASGIApp

from halext.accounts.types import Permission
from halext.runtime.operations import Operation
from halext_web.api.hx import operations
from halext_web.pages.page import page
from halext_web.routes import Route, route
from halext_web.visit import Visit


@dataclass(frozen=True, slots=True)
class Parameter:
    """One field that an operation takes."""

    name: str
    type: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class Verb:
    """One operation as the page shows it."""

    method: str
    path: str
    summary: str
    right: str
    parameters: list[Parameter]
    answer: str


_PLAIN = {"str": "text", "float": "number", "int": "integer", "bool": "true or false", "None": "null", "list": "list"}
_LITERAL = re.compile(r"Literal\[([^\]]*)\]")
_PYTHON = re.compile(r"typing\.|halext\.runtime\.shapes\.|\b(?:str|float|int|bool|None|list)\b")


def routes() -> list[Route]:
    """The page."""
    return [route("/hx/docs", docs, Permission.USE)]


async def docs(visit: Visit) -> ASGIApp:
    """GET /hx/docs."""
    return page(
        visit, "docs.html", verbs=[_verb(entry) for entry in sorted(operations(), key=lambda entry: entry.path)]
    )


def _verb(operation: Operation[Any, Any]) -> Verb:
    fields = msgspec.structs.fields(operation.params)
    return Verb(
        method=operation.method,
        path=operation.path,
        summary=operation.summary,
        right=" and ".join(operation.rights),
        parameters=[Parameter(field.name, type_name(field.type), field.required) for field in fields],
        answer=type_name(operation.result),
    )


def type_name(kind: Any) -> str:
    """A type as a reader of JSON would write it."""
    text = kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__args__") else str(kind)
    text = _LITERAL.sub(lambda found: f"one of {found[1]}", text)
    return _PYTHON.sub(lambda found: _PLAIN.get(found[0], ""), text).replace(" | ", " or ")
