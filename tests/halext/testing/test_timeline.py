from __future__ import annotations

import asyncio

import pytest

from halext.testing.timeline import Entry, Timeline


def test_entries_are_found_by_kind_and_model() -> None:
    timeline = Timeline()
    timeline.add(Entry("arrival", 1.0, "a", 1))
    timeline.add(Entry("done", 2.0, "a", 1))
    timeline.add(Entry("done", 3.0, "b", 2))
    assert [entry.at for entry in timeline.of("done")] == [2.0, 3.0]
    assert [entry.at for entry in timeline.of("done", model="B:latest")] == [3.0]
    assert [entry.kind for entry in timeline.of(model="a")] == ["arrival", "done"]
    assert len(timeline) == 3
    assert timeline[-1].model == "b"
    assert [entry.at for entry in timeline[:2]] == [1.0, 2.0]
    assert "2.000 done a #1" in repr(timeline)


async def test_waiting_ends_with_the_entry_that_is_waited_for() -> None:
    timeline = Timeline()
    waiting = asyncio.create_task(timeline.wait_for("done", model="b", count=2))
    for at, model in enumerate("bab"):
        await asyncio.sleep(0)
        assert not waiting.done()
        timeline.add(Entry("done", float(at), model))
    assert (await waiting).at == 2.0


async def test_waiting_in_vain_ends_too() -> None:
    with pytest.raises(TimeoutError):
        await Timeline().wait_for("done", timeout_s=0.01)
