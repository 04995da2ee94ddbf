from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from halext.accounts.types import LOCAL
from halext.errors import DatabaseUnavailable, Unreachable
from halext.gateway.types import Record
from halext.nodes.types import Cordon, Node
from halext.runtime.app import App
from halext.runtime.metrics import names
from halext.runtime.metrics.types import SERIES_MAX, Labels, Spread
from halext.runtime.scrape import capped, families, scrape
from halext.types import EndpointId, ModelName, NodeName, RequestId
from halext.upstream import Endpoint, ModelInfo, RunningModel, Sighting

MAC, PC = EndpointId("mac"), EndpointId("pc")
SEEN = Sighting(
    models=(ModelInfo(ModelName("m")), ModelInfo(ModelName("n"))), running=(RunningModel(ModelName("m"), "", 10**9),)
)


async def told(app: App) -> dict[str, dict[Labels, float | Spread]]:
    return {family.metric.name: dict(family.values) for family in await families(app)}


async def test_nodes_as_they_are(app: App) -> None:
    for name, slots in ((MAC, 4), (PC, None)):
        endpoint = Endpoint(name, NodeName(name), "ollama", f"http://{name}:1", slots=slots)
        await app.registry.add(Node(NodeName(name), (endpoint,)))
    app.registry.saw(MAC, SEEN, asked_at=app.clock.now() - 0.5)
    app.registry.missed(PC, Unreachable(node="pc"))
    now = await told(app)
    assert now["halext_endpoint_up"] == {("mac", "mac", "ollama"): 1, ("pc", "pc", "ollama"): 0}
    assert now["halext_endpoint_status"]["mac", "healthy"] == 1
    assert len(now["halext_endpoint_status"]) == 2
    assert now["halext_endpoint_slots"] == {("mac",): 4}
    assert now["halext_endpoint_requests_in_flight"] == {("mac",): 0, ("pc",): 0}
    assert now["halext_endpoint_models"] == {("mac",): 2}
    assert now["halext_endpoint_resident_models"] == {("mac",): 1}
    assert now["halext_endpoint_resident_bytes"] == {("mac",): 10**9}
    assert set(now["halext_endpoint_check_seconds"]) == {("mac",)}
    assert now["halext_requests_waiting"] == {(): 0}
    await app.registry.set_cordon("mac", Cordon.CORDONED)
    assert (await told(app))["halext_endpoint_up"]["mac", "mac", "ollama"] == 0


async def test_jobs_and_alerts_come_from_the_database_which_is_timed(app: App) -> None:
    now = await told(app)
    assert now["halext_database_up"] == {(): 1}
    assert now["halext_jobs"]["queued",] == now["halext_jobs"]["expired",] == 0
    assert now["halext_alerts_open"] == {(): 0}
    assert () in now["halext_database_ping_seconds"]
    assert "halext_event_loop_lag_seconds" not in now  # nobody has measured it yet


@pytest.mark.parametrize("error", [TimeoutError, DatabaseUnavailable])
async def test_without_the_database_the_rest_is_told(
    app: App, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    async def away(_self: object) -> None:
        raise error

    monkeypatch.setattr(type(app.database), "ping", away)
    await app.meter.lag.sample()
    now = await told(app)
    assert now["halext_database_up"] == {(): 0}
    assert "halext_jobs" not in now
    assert {"halext_build_info", "halext_event_loop_lag_seconds"} <= now.keys()


@pytest.mark.parametrize("many", [3, SERIES_MAX, SERIES_MAX + 1, 5000])
def test_what_is_too_much_is_added_up(many: int) -> None:
    family = capped(names.SLOTS, {(str(number),): 2.0 for number in range(many)})
    assert len(family.values) == min(many, SERIES_MAX)
    assert sum(value for value in family.values.values() if isinstance(value, float)) == 2 * many
    assert (("other",) in family.values) == (many > SERIES_MAX)


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
