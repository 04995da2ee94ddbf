"""Finding out who has an account, and trying passwords that were stolen elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from halext.accounts import policy
from halext.accounts.types import Role
from halext.testing.clock import ManualClock
from tests.web.conftest import House, OpenHouse

PASSWORD = "correct horse"
PROXY: dict[str, Any] = {"trusted_proxies": "127.0.0.1/32"}


def whole(answer: Any) -> tuple[int, dict[str, Any], list[str]]:
    """An answer without what names the request."""
    body = {key: value for key, value in answer.json().items() if key != "request_id"}
    return answer.status_code, body, sorted(answer.headers)


async def test_nobody_learns_who_has_an_account(open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await open_house(**PROXY)
    people = house.app.people
    await people.add_user("Robot", Role.MEMBER)
    await people.add_user("Gone", Role.MEMBER, PASSWORD)
    await people.set_disabled("Gone", disabled=True)
    work: Counter[str] = Counter()
    hasher = people._passwords._hasher
    for name in ("hash", "verify_and_update"):
        monkeypatch.setattr(hasher, name, _counted(work, name, getattr(hasher, name)))
    await people._passwords.verify("warm up", None)
    seen = []
    tries = [("Mia", "wrong"), ("nobody", PASSWORD), ("Robot", PASSWORD), ("Gone", PASSWORD), ("\u202e", "x"), ("", "")]
    for number, (name, password) in enumerate(tries):
        work.clear()
        for body in ({}, {"token": True}):
            async with house.client({"X-Forwarded-For": f"192.0.2.{number}"}) as client:
                answer = await client.post("/hx/session", json={"name": name, "password": password} | body)
            seen.append((whole(answer), dict(work)))
            work.clear()
    assert seen == [seen[0]] * len(seen)
    assert seen[0][0][0] == 401
    assert seen[0][1] == {"verify_and_update": 1}  # the same work, so that time tells nothing either


def _counted(work: Counter[str], name: str, real: Any) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        work[name] += 1
        return real(*args, **kwargs)

    return call


async def attempt(house: House, name: str, password: str, address: str) -> int:
    async with house.client({"X-Forwarded-For": address}) as client:
        return (await client.post("/hx/session", json={"name": name, "password": password})).status_code


async def test_one_account_from_many_addresses(open_house: OpenHouse) -> None:
    clock = ManualClock()
    house = await open_house(clock=clock, **PROXY)
    for name in ("Mia", "nobody"):  # an account that is not there is limited alike
        seen = [await attempt(house, name, "wrong", f"198.51.100.{number}") for number in range(8)]
        assert seen == [401] * policy.SIGN_IN_FAILURES + [429] * 3
    assert await attempt(house, " MIA", "battery staple", "203.0.113.9") == 429
    await clock.advance(policy.SIGN_IN_WINDOW_S)
    assert await attempt(house, "Mia", "battery staple", "203.0.113.9") == 200


async def test_many_accounts_from_one_address(open_house: OpenHouse) -> None:
    house = await open_house(**PROXY)
    seen = [await attempt(house, f"user{number}", "wrong", f"2001:db8:1:2::{number}") for number in range(8)]
    assert seen == [401] * policy.SIGN_IN_FAILURES + [429] * 3  # a /64 is one customer's
    assert await attempt(house, "Mia", "battery staple", "2001:db8:1:2::ffff") == 429
    assert await attempt(house, "Mia", "battery staple", "2001:db8:1:3::1") == 200


async def test_a_jwt_is_no_way_around_the_limit(open_house: OpenHouse) -> None:
    house = await open_house(**PROXY)
    seen = []
    for number in range(7):
        async with house.client({"X-Forwarded-For": f"192.0.2.{number}"}) as client:
            body = {"name": "Mia", "password": "wrong", "token": number % 2 == 0}
            seen.append((await client.post("/hx/session", json=body)).status_code)
    assert seen == [401] * policy.SIGN_IN_FAILURES + [429] * 2


async def test_an_address_that_anyone_can_write_does_not_count(house: House) -> None:
    seen = [await attempt(house, f"user{number}", "wrong", f"192.0.2.{number}") for number in range(7)]
    assert seen == [401] * policy.SIGN_IN_FAILURES + [429] * 2


async def test_made_up_codes_cost_no_hash(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    work: Counter[str] = Counter()
    hasher = house.app.people._passwords._hasher
    monkeypatch.setattr(hasher, "hash", _counted(work, "hash", hasher.hash))
    seen = []
    async with house.client({}) as client:
        for path, prefix in (("/hx/first-admin", "hxc_"), ("/hx/invites/claim", "hxi_")):
            body = {"code": prefix + "a" * 43, "name": "Mia", "password": "long enough to be taken"}
            for name in ("Mia", "nobody"):
                seen.append(whole(await client.post(path, json=body | {"name": name})))
    assert seen[0] == seen[1]
    assert seen[2] == seen[3]  # nor does an invite that is none tell which names are taken
    assert not work
