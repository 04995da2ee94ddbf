from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from telegram import Update

from halext.testing.botapi.updates import Webhook
from halext.testing.botapi.webhook import problem
from halext.testing.server import Exchange, HttpServer, Request
from halext.testing.telegram import FakeTelegram


class Receiver:
    """A bot's webhook that answers as told, with 200 when nothing is left to tell."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: list[tuple[int, bytes]] = []
        self.came = asyncio.Event()
        self.server = HttpServer(self._handle)

    async def _handle(self, exchange: Exchange) -> None:
        self.requests.append(exchange.request)
        self.came.set()
        status, body = self.answers.pop(0) if self.answers else (200, b"")
        await exchange.send(status, body)


@asynccontextmanager
async def hooked(**values: Any) -> AsyncIterator[tuple[FakeTelegram, Receiver]]:
    receiver = Receiver()
    async with receiver.server, FakeTelegram(scale=1000) as telegram:
        telegram.updates.set_webhook(Webhook(f"{receiver.server.url}/hook?a=b", **values))
        yield telegram, receiver


async def until(condition: Callable[[], bool], event: asyncio.Event) -> None:
    async with asyncio.timeout(5):
        while not condition():
            event.clear()
            await event.wait()


async def test_updates_are_brought_with_the_secret() -> None:
    async with hooked(secret="s3cret") as (telegram, receiver):
        ada = telegram.user("Ada")
        ada.say("one")
        ada.say("two")
        await until(lambda: len(receiver.requests) == 2, receiver.came)
        requests = receiver.requests
        updates = [Update.de_json(request.json()) for request in requests]
        assert [update.message and update.message.text for update in updates] == ["one", "two"]
        assert {request.headers["x-telegram-bot-api-secret-token"] for request in requests} == {"s3cret"}
        assert (requests[0].path, requests[0].query) == ("/hook", {"a": "b"})


async def test_what_is_not_taken_comes_again() -> None:
    async with hooked() as (telegram, receiver):
        receiver.answers = [(500, b""), (404, b"")]
        telegram.user("Ada").say("one")
        await until(lambda: len(receiver.requests) == 3, receiver.came)
        assert len({request.json()["update_id"] for request in receiver.requests}) == 1
        assert len(telegram.updates.delivered) == 3
        assert "x-telegram-bot-api-secret-token" not in receiver.requests[0].headers


async def test_a_webhook_may_answer_with_a_call() -> None:
    async with hooked() as (telegram, receiver):
        ada = telegram.user("Ada")
        call = b'{"method": "sendMessage", "chat_id": %d, "text": "%s"}'
        receiver.answers = [(200, call % (ada.id, b"yes")), (200, call % (ada.id, b" ")), (200, b'["x"]'), (200, b"OK")]
        for _ in range(4):
            ada.say("hello")
        await until(lambda: len(receiver.requests) == 4, receiver.came)
        await telegram.until(lambda: len(telegram.calls) == 2)
        assert [message.text for message in telegram.answers(ada.chat)] == ["yes"]
        assert [call.status for call in telegram.calls] == [200, 400]


async def test_nobody_there() -> None:
    async with FakeTelegram(scale=1000) as telegram:
        telegram.updates.set_webhook(Webhook("http://127.0.0.1:1/"))
        telegram.user("Ada").say("one")
        await telegram.until(lambda: len(telegram.updates.delivered) >= 2)
        assert telegram.updates.last_error


@pytest.mark.parametrize(
    ("url", "secret", "found"),
    [
        ("https://example.org/x", "", ""),
        ("https://example.org:8443/x", "abc-_9", ""),
        ("http://localhost:5/x", "", ""),
        ("http://example.org/x", "", "HTTPS URL must be provided"),
        ("https://example.org:9000/x", "", "only on ports"),
        ("https://example.org:port/x", "", "invalid URL"),
        ("https://example.org/x", "é", "unallowed characters"),
    ],
)
def test_where_telegram_delivers_to(url: str, secret: str, found: str) -> None:
    assert found in problem(Webhook(url, secret))
    assert bool(problem(Webhook(url, secret))) == bool(found)
