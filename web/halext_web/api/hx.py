"""halext's own API: every operation of the table, mounted where the table says."""

from __future__ import annotations

import asyncio
import re
from typing import Any, get_origin

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp

from halext.dialects import reading
from halext.errors import InvalidInput
from halext.runtime.operations import OPERATIONS, Operation
from halext.runtime.shapes_images import ImageJob
from halext.runtime.verbs import (
    alerts,
    audit,
    chat,
    house,
    images,
    invites,
    jobs,
    keys,
    links,
    models,
    nodes,
    people,
    quotas,
    sessions,
    tasks,
    tunnel,
    workspaces,
)
from halext.types import Json
from halext_web.ids import number
from halext_web.routes import Endpoint, Route
from halext_web.visit import JSON_LIMIT, Visit

LARGE = {"/hx/jobs/batch": 16 * 1024 * 1024}
"""Operations that take more than others do, in bytes: ten thousand questions at once, say."""
_FIELD = re.compile(r"\{(\w+)(?::\w+)?\}")
INTEGER_MAX = 2**63 - 1
"""What a database can store as a whole number."""
_OBJECT = msgspec.json.Decoder(dict[str, Any])


VERBS = (
    *(alerts, audit, chat, house, images, invites, jobs, keys, links, models, nodes, people, quotas, sessions, tasks),
    *(tunnel, workspaces),
)
"""Importing them is what fills the table."""


def operations() -> list[Operation[Any, Any]]:
    """All that halext offers under /hx."""
    return OPERATIONS


def routes() -> list[Route]:
    """One route per operation. The table asks for the rights, and they do so again."""
    return [
        Route(operation.path, (operation.method,), operation.permission, endpoint(operation), operation.also)
        for operation in operations()
    ]


def endpoint(operation: Operation[Any, Any]) -> Endpoint:
    """Answers HTTP with one operation."""

    async def answer(visit: Visit) -> ASGIApp:
        params = await read_params(visit, operation)
        result = await operation(visit.app, visit.caller, params)
        return Response(await _encoded(result), media_type="application/json")

    return answer


async def _encoded(result: object) -> bytes:
    """The result as JSON. Some megabytes of pictures take long enough that the loop should serve others meanwhile."""
    if isinstance(result, ImageJob) and result.pictures:
        return await asyncio.to_thread(msgspec.json.encode, result)
    return msgspec.json.encode(result)


async def read_params(visit: Visit, operation: Operation[Any, Any]) -> Any:
    """The operation's parameters from path, query and body. Raises `InvalidInput` and `BadRequest`."""
    body = await visit.body(LARGE.get(operation.path, JSON_LIMIT))
    fields: dict[str, Json] = {}
    is_json = operation.method not in {"GET", "DELETE"}
    if not is_json:
        fields = _query(visit, operation)
    elif body:
        fields = reading.from_client(_OBJECT, body)
    in_path = _path(visit, operation)
    if twice := in_path.keys() & fields.keys():
        raise InvalidInput(f"`{min(twice)}` stands in the address already; leave it out here.")
    _refuse_monsters(fields)
    try:
        # Queries hold texts only, so numbers may come as texts there; in JSON they may not.
        params = msgspec.convert(fields | in_path, operation.params, strict=is_json)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The request has a field that can't be used: {error}.") from error
    _refuse_monsters(msgspec.structs.asdict(params))
    return params


def _refuse_monsters(value: object) -> None:
    """Raise `InvalidInput` for what JSON can say and a database can't keep."""
    left = [value]
    while left:
        match left.pop():
            case dict() as inner:
                left += [*inner, *inner.values()]
            case list() as inner:
                left += inner
            case str() as text if "\0" in text:
                raise InvalidInput("A text has a NUL character.")
            case int() as number if abs(number) > INTEGER_MAX:
                raise InvalidInput("A number is too large.")


def _path(visit: Visit, operation: Operation[Any, Any]) -> dict[str, Json]:
    """Each value of the address; one that should be a number and is none becomes the number of nothing."""
    numbers = {field.name for field in msgspec.structs.fields(operation.params) if field.type is int}
    found: dict[str, str] = dict(visit.request.path_params)
    return {name: number(value) if name in numbers else value for name, value in found.items()}


def _query(visit: Visit, operation: Operation[Any, Any]) -> dict[str, Json]:
    """Each value as text; all of them as a list where there are several, or where the operation takes a list."""
    query = visit.request.query_params
    lists = {field.name for field in msgspec.structs.fields(operation.params) if get_origin(field.type) is list}
    found = {name: query.getlist(name) for name in query}
    return {
        name: values[0] if len(values) == 1 and name not in lists else list[Json](values)
        for name, values in found.items()
    }


def path_fields(operation: Operation[Any, Any]) -> list[str]:
    """The parameters that the path carries."""
    return _FIELD.findall(operation.path)
