from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from telegram import Bot
from telegram.request import HTTPXRequest

from halext.alerts.types import Alert
from halext.errors import HalextError, KeyRefused, NotFound, RateLimited, RequestRefused, Unreachable
from halext.testing.telegram import Chat, FakeTelegram
from halext_bots.shared.boundaries import utf16
from halext_bots.telegram.alerts import AlertChat, told_as
from halext_bots.telegram.entities import MESSAGE_MAX
from halext_bots.telegram.failures import hush

from .conftest import Begin

BEGAN = Alert("hx-1-open", "mac is offline", "Offline since noon. @everyone *x*", False, 0.0, None)
OVER = Alert("hx-1-back", "mac is back", "It was offline for 12 min.", True, 0.0, 720.0)


@pytest.fixture
async def telegram(fake_telegram: Callable[..., Awaitable[FakeTelegram]]) -> FakeTelegram:
    return await fake_telegram(scale=100)


@pytest.fixture
def group(telegram: FakeTelegram) -> Chat:
    return telegram.group("Home", telegram.user("Ada"))


@pytest.fixture
async def alerts(telegram: FakeTelegram, group: Chat) -> AsyncIterator[AlertChat]:
    hush()
    request = HTTPXRequest(httpx_kwargs={"verify": False})
    async with Bot(telegram.token, telegram.base_url, request=request, get_updates_request=request) as bot:
        yield AlertChat(bot, group.id)


async def test_an_incident_is_one_message_that_changes(alerts: AlertChat, telegram: FakeTelegram, group: Chat) -> None:
    ref = await alerts.send(BEGAN)
    (message,) = telegram.answers(group)
    assert message.text == "🔴 mac is offline\nOffline since noon. @\u2060everyone *x*"
    assert [(mark["type"], mark["offset"], mark["length"]) for mark in message.entities] == [("bold", 3, 14)]
    await alerts.edit(ref, OVER)
    await alerts.edit(ref, OVER)
    assert [message.text for message in telegram.answers(group)] == ["✅ mac is back\nIt was offline for 12 min."]


@pytest.mark.parametrize("sign", ["x", "😀", "@", "@😀"])
def test_no_alert_is_too_long(sign: str) -> None:
    long = Alert("k", sign * 5_000, sign * 50_000, False, 0.0, None)
    assert utf16(told_as(long).text.text) <= MESSAGE_MAX


async def test_failures_are_ours(alerts: AlertChat, telegram: FakeTelegram, group: Chat) -> None:
    ref = await alerts.send(BEGAN)
    faults: list[tuple[type[HalextError], dict[str, object]]] = [
        (RateLimited, {"status": 429, "text": "Too Many Requests", "retry_after": 5}),
        (Unreachable, {"cut": "before"}),
        (RequestRefused, {"status": 403, "text": "Forbidden: bot was kicked"}),
        (KeyRefused, {"status": 401, "text": "Unauthorized"}),
    ]
    for kind, fault in faults:
        for method, work in (("sendMessage", alerts.send(BEGAN)), ("editMessageText", alerts.edit(ref, OVER))):
            telegram.faults.at(method, **fault)  # type: ignore[arg-type]
            with pytest.raises(kind) as failure:
                await work
            assert telegram.token not in str(failure.value)
    telegram.answers(group)[0].is_deleted = True
    with pytest.raises(NotFound):
        await alerts.edit(ref, OVER)


async def test_alerts_are_told_there_while_the_bot_is_connected(begin: Begin) -> None:
    scene = await begin(telegram_alert_chat=1001)
    await scene.telegram.until(lambda: scene.app.notifiers and scene.telegram.made("getUpdates"))
    await scene.app.notifiers["telegram"].send(BEGAN)
    await scene.said("mac is offline")
