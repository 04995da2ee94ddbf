"""An answer on its way to a client: headers with its first piece, an end that is never in doubt, no work for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import aclosing, suppress
from typing import Any, Protocol, TypeVar

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from halext.dialects.joining import joined
from halext.errors import HalextError, Interrupted, TooLarge
from halext.gateway.types import Ask
from halext.messages import ChatChunk, ChatRequest, EmbedReply, EmbedRequest, TextRequest
from halext.runtime.present import request_info
from halext.types import Json
from halext_web.visit import JSON_LIMIT, Visit

T = TypeVar("T")
Extension = Mapping[str, Json] | None

QUIET_S = 15.0
"""Wait for the first piece before the headers go out, so that failures keep their status; then the time between two
comments. Proxies give up on a silent connection after 30 to 60 s."""
LAST_WORD_S = 1.0
"""For telling the client, when halext stops, that the answer is not whole."""
WHY_LIMIT = 2_000
"""Characters of reasons in a header; proxies take some kilobytes of headers in all."""


class Writer(Protocol):
    """One answer in one dialect."""

    content_type: str
    filler: bytes
    """What may be sent while nothing comes, to keep the connection open; b"" where the dialect has no such thing."""

    def write(self, chunk: ChatChunk, extension: Extension) -> bytes:
        """One piece; `extension` comes with the last one."""

    def fail(self, error: HalextError, extension: Extension) -> bytes:
        """The end of an answer that broke after it had begun."""


class Begin(Protocol):
    """Makes the writer when the model's final name is known."""

    def __call__(self, model: str) -> Writer:
        """The writer for an answer of this model."""


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T], *beside: Coroutine[Any, Any, None]) -> T:
    """The result of `work`; it is cancelled, and `ClientDisconnect` raised, at the moment the client leaves.

    What runs `beside` it ends with it. The request's body must have been read.
    """
    failure: Exception | None = None
    result: list[T] = []
    try:
        async with asyncio.TaskGroup() as group:
            companions = [group.create_task(companion) for companion in (_leave_with_client(receive), *beside)]
            try:
                result.append(await work)
            except Exception as error:  # noqa: BLE001 - raised below, as it is and not inside a group
                failure = error
            finally:
                for companion in companions:
                    companion.cancel()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    if failure is not None:
        raise failure
    return result[0]


