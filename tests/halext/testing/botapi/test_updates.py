from __future__ import annotations

import asyncio
from typing import Any

import pytest

from halext.testing.botapi.updates import FIRST_ID, Updates, Webhook
from halext.testing.fake import Refusal


@pytest.fixture
def updates() -> Updates:
    made = Updates()
    for number in range(3):
        made.push("message", {"message_id": number})
    return made


def numbers(found: list[dict[str, Any]]) -> list[int]:
    return [update["update_id"] - FIRST_ID for update in found]


async def test_offsets_forget_and_limits_hold(updates: Updates) -> None:
    assert numbers(await updates.poll(0, 2, 0)) == [0, 1]
    assert numbers(await updates.poll(FIRST_ID + 1, 0, 0)) == [1, 2]
    assert numbers(await updates.poll(0, 100, 0)) == [1, 2]
    assert numbers(await updates.poll(-1, 100, 0)) == [2]
    assert numbers(await updates.poll(FIRST_ID + 3, 100, 0)) == []
    assert updates.pending == 0


async def test_a_poll_waits_and_wakes(updates: Updates) -> None:
    updates.drop()
    waiting = asyncio.create_task(updates.poll(0, 100, 30))
    await asyncio.sleep(0)
    assert not waiting.done()
    updates.push("message", {})
    assert numbers(await waiting) == [3]


async def test_a_poll_that_was_given_up_is_nobodys_conflict(updates: Updates) -> None:
    updates.drop()
    waiting = asyncio.create_task(updates.poll(0, 100, 30))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await updates.poll(0, 100, 0) == []


async def test_one_poller_at_a_time(updates: Updates) -> None:
    updates.drop()
    waiting = asyncio.create_task(updates.poll(0, 100, 30))
    await asyncio.sleep(0)
    updates.add_poller(2)
    with pytest.raises(Refusal, match="make sure that only one bot instance is running"):
        await waiting
    with pytest.raises(Refusal, match="terminated by other getUpdates"):
        await updates.poll(0, 100, 30)
    assert await updates.poll(0, 100, 0) == []


async def test_polls_and_webhooks_exclude_each_other(updates: Updates) -> None:
    updates.drop()
    waiting = asyncio.create_task(updates.poll(0, 100, 30))
    await asyncio.sleep(0)
    updates.set_webhook(Webhook("http://127.0.0.1:9/"))
    with pytest.raises(Refusal, match="terminated by setWebhook request"):
        await waiting
    with pytest.raises(Refusal, match="webhook is active"):
        await updates.poll(0, 100, 0)
    updates.set_webhook(None)
    assert await updates.poll(0, 100, 0) == []


async def test_kinds_that_the_bot_asked_for(updates: Updates) -> None:
    updates.drop()
    updates.push("message_reaction", {})
    assert updates.pending == 0
    updates.allow(["message_reaction"])
    updates.allow(None)
    for kind in ("message_reaction", "message"):
        updates.push(kind, {})
    assert [set(update) - {"update_id"} for update in await updates.poll(0, 100, 0)] == [{"message_reaction"}]
    updates.allow([])
    updates.push("message", {})
    assert updates.pending == 2


async def test_repeated_damaged_and_raw_ones(updates: Updates) -> None:
    updates.drop()
    updates.repeat_next(2)
    updates.push("message", {"message_id": 1})
    for _ in range(3):
        assert numbers(await updates.poll(FIRST_ID + 4, 100, 0)) == ([3] if _ < 2 else [])
    updates.damage_next()
    updates.push("callback_query", {"id": "1", "chat_instance": "1"})
    updates.push("message", {"message_id": 1})
    updates.push_raw({"nonsense": 1})
    found = await updates.poll(0, 100, 0)
    assert [update.get("callback_query", update.get("message")) for update in found] == [
        {"id": "1"},
        {"message_id": 1},
        None,
    ]
    assert len(updates.delivered) == 5
