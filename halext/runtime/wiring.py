"""The composition root: opens edges, builds rooms, hands each what it declared that it needs.

Everything is opened on one stack; closing the house is the stack unwinding.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from halext.accounts.audit.log import AuditLog
from halext.accounts.audit.store import AuditStore
from halext.accounts.invites.desk import Invites
from halext.accounts.ledger import UsageLedger
from halext.accounts.links.desk import Links
from halext.accounts.passwords import Passwords
from halext.accounts.people import People
from halext.accounts.quotas.desk import Quotas
from halext.accounts.quotas.types import Quota
from halext.accounts.store import UsageStore
from halext.accounts.types import Counters
from halext.accounts.workspaces.desk import Workspaces
from halext.alerts.types import Notifier, Rule
from halext.alerts.watch import Watch
from halext.chat.answers import Answers
from halext.chat.arrivals.store import ArrivalStore
from halext.chat.later import KIND, Later
from halext.chat.places import Places
from halext.chat.showings.store import ShowingStore
from halext.cluster.connect import open_cluster
from halext.cluster.types import Cluster
from halext.errors import DatabaseUnavailable
from halext.gateway.cache import AnswerCache
from halext.gateway.dispatch import Gateway, Options
from halext.hosts.files import private_dir
from halext.hosts.lock import DataDirLock
from halext.jobs.desk import JobDesk
from halext.jobs.types import Kind
from halext.nodes.prober import Prober
from halext.nodes.registry import Registry
from halext.nodes.store import NodeStore
from halext.runtime import masterkey, request
from halext.runtime.alerting import Webhooks
from halext.runtime.app import App
from halext.runtime.background import Background
from halext.runtime.clock import SystemClock
from halext.runtime.feed import Feed
from halext.runtime.metrics.meter import Meter
from halext.runtime.own_places import named_places, own_places
from halext.runtime.redaction import redact, remember
from halext.runtime.settings import Settings, secrets_of
from halext.runtime.studio import open_studio
from halext.runtime.vaulting import open_vault
from halext.storage import schema
from halext.storage.engine import Database, open_database
from halext.storage.scope import Scope
from halext.tasks.desk import Desk
from halext.tunnel.hub import Changed, Tunnels, down
from halext.tunnel.store import TunnelStore
from halext.types import Clock, EndpointId, NodeName
from halext.upstreams.http import Door
from halext.upstreams.kinds import drivers
from halext.vault.box import Vault

LAST_TRIES = 3
LAST_PAUSE_S = 1.0


def database_url(settings: Settings) -> str:
    """Where the database is: as set, else a file in the data directory."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return f"sqlite:///{settings.data_dir / 'halext.db'}"


@asynccontextmanager
async def open_database_only(settings: Settings) -> AsyncIterator[Database]:
    """The database as it is, whatever its schema; for `halext db`. Takes the data directory's lock on SQLite."""
    async with AsyncExitStack() as stack:
        private_dir(settings.data_dir)
        if settings.database_url is None:
            stack.enter_context(DataDirLock(settings.data_dir))
        database = open_database(database_url(settings))
        stack.push_async_callback(database.close)
        yield database


