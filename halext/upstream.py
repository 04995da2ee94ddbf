"""What halext needs from a server at the other end, and the nouns for what it sees there.

Drivers in `halext.upstreams` fulfil `Driver`, one per kind; the rooms know only this page.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from halext.messages import ChatChunk, EmbedReply, EmbedRequest, TextRequest
from halext.pictures import Picture, Recipe, Tell
from halext.types import Capability, EndpointId, Json, Kind, ModelName, NodeName, RequestId, SecretRef

Via = Literal["direct", "tunnel"]
"""How an endpoint is reached: at its address, or through the ssh connection that its computer keeps open to us."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server on a node: where it is and how to speak to it.

    `url` is scheme, host and port only. `cidrs` are the networks its address must lie in at every connect; `secret`
    names the vault entry that holds its request headers as a JSON object. `slots` is how many requests it serves at
    once as its owner says; None means that the server is asked, and that one is assumed where it does not say.
    With `via` "tunnel" the host is only a name for the Host header, and no address is ever looked up or contacted.
    """

    id: EndpointId
    node: NodeName
    kind: Kind
    url: str
    cidrs: tuple[str, ...] = ()
    secret: SecretRef | None = None
    slots: int | None = None
    insecure: bool = False
    via: Via = "direct"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that an endpoint can serve. `digest` is "" where the server has no such notion (OpenAI-like servers)."""

    name: ModelName
    digest: str = ""
    size_bytes: int = 0
    family: str = ""
    parameter_size: str = ""
    quantization: str = ""
    context_length: int = 0
    capabilities: frozenset[Capability] = frozenset()
    modified_at: str = ""


@dataclass(frozen=True, slots=True)
class RunningModel:
    """A model in an endpoint's memory. `vram_bytes` below `size_bytes` means that part of it runs on the CPU."""

    name: ModelName
    digest: str = ""
    size_bytes: int = 0
    vram_bytes: int = 0
    expires_at: str = ""
    context_length: int = 0


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one look at an endpoint found."""

    version: str = ""
    models: tuple[ModelInfo, ...] = ()
    running: tuple[RunningModel, ...] = ()
    slots: int | None = None
    """How many requests it serves at once, where the server says so."""
    slots_busy: int | None = None
    """How many of them are taken, by anyone, where the server says so."""


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """What an endpoint says of one model, as Ollama's `/api/show` would: passed on, never interpreted."""

    info: ModelInfo
    template: str = ""
    parameters: str = ""
    license: str = ""
    modelfile: str = ""
    model_info: Mapping[str, Json] = field(default_factory=dict)


class Driver(Protocol):
    """Speaks one kind of server. Stateless but for its connections; one serves all endpoints of its kind.

    Every method raises only `UpstreamError`s, with `node` and `endpoint` filled in: `Unreachable` (refused, reset, DNS,
    TLS, a tunnel's error page), `TimedOut`, `RateLimited` (429, 503; with Retry-After where given), `ModelMissing`
    (404), `KeyRefused` (401, 403), `RequestRefused` (other 4xx), `BadAnswer` (5xx or unreadable), and after the first
    chunk `Interrupted`.
    """

    async def look(self, endpoint: Endpoint) -> Sighting:
        """Version, models and what is loaded: the whole probe, within its own short deadlines."""

    async def show(self, endpoint: Endpoint, model: ModelName) -> ModelDetails:
        """All that the endpoint says of one model."""

    def generate(self, endpoint: Endpoint, request: TextRequest) -> AsyncGenerator[ChatChunk, None]:
        """The answer in pieces as they come; closing the iterator stops the work at the endpoint.

        Ends after a chunk with `done`, or raises; it never just stops.
        """

    async def embed(self, endpoint: Endpoint, request: EmbedRequest) -> EmbedReply:
        """One vector per input."""

    async def unload(self, endpoint: Endpoint, model: ModelName) -> None:
        """Free the model's memory, where the server can."""


class Drivers(Protocol):
    """Finds the driver for a kind."""

    def __call__(self, kind: Kind, /) -> Driver:
        """The driver that speaks `kind`."""


Stopping = Literal["stopping", "not_begun", "gone", "cannot"]
"""Whether a server stops a job: after its next step; not yet, since it waits there; it does not know the job, which has
not come yet or has ended; or never."""


class Painter(Protocol):
    """Makes pictures on one kind of server. Both methods raise what `Driver`'s do.

    A job is known to the server by the request's id, so that its progress and its end are never those of another one.
    """

    async def paint(self, endpoint: Endpoint, recipe: Recipe, job: RequestId, tell: Tell) -> tuple[Picture, ...]:
        """The pictures of a recipe that names a model of this endpoint; `tell` hears of the progress meanwhile.

        Raises `ModelMissing` also where the server quietly took another model. Cancelling this leaves the job to the
        server, which may go on with it: `stop` ends it. A job that was stopped returns what there is of it.
        """

    async def stop(self, endpoint: Endpoint, job: RequestId) -> Stopping:
        """Ask for the end of this job, and of no other.

        Ask again until it has ended: a wish that comes too early may be forgotten.
        """


class Reveal(Protocol):
    """Opens the secret request headers of an endpoint; handed to drivers so that no edge knows the vault."""

    async def __call__(self, ref: SecretRef, /) -> Mapping[str, str]:
        """Header name to value. Raises `VaultError`."""


class Receiver(Protocol):
    """Takes what comes through a channel. The methods are those of asyncio's protocols, and mean the same."""

    def data_received(self, data: bytes, /) -> None:
        """Some bytes came."""

    def eof_received(self) -> bool | None:
        """The far side will send no more."""

    def connection_lost(self, error: Exception | None, /) -> None:
        """The channel has ended; `error` is an OSError when it broke."""

    def pause_writing(self) -> None:
        """Too much waits to be sent."""

    def resume_writing(self) -> None:
        """There is room again."""


class Channel(Protocol):
    """A two-way stream of bytes to a server on a node. The methods are those of asyncio's transports."""

    def write(self, data: bytes, /) -> None:
        """Send these, now or as soon as the far side takes them."""

    def get_write_buffer_size(self) -> int:
        """How many bytes wait to be sent."""

    def pause_reading(self) -> None:
        """Hold back what comes; the far side is slowed down soon after."""

    def resume_reading(self) -> None:
        """Let it come again."""

    def close(self) -> None:
        """Send what waits, then end."""

    def abort(self) -> None:
        """End at once."""


class OpenChannel(Protocol):
    """Opens a channel to an endpoint that has no address; handed to the outbound door so that no edge knows another."""

    async def __call__(self, endpoint: Endpoint, receiver: Receiver, /) -> Channel:
        """Raises `Unreachable`, which says whether the tunnel is down or nothing answers behind it."""
