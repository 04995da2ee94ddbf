"""Speaks to OpenAI-like servers on `/v1`, and asks llama.cpp for what only it tells."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from http import HTTPStatus

from halext.dialects.openai import listing, node
from halext.errors import ModelMissing
from halext.messages import ChatChunk, ChatRequest, EmbedReply, EmbedRequest, TextRequest
from halext.types import EndpointId, ModelName
from halext.upstream import Endpoint, ModelDetails, ModelInfo, RunningModel, Sighting
from halext.upstreams.http import CALL, PROBE, Answer, Door
from halext.upstreams.streaming import body_of, naming, stream_answer, together


class OpenAIDriver:
    """Fulfils `halext.upstream.Driver` for the kind `openai`: llama.cpp, vLLM, LM Studio, or a provider."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._embeds: dict[EndpointId, bool] = {}

    async def look(self, endpoint: Endpoint) -> Sighting:
        """The models; from llama.cpp also its build, its slots, how many are taken, and what the model can do."""
        with naming(endpoint):
            listed = listing.parse_models(body_of(await self._get(endpoint, "/v1/models")))
            if listed.is_llamacpp:
                return await self._look_closer(endpoint, listed)
            return Sighting(models=listed.models, running=_running(listed.models) if listed.is_resident else ())

    async def show(self, endpoint: Endpoint, model: ModelName) -> ModelDetails:
        """What the lists say of the model, and llama.cpp's chat template."""
        with naming(endpoint):
            listed = listing.parse_models(body_of(await self._get(endpoint, "/v1/models")))
            info = next((each for each in listed.models if each.name == model), None)
            if info is None:
                raise ModelMissing(f"{endpoint.node} does not list a model {model!r}.")
            if not listed.is_llamacpp:
                return ModelDetails(info)
            props = listing.parse_props(body_of(await self._get(endpoint, "/props")))
            can_embed = await self._can_embed(endpoint)
            return ModelDetails(listing.with_props(info, props, embeds=can_embed), template=props.template)

    def generate(self, endpoint: Endpoint, request: TextRequest) -> AsyncGenerator[ChatChunk, None]:
        """The answer of /v1/chat/completions or /v1/completions; whole with `[DONE]` or a finish reason."""
        if isinstance(request, ChatRequest):
            path, body = "/v1/chat/completions", node.chat_body(request)
        else:
            path, body = "/v1/completions", node.completion_body(request)
        return stream_answer(self._door, endpoint, path, body, node.AnswerReader())

    async def embed(self, endpoint: Endpoint, request: EmbedRequest) -> EmbedReply:
        """The vectors of /v1/embeddings. These servers refuse an empty list, so none is sent."""
        if not request.inputs:
            return EmbedReply(())
        with naming(endpoint):
            body = node.embed_body(request)
            answer = await self._door.request(endpoint, "POST", "/v1/embeddings", json=body, deadlines=CALL)
            return node.parse_embed(body_of(answer), len(request.inputs))

    async def unload(self, endpoint: Endpoint, model: ModelName) -> None:
        """Nothing: these servers keep their models while they run."""

    async def _look_closer(self, endpoint: Endpoint, listed: listing.Listed) -> Sighting:
        health, props_answer, slots_answer = await together(
            *(self._get(endpoint, path) for path in ("/health", "/props", "/slots"))
        )
        body_of(health)  # 503 while it loads
        props = listing.parse_props(body_of(props_answer))
        slots, busy = _slots(slots_answer, props)
        can_embed = await self._can_embed(endpoint)
        models = tuple(listing.with_props(model, props, embeds=can_embed) for model in listed.models)
        return Sighting(props.build, models, _running(models), slots, busy)

    async def _can_embed(self, endpoint: Endpoint) -> bool:
        """Whether llama.cpp was started with embeddings on, which only a try tells; asked once, it costs no work."""
        known = self._embeds.get(endpoint.id)
        if known is None:
            answer = await self._door.request(
                endpoint, "POST", "/v1/embeddings", json=node.EMBED_PROBE, deadlines=PROBE
            )
            known = self._embeds[endpoint.id] = node.offers_embeddings(answer.status, answer.body)
        return known

    async def _get(self, endpoint: Endpoint, path: str) -> Answer:
        return await self._door.request(endpoint, "GET", path, deadlines=PROBE)


def _slots(answer: Answer, props: listing.Props) -> tuple[int | None, int | None]:
    """How many slots there are and how many are taken; llama.cpp can be started without the route that says so."""
    return listing.parse_slots(answer.body) if answer.status == HTTPStatus.OK else (props.slots, None)


def _running(models: tuple[ModelInfo, ...]) -> tuple[RunningModel, ...]:
    return tuple(
        RunningModel(model.name, size_bytes=model.size_bytes, context_length=model.context_length) for model in models
    )
