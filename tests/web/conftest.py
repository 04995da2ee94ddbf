"""A whole halext behind its real HTTP door, with one node whose every word the test decides."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

import httpx
import pytest

from halext.accounts.audit.log import AuditLog
from halext.accounts.audit.store import AuditStore
from halext.accounts.invites.desk import Invites
from halext.accounts.ledger import UsageLedger
from halext.accounts.links.desk import Links
from halext.accounts.passwords import Passwords
from halext.accounts.people import People
from halext.accounts.quotas.desk import Quotas
from halext.accounts.store import UsageStore
from halext.accounts.types import Role
from halext.accounts.workspaces.desk import Workspaces
from halext.alerts.types import Rule
from halext.alerts.watch import Watch
from halext.chat.answers import Answers
from halext.chat.arrivals.store import ArrivalStore
from halext.chat.later import KIND, Later
from halext.chat.places import Places
from halext.chat.showings.store import ShowingStore
from halext.cluster.memory import MemoryCluster
from halext.errors import UpstreamError
from halext.gateway.cache import AnswerCache
from halext.gateway.dispatch import Gateway, Options
from halext.images.studio import Studio
from halext.jobs.desk import JobDesk
from halext.jobs.types import Kind as JobKind
from halext.messages import ChatChunk, Done, EmbedReply, EmbedRequest, TextRequest, Timings, Usage
from halext.nodes.registry import Registry
from halext.nodes.types import Node
from halext.runtime import request
from halext.runtime.app import App
from halext.runtime.background import Background
from halext.runtime.clock import SystemClock
from halext.runtime.feed import Feed
from halext.runtime.metrics.meter import Meter
from halext.runtime.redaction import redact
from halext.runtime.settings import Settings
from halext.storage.engine import Database, open_database
from halext.storage.schema import upgrade
from halext.storage.scope import Scope
from halext.tasks.desk import Desk
from halext.tunnel.hub import Tunnels
from halext.tunnel.store import TunnelStore
from halext.types import Clock, EndpointId, Kind, ModelName, NodeName
from halext.upstream import Driver, Endpoint, ModelDetails, ModelInfo, RunningModel, Sighting
from halext.vault.box import Vault
from halext.vault.cipher import Cipher, new_key
from halext.vault.store import SecretStore
from halext_web.service import WebService
from tests.canaries import LOCAL, look_at_objects

MODEL = "llama3.2:3b"
EMBEDDER = "nomic-embed-text:latest"
PATIENCE_S = 10.0
"""Nothing here takes long; a test that waits for this has failed."""


def pieces(*texts: str) -> list[ChatChunk]:
    """An answer of these pieces with an honest end."""
    usage = Usage(prompt_tokens=7, completion_tokens=len(texts))
    timings = Timings(total_s=1.0, load_s=0.1, prompt_s=0.1, eval_s=0.5)
    return [*(ChatChunk(text=text) for text in texts), ChatChunk(done=Done("stop", usage, timings))]


@dataclass
class Script:
    """What the node says, and where it stops to wait or fails. Piece 0 is the first."""

    answer: Sequence[ChatChunk] = field(default_factory=lambda: pieces("Hel", "lo"))
    gates: dict[int, asyncio.Event] = field(default_factory=dict)
    errors: dict[int, UpstreamError] = field(default_factory=dict)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[TextRequest | EmbedRequest] = field(default_factory=list)

    def say(self, *texts: str) -> None:
        """Answer with these pieces."""
        self.answer = pieces(*texts)

    def hold(self, piece: int) -> asyncio.Event:
        """Wait before this piece until the event is set."""
        return self.gates.setdefault(piece, asyncio.Event())


class ScriptedDriver:
    """Speaks for the node."""

    def __init__(self, script: Script) -> None:
        self.script = script

    async def look(self, endpoint: Endpoint) -> Sighting:
        return SIGHTING

    async def show(self, endpoint: Endpoint, model: ModelName) -> ModelDetails:
        return ModelDetails(SIGHTING.models[0], template="{{ .Prompt }}")

    async def generate(self, endpoint: Endpoint, request: TextRequest) -> AsyncGenerator[ChatChunk, None]:
        script = self.script
        script.requests.append(request)
        script.began.set()
        try:
            for number, piece in enumerate(script.answer):
                if gate := script.gates.get(number):
                    await gate.wait()
                if error := script.errors.get(number):
                    raise error
                yield piece
        finally:
            script.closed.set()

    async def embed(self, endpoint: Endpoint, request: EmbedRequest) -> EmbedReply:
        self.script.requests.append(request)
        return EmbedReply(tuple((0.5, float(len(text))) for text in request.inputs), Usage(prompt_tokens=3))

    async def unload(self, endpoint: Endpoint, model: ModelName) -> None:
        raise AssertionError("no client may unload")


SIGHTING = Sighting(
    version="0.30.0",
    models=(
        ModelInfo(ModelName(MODEL), "d" * 64, 2_000_000_000, "llama", "3.2B", "Q4_K_M", 8192, frozenset({"chat"})),
        ModelInfo(ModelName(EMBEDDER), "e" * 64, 200_000_000, "bert", "137M", "F16", 2048, frozenset({"embed"})),
    ),
    running=(RunningModel(ModelName(MODEL), "d" * 64, 2_000_000_000, 2_000_000_000),),
)


@dataclass
class House:
    """An open halext and the ways to talk to it."""

    app: App
    script: Script
    token: str = field(repr=False)
    url: str = ""

    @property
    def auth(self) -> dict[str, str]:
        """The header that lets a member in."""
        return {"Authorization": f"Bearer {self.token}"}

    def client(self, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
        """A client of this house; unless told otherwise it is a member with an API token."""
        return httpx.AsyncClient(
            base_url=self.url, headers=self.auth if headers is None else headers, timeout=PATIENCE_S, trust_env=False
        )


class OpenHouse(Protocol):
    """Opens a house that listens."""

    async def __call__(
        self, *, clock: Clock | None = None, builtin: bool = False, people: bool = True, **settings: Any
    ) -> House:
        """The house, with the admin Ada and the member Mia unless told otherwise; it is closed after the test."""


@dataclass(frozen=True)
class Furniture:
    """Databases to copy: one without rows, and one with the admin Ada and the member Mia, whose API token this is."""

    empty: Path
    lived_in: Path
    token: str


@pytest.fixture(scope="session")
def furniture(tmp_path_factory: pytest.TempPathFactory) -> Furniture:
    """Made once: writing every row safely to the disk takes its time."""
    folder = tmp_path_factory.mktemp("furniture")

    async def make() -> Furniture:
        async with _opened(folder / "empty.db") as database:
            await upgrade(database)
        shutil.copy(folder / "empty.db", folder / "lived-in.db")
        async with _opened(folder / "lived-in.db") as database:
            token = await _move_in(make_app(database, Script(), Settings(data_dir=folder), SystemClock(), Background()))
        return Furniture(folder / "empty.db", folder / "lived-in.db", token)

    return asyncio.run(make())


@asynccontextmanager
async def _opened(path: Path) -> AsyncIterator[Database]:
    database = open_database(f"sqlite:///{path}")
    try:
        yield database
    finally:
        await database.close()


def make_app(database: Database, script: Script, settings: Settings, clock: Clock, background: Background) -> App:
    """The rooms, without the edges that no test here touches."""
    scope = Scope(database)
    driver = ScriptedDriver(script)

    def drivers(kind: Kind) -> Driver:
        return driver

    registry = Registry(records=None, clock=clock, publish=lambda event: None)
    ledger = UsageLedger(UsageStore(scope), clock)
    quotas = Quotas(scope, clock)
    audit = AuditLog(AuditStore(scope), clock, scrub=redact, request_id=request.current)
    nobody = cast("Any", None)
    counters = MemoryCluster(clock)
    passwords = Passwords(time_cost=1, memory_kib=64)
    people = People(scope, passwords=passwords, counters=counters, clock=clock, audit=audit)
    cache = AnswerCache(clock) if settings.cache else None
    gateway = Gateway(
        registry=registry, drivers=drivers, clock=clock, ledger=ledger, quota=quotas, cache=cache, options=Options()
    )
    return App(
        clock=clock,
        door=nobody,
        drivers=drivers,
        registry=registry,
        prober=nobody,
        gateway=gateway,
        answers=(answers := Answers(scope, gateway, clock, background.spawn)),
        workspaces=Workspaces(scope, clock, answers.look_again),
        places=Places(scope),
        showings=partial(ShowingStore, scope),
        arrivals=partial(ArrivalStore, scope),
        desk=Desk(scope, gateway, clock),
        jobs=JobDesk(scope, {KIND: JobKind(Later(gateway))}),
        studio=Studio(
            registry=registry,
            painters={},
            clock=clock,
            spawn=background.spawn,
            records=gateway.records,
            new_id=gateway.new_id,
            quota=quotas,
        ),
        roster=TunnelStore(scope),
        tunnels=Tunnels(),
        settings=settings,
        database=database,
        vault=Vault(SecretStore(scope), Cipher([new_key()]), clock),
        people=people,
        invites=Invites(scope, passwords=passwords, counters=counters, clock=clock, audit=audit),
        links=Links(scope, people.caller_of, counters, clock),
        ledger=ledger,
        audit=audit,
        quotas=quotas,
        lock=nobody,
        background=background,
        feed=Feed(),
        meter=Meter(gateway.records, registry, clock),
        watch=Watch(scope, registry.states, clock, {}, Rule()),
        webhooks=nobody,
        notifiers={},
        local_token=LOCAL,
    )


@asynccontextmanager
async def listening(app: App) -> AsyncIterator[None]:
    """Run the door until the block ends."""
    ready = asyncio.Event()
    serving = asyncio.get_running_loop().create_task(WebService().run(app, lambda line: ready.set()))
    watching = asyncio.get_running_loop().create_task(ready.wait())
    try:
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait({serving, watching}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        yield
    finally:
        watching.cancel()
        serving.cancel()
        await asyncio.gather(serving, watching, return_exceptions=True)


async def _move_in(app: App) -> str:
    """Ada and Mia, and an API token of Mia's."""
    await app.people.claim_first_admin(await app.people.first_admin_code() or "", "Ada", "correct horse")
    await app.people.add_user("Mia", Role.MEMBER, "battery staple")
    session, _ = await app.people.sign_in("Mia", "battery staple")
    token, _ = await app.people.create_token(await app.people.caller_for(session), "tests", scopes=["all"])
    return token


