from __future__ import annotations

import logging

import pytest

from halext.events import EndpointReadmitted, Event, StatusChanged
from halext.runtime.feed import Feed
from halext.types import EndpointId, NodeName

BACK = EndpointReadmitted(NodeName("mac"), EndpointId("mac"), 5.0)


def test_everyone_hears_everything_and_it_is_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    feed, heard = Feed(), list[Event]()
    feed(BACK)
    feed.listen(heard.append)
    feed.listen(heard.append)
    changed = StatusChanged(NodeName("mac"), EndpointId("mac"), "healthy", "offline", "gone", 6.0)
    feed(changed)
    assert heard == [changed, changed]
    assert [record.getMessage() for record in caplog.records] == ["EndpointReadmitted", "StatusChanged"]
    assert caplog.records[1].__dict__["reason"] == "gone"
