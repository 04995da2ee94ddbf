"""Speaks to Ollama, and to another halext, on the native `/api` routes.

Ollama's own `/v1` is not used: it carries no context length, puts its own sampling defaults in, and turns an error in
mid-stream into a clean end.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from halext.dialects.ollama import listing, node
from halext.errors import ModelMissing
from halext.messages import ChatChunk, ChatRequest, EmbedReply, EmbedRequest, TextRequest
from halext.types import Capability, ModelName
from halext.upstream import Endpoint, ModelDetails, ModelInfo, Sighting
from halext.upstreams.http import CALL, PROBE, Door
from halext.upstreams.streaming import body_of, naming, stream_answer, together

MAX_SHOWS_PER_LOOK = 8
"""Models whose abilities are asked for in one look, where the list leaves them out (before Ollama 0.30)."""
MAX_REMEMBERED = 4096
"""Digests whose abilities are remembered: far above any fleet, and less than 1 MB."""


class OllamaDriver:
    """Fulfils `halext.upstream.Driver` for the kinds `ollama` and `halext`."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._abilities: dict[str, frozenset[Capability]] = {}

    async def look(self, endpoint: Endpoint) -> Sighting:
        """Version, models on disk and models in memory, asked for at the same time."""
        with naming(endpoint):
            paths = ("/api/version", "/api/tags", "/api/ps")
            answers = await together(*(self._door.request(endpoint, "GET", path, deadlines=PROBE) for path in paths))
            version, tags, ps = (body_of(answer) for answer in answers)
            return Sighting(
                version=listing.parse_version(version),
                models=await self._with_abilities(endpoint, listing.parse_tags(tags)),
                running=listing.parse_ps(ps),
            )

    async def show(self, endpoint: Endpoint, model: ModelName) -> ModelDetails:
        """What /api/show says."""
        with naming(endpoint):
            body = node.show_body(model)
            answer = await self._door.request(endpoint, "POST", "/api/show", json=body, deadlines=PROBE)
            return listing.parse_show(body_of(answer), model)

    def generate(self, endpoint: Endpoint, request: TextRequest) -> AsyncGenerator[ChatChunk, None]:
        """The answer of /api/chat or /api/generate; whole only with a line that says `done`."""
        if isinstance(request, ChatRequest):
            path, body = "/api/chat", node.chat_body(request)
        else:
            path, body = "/api/generate", node.generate_body(request)
        return stream_answer(self._door, endpoint, path, body, node.AnswerReader())

    async def embed(self, endpoint: Endpoint, request: EmbedRequest) -> EmbedReply:
        """The vectors of /api/embed."""
        with naming(endpoint):
            body = node.embed_body(request)
            answer = await self._door.request(endpoint, "POST", "/api/embed", json=body, deadlines=CALL)
            return node.parse_embed(body_of(answer, embedding=True), len(request.inputs))

    async def unload(self, endpoint: Endpoint, model: ModelName) -> None:
        """Ask for the model to leave the memory. Ollama answers at once; a busy model leaves when it is idle."""
        with naming(endpoint):
            body = node.unload_body(model)
            body_of(await self._door.request(endpoint, "POST", "/api/generate", json=body, deadlines=PROBE))

    async def _with_abilities(self, endpoint: Endpoint, models: tuple[ModelInfo, ...]) -> tuple[ModelInfo, ...]:
        """Older servers list no abilities, so a few models are asked about in each look, and each digest once."""
        unknown = [model for model in models if not model.capabilities and model.digest not in self._abilities]
        for model in unknown[:MAX_SHOWS_PER_LOOK]:
            try:
                details = await self.show(endpoint, model.name)
            except ModelMissing:  # deleted since it was listed
                continue
            if len(self._abilities) >= MAX_REMEMBERED:
                self._abilities.clear()
            self._abilities[model.digest] = details.info.capabilities
        return tuple(
            model if model.capabilities else replace(model, capabilities=self._abilities.get(model.digest, frozenset()))
            for model in models
        )