@pytest.fixture
async def open_house(tmp_path: Path, furniture: Furniture) -> AsyncIterator[OpenHouse]:
    """Opens houses with settings of the test's choice."""
    stack = AsyncExitStack()
    opened: list[App] = []

    async def open_it(
        *, clock: Clock | None = None, builtin: bool = False, people: bool = True, **settings: Any
    ) -> House:
        path = Path(shutil.copy(furniture.lived_in if people else furniture.empty, tmp_path / "halext.db"))
        database = await stack.enter_async_context(_opened(path))
        script = Script()
        own = Settings(data_dir=tmp_path, **({"port": 0} | settings))
        background = await stack.enter_async_context(Background())
        app = make_app(database, script, own, clock or SystemClock(), background)
        background.spawn(app.quotas.run(), "quotas")
        endpoint = Endpoint(EndpointId("mac/ollama"), NodeName("mac"), "ollama", "http://127.0.0.1:1", slots=4)
        await app.registry.add(Node(NodeName("mac"), (endpoint,), builtin=builtin))
        app.registry.saw(endpoint.id, SIGHTING, asked_at=app.clock.now())
        await stack.enter_async_context(listening(app))
        opened.append(app)
        return House(app, script, furniture.token if people else "", app.base_url)

    async with stack:
        yield open_it
        for app in opened:
            look_at_objects(app)


@pytest.fixture
async def house(open_house: OpenHouse) -> House:
    """A house as it comes."""
    return await open_house()


@pytest.fixture
async def stranger(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """Someone without any credential."""
    async with house.client(headers={}) as client:
        yield client


@pytest.fixture
async def member(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """Someone with an API token and no more rights than most."""
    async with house.client() as client:
        yield client