@asynccontextmanager
async def open_app(settings: Settings, clock: Clock | None = None) -> AsyncIterator[App]:
    """A whole house, open until the block ends; nothing in it runs on a schedule yet, and no door is open.

    Raises `DataDirUnusable`, `AlreadyRunning` (another halext has this data directory), `SchemaMismatch`,
    `DatabaseUnavailable`, `InvalidSetting` and `MissingExtra`, each with what to do.
    """
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        lock = _lock(settings, stack)
        database = await _database(settings, stack)
        scope = Scope(database)
        cluster = _cluster(settings, clock, stack)
        audit = _audit(scope, clock, stack)
        vault = await open_vault(settings, scope, clock, audit)
        people = _people(settings, scope, passwords := Passwords(), cluster, clock, audit, stack)
        ledger = _ledger(scope, clock, stack)
        quotas = _quotas(scope, clock, stack)
        tunnels = await _tunnels(roster := TunnelStore(scope))
        door = await _door(settings, vault, clock, tunnels, stack)
        feed = Feed()
        registry = await _registry(scope, clock, feed, stack)
        background = await _background(stack, people, ledger, audit, quotas)
        prober = Prober(registry, drivers(door), clock)
        tunnels.listen(_tunnel_listener(registry, prober, background))
        look_again = _look_again(prober, background)
        gateway = _gateway(settings, registry, door, clock, ledger, quotas, look_again)
        notifiers: dict[str, Notifier] = {}
        yield App(
            clock=clock,
            door=door,
            drivers=drivers(door),
            registry=registry,
            prober=prober,
            gateway=gateway,
            studio=open_studio(gateway, registry, door, clock, background, look_again, ledger, quotas),
            settings=settings,
            database=database,
            vault=vault,
            people=people,
            invites=Invites(scope, passwords=passwords, counters=cluster, clock=clock, audit=audit),
            links=Links(scope, people.caller_of, cluster, clock),
            ledger=ledger,
            audit=audit,
            quotas=quotas,
            answers=(answers := Answers(scope, gateway, clock, background.spawn)),
            workspaces=Workspaces(scope, clock, answers.look_again),
            places=Places(scope),
            showings=partial(ShowingStore, scope),
            arrivals=partial(ArrivalStore, scope),
            desk=Desk(scope, gateway, clock),
            jobs=JobDesk(scope, {KIND: Kind(Later(gateway))}),
            roster=roster,
            tunnels=tunnels,
            lock=lock,
            background=background,
            feed=feed,
            meter=Meter(gateway.records, registry, clock),
            watch=Watch(scope, registry.states, clock, notifiers, Rule(for_s=settings.alert_offline_s)),
            webhooks=Webhooks(vault, door, notifiers),
            notifiers=notifiers,
        )


