from __future__ import annotations

import json
from typing import Any

from halext.errors import Forbidden
from halext.runtime.shapes_alerts import IncidentInfo, ListAlerts, NoticeInfo
from tests.halext.cli.conftest import FakeControl, Run


def an_incident(**changed: Any) -> IncidentInfo:
    fields: dict[str, Any] = {
        "id": 7,
        "node": "mac",
        "rule": "node-offline",
        "reason": "refuses the connection",
        "started_at": 1_000.0,
        "fired_at": 1_300.0,
        "ended_at": None,
        "ending": None,
        "told": [],
    }
    return IncidentInfo(**{**fields, **changed})


def test_each_incident_is_a_line(control: FakeControl, run: Run) -> None:
    slack = NoticeInfo(place="webhook/slack", state="told", attempts=0, error="")
    discord = NoticeInfo(place="webhook/discord", state="waiting", attempts=2, error="Discord is away.")
    control.answers["list_alerts"] = [
        an_incident(told=[slack, discord]),
        an_incident(id=6, ended_at=1_750.0, ending="back"),
        an_incident(
            id=5,
            ended_at=1_750.0,
            ending="removed",
            told=[
                NoticeInfo(place="discord", state="given-up", attempts=0, error=""),
                NoticeInfo(place="telegram", state="waiting", attempts=0, error=""),
            ],
        ),
    ]
    titles, first, second, third = run("alerts").out.splitlines()
    assert titles.split() == ["ID", "NODE", "SINCE", "LASTED", "TOLD", "REASON"]
    assert "open" in first
    assert "webhook/slack, webhook/discord (not yet: Discord is away.)" in first
    assert first.endswith("refuses the connection")
    assert "12.5 min" in second
    assert "nobody yet" in second
    assert "12.5 min, then removed" in third
    assert "discord (given up), telegram (not yet)" in third
    assert json.loads(run("alerts", "--json").out)[0]["node"] == "mac"
    assert control.calls[0] == ("list_alerts", ListAlerts())


def test_only_what_is_open(control: FakeControl, run: Run) -> None:
    control.answers["list_alerts"] = []
    assert run("alerts", "--open").err == "No node is missing.\n"
    assert control.calls == [("list_alerts", ListAlerts(open=True))]
    assert run("alerts").err == "No node has been offline for long.\n"
    assert run("alerts", "--json").out == "[]\n"


def test_a_right_is_needed(control: FakeControl, run: Run) -> None:
    control.answers["list_alerts"] = Forbidden()
    assert run("alerts").code == 1
