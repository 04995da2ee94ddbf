"""Getting more than one's limit by looking like several: other tokens, doors, addresses, headers or processes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from halext.accounts.policy import SIGN_IN_FAILURES
from halext.accounts.quotas.desk import Quotas
from halext.accounts.quotas.types import Measure, Subject
from halext.accounts.types import Caller, Role
from halext.chat.types import Turn
from halext.errors import QuotaSpent
from halext.runtime.clock import SystemClock
from halext.storage.scope import Scope
from halext.types import UserId
from tests.web.conftest import MODEL, House, OpenHouse

MIA = {"name": "Mia", "password": "battery staple"}
CHAT: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
ROUTES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"prompt": "hi"},
    "/v1/embeddings": {"input": "hi"},
    "/api/chat": CHAT,
    "/api/generate": {"prompt": "hi"},
    "/api/embed": {"input": "hi"},
}
COST = 9
"""Tokens of each answer here."""
PAGE = {"Sec-Fetch-Site": "same-origin"}


async def mia(house: House) -> Caller:
    (user,) = [user for user in await house.app.people.list_users() if user.name == "Mia"]
    return Caller(user.name, user.role, "session", user.id)


async def limit(house: House, answers: int) -> Caller:
    """Mia may have so many answers a day."""
    caller = await mia(house)
    await house.app.quotas.set(Subject("user", str(caller.user_id)), {Measure.TOKENS: answers * COST})
    return caller


async def ask_in_a_chat(house: House, caller: Caller) -> Turn:
    """What a bot does for a linked account."""
    linked = replace(caller, credential="link")
    _, turn = await house.app.answers.ask(linked, "hi")
    async for _ in house.app.answers.follow(linked, turn.id):
        pass
    return await house.app.answers.turn(linked, turn.id)


async def test_tokens_cookie_bot_and_dialects_are_one_count(house: House) -> None:
    caller = await limit(house, 5)
    second, _ = await house.app.people.create_token(caller, "second")
    bearer = {"Authorization": f"Bearer {second}"}
    async with house.client() as first, house.client(bearer) as other, house.client({}) as browser:
        await browser.post("/hx/session", json=MIA)
        answers = [
            await first.post("/v1/chat/completions", json=CHAT),
            await other.post("/api/chat", json=CHAT | {"stream": False}),
            await browser.post("/v1/chat/completions", json=CHAT, headers=PAGE),
        ]
        assert [answer.status_code for answer in answers] == [200] * 3
        assert (await ask_in_a_chat(house, caller)).outcome.error == ""
        streamed = await other.post("/v1/chat/completions", json=CHAT | {"stream": True})
        assert (streamed.status_code, "[DONE]" in streamed.text) == (200, True)
        # Each of the five was another door; none of them has anything left.
        for client, headers in ((first, {}), (other, {}), (browser, PAGE)):
            for path, body in ROUTES.items():
                answer = await client.post(path, json={"model": MODEL} | body, headers=headers)
                assert (answer.status_code, "quota_spent" in answer.text) == (429, True), (path, answer.text)
                assert 0 < int(answer.headers["retry-after"]) <= 86_400
        assert "midnight UTC" in (await ask_in_a_chat(house, caller)).outcome.error
    assert len(house.script.requests) == 5


async def test_headers_that_claim_to_come_from_elsewhere_change_nothing(
    house: House, member: httpx.AsyncClient
) -> None:
    await limit(house, 1)
    statuses = [
        (await member.post("/v1/chat/completions", json=CHAT, headers=_elsewhere(number))).status_code
        for number in range(4)
    ]
    assert statuses == [200, 429, 429, 429]
    async with house.client(headers={}) as stranger:
        tried = [
            await stranger.post(
                "/hx/session", json={"name": f"user{number}", "password": "wrong"}, headers=_elsewhere(number)
            )
            for number in range(SIGN_IN_FAILURES + 2)
        ]
    assert [answer.status_code for answer in tried] == [401] * SIGN_IN_FAILURES + [429] * 2
    assert "retry-after" in tried[-1].headers


def _elsewhere(number: int) -> dict[str, str]:
    address = f"198.51.100.{number}"
    return {"X-Forwarded-For": address, "Forwarded": f"for={address}", "X-Real-IP": address}


async def test_one_customer_has_one_address_however_many_of_ipv6(open_house: OpenHouse) -> None:
    house = await open_house(trusted_proxies="127.0.0.1/32")

    async def sign_in(number: int, address: str) -> int:
        async with house.client(headers={"X-Forwarded-For": address}) as client:
            return (await client.post("/hx/session", json={"name": f"u{number}", "password": "x"})).status_code

    same = [await sign_in(number, f"2001:db8:0:1:{number:x}::1") for number in range(SIGN_IN_FAILURES + 2)]
    assert same == [401] * SIGN_IN_FAILURES + [429] * 2
    assert await sign_in(99, "2001:db8:0:2::1") == 401


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_two_processes_are_one_count(scope: Scope) -> None:
    """`test_25` races real processes; here they take turns, and each must know what the other gave."""
    here, there = Quotas(scope, SystemClock()), Quotas(scope, SystemClock())
    caller = Caller("Mia", Role.MEMBER, "token", UserId(2))
    await here.set(Subject("user", "2"), {Measure.IMAGES: 4})
    for _ in range(2):
        for process in (here, there):
            reservation = await process.reserve(caller, {Measure.IMAGES: 1})
            assert reservation is not None
            reservation.settle({Measure.IMAGES: 1})
            await process.flush()
    for process in (here, there):
        with pytest.raises(QuotaSpent):
            await process.reserve(caller, {Measure.IMAGES: 1})


async def test_a_person_without_a_number_is_counted_by_name(house: House) -> None:
    """Guests of a chat, where nobody has an account: each has the guests' quota, and not none."""
    guest = Caller("guest of a channel", Role.GUEST, "link")
    for _ in range(5):
        reservation = await house.app.quotas.reserve(guest, {Measure.IMAGES: 1})
        assert reservation is not None
        reservation.settle({Measure.IMAGES: 1})
    with pytest.raises(QuotaSpent):
        await house.app.quotas.reserve(replace(guest, credential="token", address="2001:db8::1"), {Measure.IMAGES: 1})
