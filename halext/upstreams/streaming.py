"""What all drivers do with the door: refuse what is not 200, name the node in every error, end a stream honestly."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

from halext.dialects.failures import parse_failure
from halext.errors import HalextError, Interrupted, UpstreamError
from halext.messages import ChatChunk
from halext.upstream import Endpoint
from halext.upstreams.http import STREAM, Answer, Door

T = TypeVar("T")

DRAIN_S = 0.05
"""How long to wait for the end of a body whose last piece has come: the connection can then serve the next request."""


class Reader(Protocol):
    """Turns the bytes of one answer into pieces; the last one has `done`."""

    def feed(self, data: bytes) -> Iterator[ChatChunk]:
        """The pieces that `data` completes. Raises `UpstreamError`."""

    def close(self) -> Iterator[ChatChunk]:
        """The pieces that the end of the stream completes. Raises `UpstreamError` when it came too early."""


class Refusal(Protocol):
    """What an answer with another status than 200 means."""

    def __call__(self, status: int, body: bytes, retry_after: str | None) -> HalextError:
        """The error to raise."""


async def stream_answer(
    door: Door,
    endpoint: Endpoint,
    path: str,
    body: bytes,
    reader: Reader,
    *,
    headers: Mapping[str, str] | None = None,
    refusal: Refusal = parse_failure,
) -> AsyncGenerator[ChatChunk, None]:
    """The answer to a POST, piece by piece. Ends after a piece with `done`, or raises.

    Every `UpstreamError` names node and endpoint, and is an `Interrupted` once a piece has been handed out.
    """
    began = False
    try:
        async with door.stream(endpoint, "POST", path, json=body, headers=headers, deadlines=STREAM) as stream:
            if stream.status != HTTPStatus.OK:
                raise refusal(stream.status, await stream.read(), stream.headers.get("retry-after"))
            chunks = stream.chunks()
            async for chunk in _pieces(chunks, reader):
                if chunk.done is not None:
                    await _drain(chunks)
                    yield chunk
                    return
                yield chunk
                began = True
    except UpstreamError as error:
        raise at(endpoint, error, began=began) from error.__cause__


async def _pieces(chunks: AsyncIterator[bytes], reader: Reader) -> AsyncGenerator[ChatChunk, None]:
    async for data in chunks:
        for chunk in reader.feed(data):
            yield chunk
    for chunk in reader.close():
        yield chunk


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read on to the end of the body, if it comes at once; the answer is whole, so nothing can fail it any more."""
    with contextlib.suppress(TimeoutError, UpstreamError):
        async with asyncio.timeout(DRAIN_S):
            async for _ in chunks:
                pass


def at(endpoint: Endpoint, error: UpstreamError, *, began: bool = False) -> UpstreamError:
    """The error with its node and endpoint filled in; `Interrupted` when a part of the answer was handed out before."""
    if began and not isinstance(error, Interrupted):
        message = f"{endpoint.node} stopped in the middle of its answer: {error.message}"
        error = Interrupted(message, retry_after_s=error.retry_after_s)
    error.node, error.endpoint, error.began = endpoint.node, endpoint.id, began
    return error


@contextmanager
def naming(endpoint: Endpoint) -> Iterator[None]:
    """Names the node and endpoint in every `UpstreamError` that passes."""
    try:
        yield
    except UpstreamError as error:
        at(endpoint, error)
        raise


def body_of(answer: Answer, *, embedding: bool = False) -> bytes:
    """The body of an answer with status 200. Raises the `UpstreamError` that any other status means."""
    if answer.status != HTTPStatus.OK:
        raise parse_failure(answer.status, answer.body, answer.headers.get("retry-after"), embedding=embedding)
    return answer.body


async def together(*calls: Coroutine[Any, Any, T]) -> list[T]:
    """The results of calls made at the same time. The first failure ends the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except ExceptionGroup as failures:
        first = failures.exceptions[0]
        raise first from first.__cause__
    return [task.result() for task in tasks]
