from __future__ import annotations

import pytest

from halext.accounts.types import Caller, Role
from halext.alerts.store import AlertStore
from halext.alerts.types import Fire, Resolve
from halext.errors import Forbidden, InvalidInput
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.shapes_alerts import IncidentInfo, ListAlerts, NoticeInfo
from halext.runtime.verbs import alerts
from halext.storage.scope import Scope
from halext.types import NodeName


async def test_open_and_recent_incidents(app: App, control: LocalControl) -> None:
    assert await control.call(alerts.list_alerts, ListAlerts()) == []
    store = AlertStore(Scope(app.database))
    mac = await store.fire(Fire("node-offline", NodeName("mac"), "off", 10.0), ["webhook/slack"], now=310.0)
    pc = await store.fire(Fire("node-offline", NodeName("pc"), "off", 20.0), [], now=320.0)
    assert mac is not None
    await store.resolve(Resolve(mac, "back"), now=400.0)
    found = await control.call(alerts.list_alerts, ListAlerts())
    assert [(row.id, row.node, row.ended_at, row.ending) for row in found] == [
        (pc, "pc", None, None),
        (mac, "mac", 400.0, "back"),
    ]
    assert found[1] == IncidentInfo(
        id=mac,
        node="mac",
        rule="node-offline",
        reason="off",
        started_at=10.0,
        fired_at=310.0,
        ended_at=400.0,
        ending="back",
        told=[NoticeInfo(place="webhook/slack", state="waiting", attempts=0, error="")],
    )
    assert [row.id for row in await control.call(alerts.list_alerts, ListAlerts(open=True))] == [pc]
    assert [row.id for row in await control.call(alerts.list_alerts, ListAlerts(limit=1))] == [pc]


@pytest.mark.parametrize("limit", [0, -1, 501])
async def test_no_list_without_an_end(control: LocalControl, limit: int) -> None:
    with pytest.raises(InvalidInput):
        await control.call(alerts.list_alerts, ListAlerts(limit=limit))


async def test_members_see_no_alerts(app: App) -> None:
    with pytest.raises(Forbidden):
        await LocalControl(app, Caller("m", Role.MEMBER, "token")).call(alerts.list_alerts, ListAlerts())
