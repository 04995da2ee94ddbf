"""A fleet without a house: nodes known by their URLs, in this process, for the library. No database, vault or schedule.

Nothing runs between two questions: nodes are looked at when somebody asks and what is known of them has become old.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from halext.accounts.types import LOCAL
from halext.errors import InvalidInput, NoNodeOnline, NotOffered, UpstreamError
from halext.events import Event
from halext.gateway.dispatch import Gateway, Options
from halext.gateway.types import Ask
from halext.messages import ChatChunk, EmbedReply, EmbedRequest, TextRequest
from halext.nodes.prober import Prober
from halext.nodes.registry import Registry
from halext.nodes.types import Node
from halext.runtime.app import Fleet
from halext.runtime.background import Background
from halext.runtime.clock import SystemClock
from halext.runtime.control import Control, LocalAnswer, LocalControl, P, R, RemoteControl
from halext.runtime.operations import Operation
from halext.runtime.studio import open_studio
from halext.types import Capability, EndpointId, NodeName, SecretRef
from halext.upstream import Endpoint
from halext.upstreams.address import Place, place
from halext.upstreams.coordinator import Coordinator
from halext.upstreams.http import Door
from halext.upstreams.kinds import detect, drivers

OLLAMA_HERE = "http://127.0.0.1:11434"

ANYWHERE = ("0.0.0.0/0", "::/0", "127.0.0.0/8", "::1/128")
"""A node of the library is not pinned to an address: whoever typed its URL could open it without us, and a laptop that
moves to another network should go on working. What is never a node's address stays refused."""

MAX_AGE_S = 10.0
"""A question may be routed by what was seen this long ago."""
MAX_SHOWN_AGE_S = 1.0
"""A table of nodes or models is newer: it is looked at to see what has changed."""
PATIENCE_S = 0.5
"""How long a question waits for nodes that are slow to answer a look when others have answered already."""
BUILTIN_START_S = 60.0
"""The built-in model is ready in a few seconds, on a busy small computer in many."""

IMAGES = "/hx/images"
"""The operation that begins a job for pictures; those that follow and stop it stand below."""

