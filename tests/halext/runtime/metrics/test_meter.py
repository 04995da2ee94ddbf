from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from halext.accounts.types import LOCAL
from halext.gateway.types import Record
from halext.runtime.app import App
from halext.runtime.metrics.meter import scrape
from halext.types import ModelName, RequestId


async def test_a_request_that_ended_is_in_the_next_scrape(app: App) -> None:
    before = await scrape(app)
    record = Record(RequestId("r"), LOCAL, ModelName("m"), 0.0, "chat", outcome="failed")
    app.gateway.records.add(record)
    assert b'outcome="refused"' not in before
    app.gateway.records.ended(record)
    families = {family.name: family for family in text_string_to_metric_families((await scrape(app)).decode())}
    (sample,) = families["halext_requests"].samples
    assert (sample.labels, sample.value) == ({"kind": "chat", "outcome": "refused"}, 1)
    assert "halext_process_resident_memory_bytes" in families
