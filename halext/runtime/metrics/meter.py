"""What is measured while halext runs, and how it is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from halext.gateway.records import Records
from halext.nodes.registry import Registry
from halext.runtime.metrics.ends import Ends
from halext.runtime.metrics.lag import Lag
from halext.types import Clock

if TYPE_CHECKING:
    from halext.runtime.app import App


class Meter:
    """Counts from the beginning, whether anyone asks or not: it costs some microseconds per request."""

    def __init__(self, records: Records, registry: Registry, clock: Clock) -> None:
        self.ends = Ends(registry)
        self.lag = Lag(clock)
        records.listen(self.ends.hear)


async def scrape(app: App) -> bytes:
    """Everything in Prometheus' text format, also while the database is away."""
    from halext.runtime.metrics import house, text

    families = [*app.meter.ends.families(), *await house.families(app)]
    return await asyncio.to_thread(text.render, families)
