"""What a bot sends: JSON, or a form of several parts with files in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web

from halext.testing.discordapi import limits
from halext.testing.discordapi.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came. `number` is the one in `files[n]`, to which `attachments` refers."""

    number: int
    name: str
    data: bytes = field(repr=False)
    content_type: str


@dataclass(eq=False, slots=True)
class Call:
    """A request of the bot. `name` is the route's, `ids` what stood in its path; `status` is what it got, 0 before."""

    name: str
    method: str
    path: str
    ids: Mapping[str, str]
    query: Mapping[str, str]
    payload: Any = None
    uploads: Sequence[Upload] = ()
    at: float = 0.0
    """The clock's `monotonic` when it came."""
    status: int = 0

    def number(self, name: str) -> int:
        """An id of the path."""
        return int(self.ids[name])

    def read(self, name: str, default: Any = None) -> Any:
        """A field of the body."""
        return self.payload.get(name, default) if isinstance(self.payload, Mapping) else default


async def read(request: web.BaseRequest) -> tuple[Any, list[Upload]]:
    """Body and files; Refusal for what is neither JSON nor such a form, or too big."""
    request = request.clone(client_max_size=limits.REQUEST_BYTES)
    try:
        if request.content_type == "multipart/form-data":
            return await _parts(request)
        data = await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise limits.too_large() from error
    return (_json(data) if data else None), []


async def _parts(request: web.BaseRequest) -> tuple[Any, list[Upload]]:
    payload: Any = None
    uploads: list[Upload] = []
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            raise Refusal(400, 50035, "Invalid Form Body")
        data = bytes(await part.read())
        if part.name == "payload_json":
            payload = _json(data)
            continue
        number = (part.name or "").removeprefix("files[").removesuffix("]")
        kind = part.headers.get("Content-Type", "application/octet-stream")
        uploads.append(Upload(int(number) if number.isdigit() else len(uploads), part.filename or "file", data, kind))
    return payload, uploads


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise Refusal(400, 50109, "The request body contains invalid JSON.") from error