async def _leave_with_client(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise ClientDisconnect


def check_text(visit: Visit, request: TextRequest) -> None:
    """Raise `TooLarge` for a request whose text alone is longer than requests without pictures may be."""
    pictures = 0
    if isinstance(request, ChatRequest):
        pictures = sum(len(image) for message in request.messages for image in message.images)
    if visit.held - pictures > JSON_LIMIT:
        raise TooLarge(f"The text of the request is larger than {JSON_LIMIT // 1024:,} KB.")


async def collect(visit: Visit, request: TextRequest) -> ChatChunk:
    """The whole answer as one piece."""
    ask = _ask(visit, request)

    async def gather() -> ChatChunk:
        async with aclosing(visit.app.gateway.generate(ask)) as chunks:
            return joined([chunk async for chunk in chunks])

    return await while_connected(visit.request.receive, gather())


async def embed(visit: Visit, request: EmbedRequest) -> EmbedReply:
    """Vectors for texts."""
    return await while_connected(visit.request.receive, visit.app.gateway.embed(_ask(visit, request)))


class Stream:
    """A streamed answer, as an ASGI app.

    Before the headers every failure is raised with its own status. After them the stream ends with the dialect's error,
    never as if it were whole.
    """

    def __init__(self, visit: Visit, request: TextRequest, begin: Begin) -> None:
        self._visit = visit
        self._ask = _ask(visit, request)
        self._begin = begin
        self._writer: Writer | None = None
        self._sending = asyncio.Lock()
        self._last_sent = 0.0
        self._is_over = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        del scope
        self._send = send
        self._last_sent = self._visit.app.clock.monotonic()
        try:
            await while_connected(receive, self._relay(), self._keep_open())
        except asyncio.CancelledError:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORD_S):
                    await self._fail(Interrupted("halext is being stopped; ask again in a moment."))
            raise

    async def _relay(self) -> None:
        last: ChatChunk | None = None
        try:
            async with aclosing(self._visit.app.gateway.generate(self._ask)) as chunks:
                async for chunk in chunks:
                    if chunk.done is not None:
                        last = chunk  # held back until the record is closed, which it then carries
                    else:
                        await self._write(chunk)
        except HalextError as error:
            if self._writer is None:
                raise
            await self._fail(error)
        else:
            await self._finish(last)

    async def _write(self, chunk: ChatChunk) -> None:
        async with self._sending:
            writer = await self._headers()
            await self._put(writer.write(chunk, None))

    async def _finish(self, last: ChatChunk | None) -> None:
        if last is None:
            await self._fail(Interrupted())
            return
        async with self._sending:
            writer = await self._headers()
            await self._put(writer.write(last, extension(self._visit)), more=False)

    async def _fail(self, error: HalextError) -> None:
        if self._writer is not None and not self._is_over:
            async with self._sending:
                await self._put(self._writer.fail(error, extension(self._visit)), more=False)

    async def _keep_open(self) -> None:
        """Headers after a while, and then something every so often, for as long as the answer keeps us waiting."""
        clock = self._visit.app.clock
        while True:
            quiet_s = clock.monotonic() - self._last_sent
            if quiet_s < QUIET_S:
                await clock.sleep(QUIET_S - quiet_s)
                continue
            async with self._sending:
                writer = await self._headers()
                await self._put(writer.filler)

    async def _headers(self) -> Writer:
        if self._writer is None:
            found = self._visit.app.gateway.records.find(self._ask.id)
            self._writer = self._begin(found.model if found else self._ask.request.model)
            fields = {
                "content-type": self._writer.content_type,
                "cache-control": "no-store",
                "x-accel-buffering": "no",
                **answer_headers(self._visit),
            }
            encoded = [(name.encode(), value.encode("latin-1")) for name, value in fields.items()]
            await self._send({"type": "http.response.start", "status": 200, "headers": encoded})
        return self._writer

    async def _put(self, data: bytes, *, more: bool = True) -> None:
        self._last_sent = self._visit.app.clock.monotonic()
        self._is_over = not more
        await self._send({"type": "http.response.body", "body": data, "more_body": more})


def extension(visit: Visit) -> Extension:
    """What became of the request: the `halext` field beside an answer's end."""
    record = visit.app.gateway.records.find(visit.id)
    if record is None:
        return None
    found: dict[str, Json] = msgspec.to_builtins(request_info(record))
    return found


def answer_headers(visit: Visit) -> dict[str, str]:
    """Model and node, where they are known by now, and the reasons for who asks for them."""
    record = visit.app.gateway.records.find(visit.id)
    if record is None:
        return {}
    fields = {"x-halext-model": ascii_text(record.model)}
    if record.node:
        fields["x-halext-node"] = ascii_text(record.node)
    if record.cached:
        fields["x-halext-cache"] = "hit"
    if visit.request.headers.get("x-halext-explain") == "1":
        fields["x-halext-why"] = ascii_text(" | ".join(request_info(record).why))
    return fields


def final_model(visit: Visit, asked: str) -> str:
    """The model that answers: another than was asked for where the request left the choice to us."""
    record = visit.app.gateway.records.find(visit.id)
    return record.model if record else asked


def reply(visit: Visit, body: bytes) -> Response:
    """A whole answer in JSON."""
    return Response(body, media_type="application/json", headers=answer_headers(visit))


_PLAIN = str.maketrans({"—": "-", "–": "-", "“": '"', "”": '"', "’": "'", "…": "...", "×": "x", "→": "->"})


def ascii_text(text: str) -> str:
    """The text as a header may hold it: printable ASCII on one line, and not endless."""
    plain = text.translate(_PLAIN).encode("ascii", "replace").decode()
    return "".join(char if char.isprintable() else " " for char in plain)[:WHY_LIMIT].strip()


def _ask(visit: Visit, request: TextRequest | EmbedRequest) -> Ask:
    return Ask(id=visit.id, caller=visit.caller, request=request, node=visit.node)
