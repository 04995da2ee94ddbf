from __future__ import annotations

from halext.accounts.types import LOCAL
from halext.gateway.records import Records
from halext.gateway.types import Record
from halext.nodes.registry import Registry
from halext.runtime.metrics.meter import Meter
from halext.testing.clock import ManualClock
from halext.types import ModelName, RequestId


def test_it_listens_from_the_beginning() -> None:
    records, clock = Records(), ManualClock()
    meter = Meter(records, Registry(records=None, clock=clock, publish=lambda _event: None), clock)
    records.ended(Record(RequestId("r"), LOCAL, ModelName("m"), 0.0, "image", outcome="done"))
    assert meter.ends.families()[0].values == {("image", "done"): 1}
    assert meter.lag.worst_s is None