TOKEN = SecretRef("token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a caller brings along beside the URLs."""

    token: str | None = field(default=None, repr=False)
    """Sent to halext coordinators only."""
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """URL, as the caller wrote it, to the request headers that its server wants."""
    default_model: str | None = None
    insecure: bool = False
    """Plain http to a public address is meant."""

    def secrets(self, endpoints: Mapping[str, Endpoint]) -> dict[SecretRef, Mapping[str, str]]:
        """The headers by the names under which endpoints hold them."""
        known = {SecretRef(endpoints[url].id): headers for url, headers in self.headers.items()}
        return known | ({TOKEN: {"authorization": f"Bearer {self.token}"}} if self.token else {})


# --- opening ---


@asynccontextmanager
async def open_fleet(urls: Sequence[str], access: Access | None = None) -> AsyncIterator[Control]:
    """A way to use these servers together; a single coordinator is used as what it is.

    Raises `InvalidInput` for a URL that is none. A single server must answer; several may come and go.
    """
    access = access or Access()
    endpoints = endpoints_of(urls, access)
    secrets = access.secrets(endpoints)

    async def reveal(ref: SecretRef) -> Mapping[str, str]:
        return secrets[ref]

    async with AsyncExitStack() as stack:
        door = Door(reveal)
        stack.push_async_callback(door.aclose)
        background = await stack.enter_async_context(Background())  # ends before the door does: looks go through it
        if len(endpoints) > 1:
            yield await _together(list(endpoints.values()), door, background, access)
            return
        (endpoint,) = endpoints.values()
        found = await identify(door, endpoint, has_token=access.token is not None)
        if found.kind == "halext":
            yield RemoteControl(Coordinator(door, found))
        else:
            yield await _together([found], door, background, access, identified=True)


@asynccontextmanager
async def open_default(access: Access | None = None) -> AsyncIterator[Control]:
    """What `connect()` means: the halext of HALEXT_URL, else an Ollama on this machine, else the built-in model.

    Raises `InvalidSetting`, or `NoNodeOnline` when there is none of them.
    """
    from halext.runtime import settings  # brings pydantic, which nobody needs who names URLs

    access = access or Access()
    told = settings.load()
    access = replace(access, default_model=access.default_model or told.default_model)
    async with AsyncExitStack() as stack:
        if told.url is not None:
            token = access.token or (told.token.get_secret_value() if told.token else None)
            way = open_fleet([told.url], replace(access, token=token))
        elif await _is_ollama_here():
            way = open_fleet([OLLAMA_HERE], replace(access, token=None))
        else:
            way = open_fleet([await _builtin(stack)], replace(access, token=None))
        yield await stack.enter_async_context(way)


async def identify(door: Door, endpoint: Endpoint, *, has_token: bool) -> Endpoint:
    """The endpoint with the kind of server that answers there. The token is shown only to a halext."""
    kind = await detect(door, endpoint)
    secret = TOKEN if kind == "halext" and endpoint.secret is None and has_token else endpoint.secret
    return replace(endpoint, kind=kind, secret=secret)


async def _together(
    endpoints: Sequence[Endpoint], door: Door, background: Background, access: Access, *, identified: bool = False
) -> FleetControl:
    clock = SystemClock()
    registry = Registry(records=None, clock=clock, publish=_tell_nobody)
    prober = Prober(registry, drivers(door), clock)

    def look_again(endpoint: EndpointId) -> None:
        background.spawn(prober.look(endpoint), f"look at {endpoint}")

    options = Options(default_model=access.default_model)
    gateway = Gateway(registry=registry, drivers=drivers(door), clock=clock, options=options, look_again=look_again)
    for endpoint in endpoints:
        await registry.add(Node(name=endpoint.node, endpoints=(endpoint,), created_at=clock.now()))
    fleet = Fleet(
        clock=clock,
        door=door,
        drivers=drivers(door),
        registry=registry,
        prober=prober,
        gateway=gateway,
        studio=open_studio(gateway, registry, door, clock, background, look_again),
    )
    unknown = () if identified else endpoints
    return FleetControl(fleet, Looker(fleet, background, unknown, has_token=access.token is not None))


def endpoints_of(urls: Sequence[str], access: Access) -> dict[str, Endpoint]:
    """URL to endpoint, one node each: named like its host, with the port where a host has several. Does not wait."""
    places = {url: place(url) for url in urls}
    if strangers := sorted(set(access.headers) - set(places)):
        raise InvalidInput(f"There are headers for {strangers[0]!r}, which is not among the URLs.")
    hosts = Counter(spot.host for spot in places.values())
    endpoints = {
        url: _endpoint(spot, with_port=hosts[spot.host] > 1, has_headers=url in access.headers, access=access)
        for url, spot in places.items()
    }
    if len({endpoint.url for endpoint in endpoints.values()}) < len(endpoints):
        raise InvalidInput("Two of the URLs lead to the same server; name it once.")
    return endpoints


def _endpoint(spot: Place, *, with_port: bool, has_headers: bool, access: Access) -> Endpoint:
    host = spot.host.replace(":", "-").strip("-")
    name = f"{host}-{spot.port}" if with_port else host
    return Endpoint(
        id=EndpointId(name),
        node=NodeName(name),
        kind="ollama",  # until its server has answered
        url=spot.url,
        cidrs=ANYWHERE,
        secret=SecretRef(name) if has_headers else None,
        insecure=access.insecure,
    )


async def _is_ollama_here() -> bool:
    door = Door()
    try:
        return await detect(door, next(iter(endpoints_of([OLLAMA_HERE], Access()).values()))) == "ollama"
    except UpstreamError:
        return False
    finally:
        await door.aclose()


async def _builtin(stack: AsyncExitStack) -> str:
    """The URL of the built-in model, which runs as a child until the stack unwinds."""
    from halext.hosts.llama import BuiltinModel, builtin_missing

    advice = "start Ollama, or name a server as in halext.connect('http://mac.local:11434')"
    if missing := builtin_missing():
        raise NoNodeOnline(f"No HALEXT_URL is set and no Ollama runs here; {advice}. {missing}")
    model = BuiltinModel(SystemClock())
    background = await stack.enter_async_context(Background())
    background.spawn(model.run(), "the built-in model")
    try:
        async with asyncio.timeout(BUILTIN_START_S):
            await model.child.wait_ready()
    except TimeoutError:
        raise NoNodeOnline(f"The built-in model did not start within {BUILTIN_START_S:.0f} s; {advice}.") from None
    return model.url


def _tell_nobody(_event: Event) -> None:
    """The library has no alerts; `nodes` shows how everything is."""


# --- using ---


class Looker:
    """Keeps what is known of the nodes young enough, and finds out what speaks at an address that was silent before."""

    def __init__(self, fleet: Fleet, background: Background, unknown: Sequence[Endpoint], *, has_token: bool) -> None:
        self._fleet = fleet
        self._background = background
        self._unknown = {endpoint.id for endpoint in unknown}
        self._looked_at: dict[EndpointId, float] = {}
        self._has_token = has_token
        self._looking: asyncio.Event | None = None

    async def fresh(self, max_age_s: float, can: Capability | None = None) -> None:
        """Wait until the nodes have been looked at, or until some have and the others take too long.

        Where only models that `can` do something help, one of those must have been seen.
        """
        if self._looking is None:
            self._looking = asyncio.Event()
            self._background.spawn(self._look(self._looking, max_age_s), "look at the nodes")
        done = self._looking
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await done.wait()
        if not self._knows(can):
            await done.wait()

    def _knows(self, can: Capability | None) -> bool:
        models = self._fleet.registry.known_models()
        return any(can is None or can in model.capabilities for model in models)

    async def _look(self, done: asyncio.Event, max_age_s: float) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for state in self._fleet.registry.states():
                    if self._fleet.clock.monotonic() - self._looked_at.get(state.endpoint.id, -max_age_s) >= max_age_s:
                        group.create_task(self._look_at(state.endpoint))
        finally:
            self._looking = None
            done.set()

    async def _look_at(self, endpoint: Endpoint) -> None:
        self._looked_at[endpoint.id] = self._fleet.clock.monotonic()
        if endpoint.id in self._unknown:
            try:
                found = await identify(self._fleet.door, endpoint, has_token=self._has_token)
            except UpstreamError as error:
                self._fleet.registry.missed(endpoint.id, error)
                return
            self._unknown.discard(endpoint.id)
            if found != endpoint:
                await self._replace(found)
        await self._fleet.prober.look(endpoint.id)

    async def _replace(self, endpoint: Endpoint) -> None:
        """Nothing has been sent there yet, so nothing is lost by forgetting what the endpoint was taken for."""
        node = await self._fleet.registry.remove(endpoint.node)
        await self._fleet.door.forget(endpoint.id)
        await self._fleet.registry.add(replace(node, endpoints=(endpoint,)))


class FleetControl(LocalControl):
    """A fleet in this process that is looked at whenever somebody asks."""

    def __init__(self, fleet: Fleet, looker: Looker) -> None:
        super().__init__(fleet, LOCAL)
        self._looker = looker

    async def call(self, operation: Operation[P, R], params: P) -> R:
        """Run the verb here. Raises `NotOffered` for what takes a halext with people and a database."""
        if operation.needs_house:
            raise NotOffered("That takes a halext server: halext.connect('https://ai.example.org', token='hx_…').")
        if operation.path == IMAGES:
            await self._looker.fresh(MAX_AGE_S, "image")
        elif not operation.path.startswith(IMAGES):  # a job under way knows its node; to stop it nobody should wait
            await self._looker.fresh(MAX_SHOWN_AGE_S)
        return await super().call(operation, params)

    def generate(self, request: TextRequest, node: NodeName | None = None) -> FreshAnswer:
        """Ask through the gateway of this process."""
        return FreshAnswer(self._fleet, self._ask(request, node), self._looker)

    async def embed(self, request: EmbedRequest, node: NodeName | None = None) -> EmbedReply:
        """Embed through the gateway of this process."""
        await self._looker.fresh(MAX_AGE_S)
        return await super().embed(request, node)


class FreshAnswer(LocalAnswer):
    """An answer that is routed by a fresh look."""

    def __init__(self, fleet: Fleet, ask: Ask, looker: Looker) -> None:
        super().__init__(fleet, ask)
        self._looker = looker

    async def __aiter__(self) -> AsyncIterator[ChatChunk]:
        await self._looker.fresh(MAX_AGE_S)
        async for chunk in super().__aiter__():
            yield chunk
