"""A kind of server that halext does not know by itself: here one that answers in capital letters.

A package with such a class needs three lines in its pyproject.toml, and nothing in halext changes:

    [project.entry-points."halext.kinds"]
    shout = "custom_node_kind:ShoutKind"

    halext node add megaphone http://megaphone:9000        # found out by itself, like the other kinds

Run as a script it lists the kinds that are installed: python examples/custom_node_kind.py
"""

import json
from collections.abc import AsyncGenerator

from halext.errors import RequestRefused
from halext.messages import ChatChunk, ChatRequest, Done, EmbedReply, EmbedRequest, TextRequest, Usage
from halext.types import ModelName
from halext.upstream import Endpoint, ModelDetails, ModelInfo, Sighting
from halext.upstreams import custom
from halext.upstreams.http import PROBE, STREAM, Door
from halext.upstreams.streaming import body_of, naming

MODEL = ModelInfo(ModelName("shout:1"), capabilities=frozenset({"chat"}))


class ShoutKind:
    """What halext has to know: how to recognise such a server, and all that may be sent there."""

    question = "/megaphone"
    sends = frozenset({("POST", "/shout")})

    def is_it(self, status: int, body: bytes) -> bool:
        """A megaphone says so."""
        return status == 200 and body == b"megaphone"  # noqa: PLR2004 - OK

    def driver(self, door: Door) -> "ShoutDriver":
        """One for all megaphones."""
        return ShoutDriver(door)


class ShoutDriver:
    """Speaks to the server, through halext's guarded door only; its failures become the errors of halext."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def look(self, endpoint: Endpoint) -> Sighting:
        """Whether it is there, and what it has."""
        with naming(endpoint):
            body_of(await self._door.request(endpoint, "GET", ShoutKind.question, deadlines=PROBE))
        return Sighting(models=(MODEL,), slots=2)

    async def show(self, endpoint: Endpoint, model: ModelName) -> ModelDetails:
        """All that there is to say."""
        del endpoint, model
        return ModelDetails(MODEL)

    async def generate(self, endpoint: Endpoint, request: TextRequest) -> AsyncGenerator[ChatChunk, None]:
        """The last message, louder. A server that streams would yield a chunk per piece."""
        said = request.messages[-1].content if isinstance(request, ChatRequest) else request.prompt
        with naming(endpoint):
            body = json.dumps({"text": said}).encode()
            answer = body_of(await self._door.request(endpoint, "POST", "/shout", json=body, deadlines=STREAM))
        yield ChatChunk(text=answer.decode())
        yield ChatChunk(done=Done(usage=Usage(completion_tokens=len(answer.split()))))

    async def embed(self, endpoint: Endpoint, request: EmbedRequest) -> EmbedReply:
        """A megaphone has no vectors."""
        del request
        raise RequestRefused("A megaphone makes no vectors.", node=endpoint.node, endpoint=endpoint.id)

    async def unload(self, endpoint: Endpoint, model: ModelName) -> None:
        """There is nothing in its memory."""
        del endpoint, model


if __name__ == "__main__":
    print("kinds from outside:", ", ".join(custom.names()) or "none")
