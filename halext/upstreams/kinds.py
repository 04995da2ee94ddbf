"""Which kind of server listens at an address, and the driver for each kind."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from http import HTTPStatus
from typing import cast

from halext.dialects import automatic1111 as web_ui
from halext.dialects import failures
from halext.dialects.ollama import listing as ollama_listing
from halext.dialects.openai import listing as openai_listing
from halext.errors import BadAnswer, MissingExtra, Unreachable, UpstreamError
from halext.messages import ChatChunk, EmbedReply, EmbedRequest, TextRequest
from halext.types import Clock, Kind, ModelName
from halext.upstream import Driver, Drivers, Endpoint, ModelDetails, Painter, Sighting
from halext.upstreams import custom
from halext.upstreams.automatic1111 import Automatic1111Driver, Automatic1111Painter
from halext.upstreams.http import PROBE, Answer, Door
from halext.upstreams.ollama import OllamaDriver
from halext.upstreams.openai import OpenAIDriver
from halext.upstreams.streaming import at, naming

_QUESTIONS: Mapping[Kind, str] = {
    "halext": "/hx/me",
    "automatic1111": "/sdapi/v1/options",
    "ollama": "/api/version",
    "openai": "/v1/models",
}
"""What each kind is asked. halext is asked first, since it answers the questions of the others too; servers of pictures
before those of texts, since some of them list their models as OpenAI does."""

_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def drivers(door: Door) -> Drivers:
    """One driver per kind, all through `door`."""
    ollama = OllamaDriver(door)
    made: Mapping[Kind, Driver] = {
        "ollama": ollama,
        "openai": OpenAIDriver(door),
        "automatic1111": Automatic1111Driver(door),
        "halext": ollama,
    }

    @cache
    def driver_for(kind: Kind) -> Driver:
        if kind in made:
            return made[kind]
        try:
            return custom.find(kind).driver(door)
        except MissingExtra as error:
            return AbsentDriver(error.message)

    return driver_for


def painters(door: Door, clock: Clock) -> Mapping[Kind, Painter]:
    """One painter per kind that makes pictures, all through `door`."""
    return {"automatic1111": Automatic1111Painter(door, clock)}


class AbsentDriver:
    """Stands in where the package that brought a kind is gone: its nodes are shown with the reason, and never used."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def look(self, endpoint: Endpoint) -> Sighting:
        """Fails with the reason, as everything here does."""
        raise self._error(endpoint)

    async def show(self, endpoint: Endpoint, _model: ModelName) -> ModelDetails:
        """Fails."""
        raise self._error(endpoint)

    async def generate(self, endpoint: Endpoint, _request: TextRequest) -> AsyncGenerator[ChatChunk, None]:
        """Fails."""
        raise self._error(endpoint)
        yield ChatChunk()

    async def embed(self, endpoint: Endpoint, _request: EmbedRequest) -> EmbedReply:
        """Fails."""
        raise self._error(endpoint)

    async def unload(self, endpoint: Endpoint, _model: ModelName) -> None:
        """Fails."""
        raise self._error(endpoint)

    def _error(self, endpoint: Endpoint) -> Unreachable:
        return Unreachable(self._reason, node=endpoint.node, endpoint=endpoint.id)


async def detect(door: Door, endpoint: Endpoint) -> Kind:
    """The kind of server at the endpoint's address; the kind that `endpoint` itself names is not looked at.

    Raises `Unreachable` or `TimedOut` when nothing answers, `KeyRefused` when the server wants a key or another Host
    before it says more, and `BadAnswer` when it is none of the kinds that halext knows.
    """
    refusal: UpstreamError | None = None
    answer: Answer | None = None
    for kind, path in _questions():
        with naming(endpoint):
            answer = await door.request(replace(endpoint, kind=kind), "GET", path, deadlines=PROBE)
        if _is(kind, answer):
            return kind
        if answer.status in _REFUSED:
            refusal = failures.parse_failure(answer.status, answer.body)
    if refusal is not None:
        raise at(endpoint, refusal)
    raise at(endpoint, BadAnswer(_stranger(answer)))


_PARSERS: Mapping[Kind, Callable[[bytes], object]] = {
    "automatic1111": web_ui.parse_options,
    "ollama": ollama_listing.parse_version,
    "openai": openai_listing.parse_models,
}


def _questions() -> Iterator[tuple[Kind, str]]:
    """Kinds from outside come first after halext: whoever brings one knows better than we do what its servers are."""
    (first, *others) = _QUESTIONS.items()
    yield first
    for name in custom.names():
        with suppress(MissingExtra):  # one that can't be loaded keeps nobody from using the others
            yield cast("Kind", name), custom.find(name).question
    yield from others


def _is(kind: Kind, answer: Answer) -> bool:
    """Whether this is how a server of that kind answers its question."""
    if kind not in _QUESTIONS:
        return custom.find(kind).is_it(answer.status, answer.body)
    if kind == "halext":  # its own mark is on every answer, whoever asks
        return "x-halext-request" in answer.headers
    if answer.status != HTTPStatus.OK:
        return False
    try:
        _PARSERS[kind](answer.body)
    except BadAnswer:
        return False
    return True


def _stranger(answer: Answer | None) -> str:
    status = f" (GET {_QUESTIONS['openai']}: status {answer.status})" if answer else ""
    return (
        f"This address answers, but neither as Ollama nor as an OpenAI-like server{status}; "
        "check the port, or name the kind with --kind. Stable Diffusion answers when it is started with --api."
    )
