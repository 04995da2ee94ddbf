"""What is open while halext runs: filled by `wiring`, handed to the doors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from halext.types import Clock

if TYPE_CHECKING:  # the library opens a Fleet alone, and then nothing of the database is ever loaded
    from halext.accounts.audit.log import AuditLog
    from halext.accounts.invites.desk import Invites
    from halext.accounts.ledger import UsageLedger
    from halext.accounts.links.desk import Links
    from halext.accounts.people import People
    from halext.accounts.quotas.desk import Quotas
    from halext.accounts.workspaces.desk import Workspaces
    from halext.alerts.types import Notifier
    from halext.alerts.watch import Watch
    from halext.chat.answers import Answers
    from halext.chat.arrivals.store import ArrivalStore
    from halext.chat.places import Places
    from halext.chat.showings.store import ShowingStore
    from halext.gateway.dispatch import Gateway
    from halext.hosts.lock import DataDirLock
    from halext.images.studio import Studio
    from halext.jobs.desk import JobDesk
    from halext.nodes.prober import Prober
    from halext.nodes.registry import Registry
    from halext.runtime.alerting import Webhooks
    from halext.runtime.background import Background
    from halext.runtime.feed import Feed
    from halext.runtime.metrics.meter import Meter
    from halext.runtime.settings import Settings
    from halext.storage.engine import Database
    from halext.tasks.desk import Desk
    from halext.tunnel.hub import Tunnels
    from halext.tunnel.store import TunnelStore
    from halext.upstream import Drivers
    from halext.upstreams.http import Door
    from halext.vault.box import Vault


@dataclass(slots=True)
class Fleet:
    """Nodes and the way to them: all that it takes to ask a model something, or for pictures."""

    clock: Clock
    door: Door
    drivers: Drivers
    registry: Registry
    prober: Prober
    gateway: Gateway
    studio: Studio


@dataclass(slots=True)
class App(Fleet):
    """A whole halext: the fleet, and the people who use it."""

    settings: Settings
    database: Database
    vault: Vault
    people: People
    invites: Invites
    links: Links
    workspaces: Workspaces
    ledger: UsageLedger
    audit: AuditLog
    quotas: Quotas
    answers: Answers
    places: Places
    showings: Callable[[str], ShowingStore]
    """What a platform's door shows, by the platform's name."""
    arrivals: Callable[[str], ArrivalStore]
    """What came from a platform and was dealt with, by the bot's name."""
    desk: Desk
    jobs: JobDesk
    roster: TunnelStore
    tunnels: Tunnels
    lock: DataDirLock
    background: Background
    feed: Feed
    meter: Meter
    watch: Watch
    webhooks: Webhooks
    notifiers: dict[str, Notifier]
    """Where alerts are told. A door puts its notifier here while it is connected, always under the same name, and takes
    it away when it is not; what can't be told meanwhile is kept."""
    proxy_signs: dict[Literal["untrusted", "silent"], str] = field(default_factory=dict)
    """What the web door saw of proxies that does not fit the settings, and the address that showed it last: one that is
    not trusted and passes requests on, or one that is trusted and does not say for whom."""
    base_url: str = ""
    """Where this instance listens, once it does."""
    local_token: str | None = field(default=None, repr=False)
    """What this machine's command line shows to be let in as its owner; stands in a file that only the owner reads."""
