"""Attack 24: make the server hash passwords until it has neither memory nor time for anybody else."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from halext.accounts import passwords

if TYPE_CHECKING:
    from tests.web.conftest import OpenHouse

FLOOD = 200


class Anvil:
    """Takes the place of the hasher: counts who hashes at once, and lets nobody finish before it is told to."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.go = threading.Event()
        self.most = self.now = self.calls = 0
        self._lock = threading.Lock()

    def verify_and_update(self, *args: Any) -> Any:
        return self._strike(self.real.verify_and_update, *args)

    def hash(self, *args: Any) -> Any:
        return self._strike(self.real.hash, *args)

    def _strike(self, work: Any, *args: Any) -> Any:
        with self._lock:
            self.now += 1
            self.calls += 1
            self.most = max(self.most, self.now)
        self.go.wait(30)
        try:
            return work(*args)
        finally:
            with self._lock:
                self.now -= 1


async def test_two_hash_and_everybody_else_is_served(open_house: OpenHouse) -> None:
    house = await open_house(trusted_proxies="127.0.0.1")  # so that the flood comes from many addresses
    hasher = house.app.people._passwords
    anvil = Anvil(hasher._hasher)
    hasher._hasher = anvil  # type: ignore[assignment]

    async def sign_in(crowd: httpx.AsyncClient, number: int) -> int:
        headers = {"X-Forwarded-For": f"203.0.113.{number % 200}", "Content-Type": "application/json"}
        name = "Mia" if number == FLOOD - 1 else f"nobody{number}"
        body = f'{{"name":"{name}","password":"battery staple"}}'
        return (await crowd.post("/hx/session", content=body, headers=headers)).status_code

    limits = httpx.Limits(max_connections=FLOOD)
    crowd = httpx.AsyncClient(base_url=house.url, limits=limits, timeout=60, trust_env=False, verify=False)
    async with crowd, house.client() as member, asyncio.TaskGroup() as group:
        flood = [group.create_task(sign_in(crowd, number)) for number in range(FLOOD)]
        try:
            while anvil.now < passwords.AT_ONCE:
                await member.get("/hx/me")
            for _ in range(15):  # while not one of them can get on
                assert (await member.get("/hx/me")).status_code == 200
                assert (await member.get("/tasks")).status_code == 200
            assert anvil.calls == passwords.AT_ONCE
        finally:
            anvil.go.set()
    statuses = [task.result() for task in flood]
    assert statuses == [401] * (FLOOD - 1) + [200]
    assert anvil.most == passwords.AT_ONCE


def test_the_memory_of_a_flood_is_bounded_by_what_two_need() -> None:
    assert passwords.AT_ONCE * passwords.MEMORY_KIB <= 60 * 1024


async def test_after_a_few_failures_an_address_costs_nothing_more(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await open_house()
    hasher = house.app.people._passwords
    anvil = Anvil(hasher._hasher)
    anvil.go.set()
    hasher._hasher = anvil  # type: ignore[assignment]
    async with house.client(headers={}) as client:
        answers = [
            await client.post("/hx/session", json={"name": f"nobody{number}", "password": "battery staple"})
            for number in range(30)
        ]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 25
    assert all(answer.headers["retry-after"] == "60" for answer in answers[5:])
    assert anvil.calls <= 5 + 1  # and one for the hash that stands for nobody's
