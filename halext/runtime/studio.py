"""The studio of a house, or of a fleet without one."""

from __future__ import annotations

from collections.abc import Callable

from halext.accounts.quotas.types import Quota
from halext.accounts.types import Ledger
from halext.gateway.dispatch import Gateway
from halext.images.studio import Studio
from halext.nodes.registry import Registry
from halext.runtime.background import Background
from halext.types import Clock, EndpointId
from halext.upstreams.http import Door
from halext.upstreams.kinds import painters


def open_studio(
    gateway: Gateway,
    registry: Registry,
    door: Door,
    clock: Clock,
    background: Background,
    look_again: Callable[[EndpointId], None],
    ledger: Ledger | None = None,
    quota: Quota | None = None,
) -> Studio:
    """A studio beside the gateway: its jobs have ids of the same kind, and stand among the same records."""
    studio = Studio(
        registry=registry,
        painters=painters(door, clock),
        clock=clock,
        spawn=background.spawn,
        records=gateway.records,
        new_id=gateway.new_id,
        ledger=ledger,
        quota=quota,
        look_again=look_again,
    )
    background.spawn(studio.run(), "old pictures")
    return studio