async def written(what: str, write: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Write the last of something while the house closes, over a database's bad moment; what is lost is said."""
    for _ in range(LAST_TRIES):
        try:
            await write()
        except DatabaseUnavailable:
            await clock.sleep(LAST_PAUSE_S)
        else:
            return
    logging.getLogger(__name__).error("the last of %s could not be written: the database is away", what)


def _lock(settings: Settings, stack: AsyncExitStack) -> DataDirLock:
    private_dir(settings.data_dir)
    return stack.enter_context(DataDirLock(settings.data_dir))


def _cluster(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Cluster:
    cluster = open_cluster(settings.redis_url.get_secret_value() if settings.redis_url else None, clock)
    stack.push_async_callback(cluster.close)
    return cluster


def _people(
    settings: Settings,
    scope: Scope,
    passwords: Passwords,
    counters: Counters,
    clock: Clock,
    audit: AuditLog,
    stack: AsyncExitStack,
) -> People:
    keys = masterkey.signing_keys(settings)
    people = People(scope, passwords=passwords, counters=counters, clock=clock, signing_keys=keys, audit=audit)
    stack.push_async_callback(people.flush)
    return people


def _audit(scope: Scope, clock: Clock, stack: AsyncExitStack) -> AuditLog:
    audit = AuditLog(AuditStore(scope), clock, scrub=redact, request_id=request.current)
    stack.push_async_callback(written, "the audit log", audit.close, clock)
    return audit


def _ledger(scope: Scope, clock: Clock, stack: AsyncExitStack) -> UsageLedger:
    ledger = UsageLedger(UsageStore(scope), clock)
    stack.push_async_callback(written, "the usage ledger", ledger.flush, clock)
    return ledger


def _quotas(scope: Scope, clock: Clock, stack: AsyncExitStack) -> Quotas:
    quotas = Quotas(scope, clock)
    stack.push_async_callback(written, "the quotas", quotas.flush, clock)
    return quotas


class Runs(Protocol):
    """A room with something to do for as long as the house is open."""

    async def run(self) -> None:
        """Do it until cancelled."""


async def _background(stack: AsyncExitStack, *rooms: Runs) -> Background:
    # Entered last, so that nothing runs any more when what it uses is closed.
    background = await stack.enter_async_context(Background())
    for room in rooms:
        background.spawn(room.run(), type(room).__name__)
    return background


async def _tunnels(roster: TunnelStore) -> Tunnels:
    tunnels = Tunnels()
    if await roster.is_used():
        tunnels.wanted.set()
    return tunnels


async def _registry(scope: Scope, clock: Clock, feed: Feed, stack: AsyncExitStack) -> Registry:
    registry = Registry(records=NodeStore(scope), clock=clock, publish=feed)
    stack.push_async_callback(written, "measured speeds", registry.save_rates, clock)
    await registry.load()
    return registry


async def _door(settings: Settings, vault: Vault, clock: Clock, tunnels: Tunnels, stack: AsyncExitStack) -> Door:
    door = Door(
        vault.reveal_headers,
        clock,
        node_cidrs=settings.node_cidrs,
        own=own_places(settings) | await named_places(settings),
        open_channel=tunnels.open_channel,
    )
    stack.push_async_callback(door.aclose)
    return door


def _look_again(prober: Prober, background: Background) -> Callable[[EndpointId], None]:
    """What the rooms call when a failure makes a look at an endpoint worth while."""

    def look_again(endpoint: EndpointId) -> None:
        background.spawn(prober.look(endpoint), f"look at {endpoint}")

    return look_again


def _gateway(
    settings: Settings,
    registry: Registry,
    door: Door,
    clock: Clock,
    ledger: UsageLedger,
    quota: Quota,
    look_again: Callable[[EndpointId], None],
) -> Gateway:
    return Gateway(
        registry=registry,
        drivers=drivers(door),
        clock=clock,
        ledger=ledger,
        quota=quota,
        cache=AnswerCache(clock) if settings.cache else None,
        options=gateway_options(settings),
        look_again=look_again,
    )


def _tunnel_listener(registry: Registry, prober: Prober, background: Background) -> Changed:
    """A tunnel that ends takes its node out at once; one that comes up is looked through at once."""

    async def look(endpoint: EndpointId) -> None:
        await prober.look(endpoint)
        await prober.look(endpoint)  # an endpoint leaves “offline” with its second good look

    def changed(node: NodeName, /, *, up: bool) -> None:
        for state in registry.states():
            endpoint = state.endpoint
            if endpoint.node != node or endpoint.via != "tunnel":
                continue
            if up:
                background.spawn(look(endpoint.id), f"look at {endpoint.id}")
            else:
                registry.cut_off(endpoint.id, down(endpoint))

    return changed


def gateway_options(settings: Settings) -> Options:
    """The gateway's part of the settings."""
    return Options(
        default_model=settings.default_model, max_waiting=settings.max_waiting, max_wait_s=settings.max_wait_s
    )


async def _database(settings: Settings, stack: AsyncExitStack) -> Database:
    """Open it, and bring a SQLite file up to date (a copy is kept); PostgreSQL is only upgraded when told to.

    It is the first that is opened, and its errors may hold the first secret: from here on all settings' are hidden.
    """
    for secret in secrets_of(settings):
        remember(secret)
    database = open_database(database_url(settings))
    stack.push_async_callback(database.close)
    if database.dialect == "sqlite":
        done = await schema.upgrade(database)
        if done.backup:
            logging.getLogger(__name__).info("database upgraded to %s; a copy is in %s", done.after, done.backup)
    else:
        await schema.require_current(database)
    return database


def run_file(data_dir: Path) -> Path:
    """Where a running halext says how to reach it; readable by its owner only."""
    return data_dir / "run.json"
