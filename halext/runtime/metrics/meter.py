"""What is measured while halext runs."""

from __future__ import annotations

from halext.gateway.records import Records
from halext.nodes.registry import Registry
from halext.runtime.metrics.ends import Ends
from halext.runtime.metrics.lag import Lag
from halext.types import Clock


class Meter:
    """Counts from the beginning, whether anyone asks or not: it costs some microseconds per request."""

    def __init__(self, records: Records, registry: Registry, clock: Clock) -> None:
        self.ends = Ends(registry)
        self.lag = Lag(clock)
        records.listen(self.ends.hear)
