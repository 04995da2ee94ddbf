"""One way to use a halext, whether it is open in this process or runs somewhere else.

The command line and the library are written against `Control` and don't care which one they hold.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from halext.accounts.types import Caller
from halext.errors import BadAnswer, InvalidInput
from halext.gateway.types import Ask
from halext.messages import ChatChunk, EmbedReply, EmbedRequest, TextRequest
from halext.runtime.operations import Operation
from halext.runtime.present import request_info
from halext.runtime.shapes import Params, RequestInfo
from halext.types import ModelName, NodeName

if TYPE_CHECKING:
    from halext.runtime.app import Fleet
    from halext.upstreams.coordinator import Coordinator

P = TypeVar("P", bound=Params)
R = TypeVar("R")

ANY_MODEL = ModelName("auto")
"""What "the model that is best now" is called on the wire, where a name can't be empty."""


class Answer(Protocol):
    """An answer under way: iterate for its pieces; closing it stops the work at the node."""

    info: RequestInfo | None
    """What happened; there once the iteration has ended, also where it ended in an error."""

    def __aiter__(self) -> AsyncIterator[ChatChunk]:
        """The pieces as they come."""


class Control(Protocol):
    """Everything that can be asked of a halext."""

    async def call(self, operation: Operation[P, R], params: P) -> R:
        """Run one operation of the table."""

    def generate(self, request: TextRequest, node: NodeName | None = None) -> Answer:
        """Ask a model; nothing is sent before the first piece is asked for."""

    async def embed(self, request: EmbedRequest, node: NodeName | None = None) -> EmbedReply:
        """Vectors for texts."""


class LocalAnswer:
    """An answer from the gateway of this process."""

    def __init__(self, fleet: Fleet, ask: Ask) -> None:
        self._fleet = fleet
        self._ask = ask
        self.info: RequestInfo | None = None

    async def __aiter__(self) -> AsyncIterator[ChatChunk]:
        try:
            async with aclosing(self._fleet.gateway.generate(self._ask)) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            record = self._fleet.gateway.records.find(self._ask.id)
            self.info = request_info(record) if record else None


class LocalControl:
    """A fleet, or a whole house, that is open in this process."""

    def __init__(self, fleet: Fleet, caller: Caller) -> None:
        self._fleet = fleet
        self._caller = caller

    async def call(self, operation: Operation[P, R], params: P) -> R:
        """Run the verb here."""
        return await operation(self._fleet, self._caller, params)

    def generate(self, request: TextRequest, node: NodeName | None = None) -> LocalAnswer:
        """Ask through the gateway of this process."""
        return LocalAnswer(self._fleet, self._ask(request, node))

    async def embed(self, request: EmbedRequest, node: NodeName | None = None) -> EmbedReply:
        """Embed through the gateway of this process."""
        return await self._fleet.gateway.embed(self._ask(request, node))

    def _ask(self, request: TextRequest | EmbedRequest, node: NodeName | None) -> Ask:
        return Ask(id=self._fleet.gateway.new_id(), caller=self._caller, request=request, node=node)


class RemoteAnswer:
    """An answer from another process; the server tells what happened beside its last piece."""

    def __init__(self, coordinator: Coordinator, request: TextRequest, node: NodeName | None) -> None:
        self._coordinator = coordinator
        self._request = request
        self._node = node
        self.info: RequestInfo | None = None

    async def __aiter__(self) -> AsyncIterator[ChatChunk]:
        stream = self._coordinator.generate(self._request, node=self._node, on_extension=self._tell)
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                yield chunk

    def _tell(self, extension: Mapping[str, object]) -> None:
        self.info = _convert(extension, RequestInfo)


class RemoteControl:
    """A halext somewhere else, through its HTTP door."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator

    async def call(self, operation: Operation[P, R], params: P) -> R:
        """Send the operation's request and read its answer with the same types."""
        fields: dict[str, object] = msgspec.to_builtins(params)
        path = operation.path
        for name in list(fields):
            if "{" + name + "}" in path:
                path = path.replace("{" + name + "}", _in_path(str(fields.pop(name))))
        if operation.method in {"GET", "DELETE"}:
            query = urlencode({name: value for name, value in fields.items() if value is not None}, doseq=True)
            told = await self._coordinator.call(operation.method, f"{path}?{query}" if query else path)
        else:
            told = await self._coordinator.call(operation.method, path, fields)
        answer: R = _convert(told, operation.result)
        return answer

    def generate(self, request: TextRequest, node: NodeName | None = None) -> RemoteAnswer:
        """Ask the other halext."""
        return RemoteAnswer(self._coordinator, replace(request, model=request.model or ANY_MODEL), node)

    async def embed(self, request: EmbedRequest, node: NodeName | None = None) -> EmbedReply:
        """Embed through the other halext."""
        return await self._coordinator.embed(replace(request, model=request.model or ANY_MODEL), node=node)


def _in_path(value: str) -> str:
    """A value as one part of an address; slashes in it are quoted, and the other halext takes them so."""
    if value in {"", ".", ".."} or not value.isprintable():
        raise InvalidInput(f"{value!r} is no name that anything has.")
    return quote(value, safe="")


T = TypeVar("T")


def _convert(value: object, shape: type[T]) -> T:
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise BadAnswer(f"The other halext answers in a form that this version can't read: {error}.") from error
