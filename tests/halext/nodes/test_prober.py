from __future__ import annotations

import asyncio

import pytest

from halext.errors import TimedOut, Unreachable
from halext.nodes import policy
from halext.nodes.prober import OFFLINE_INTERVAL_S, Prober
from halext.nodes.registry import Registry
from halext.nodes.types import Status
from halext.testing.clock import ManualClock
from halext.types import EndpointId
from halext.upstream import Driver, Endpoint, Sighting

from .conftest import Scripted, node, sighting

MAC, PC = EndpointId("mac"), EndpointId("pc")


async def test_a_tick_looks_at_everyone(registry: Registry, driver: Scripted, clock: ManualClock) -> None:
    driver.answers = {"mac": [sighting("m")], "pc": [Unreachable("off")]}
    for name in ("mac", "pc"):
        await registry.add(node(name))
    async with asyncio.TaskGroup() as group:
        group.create_task(Prober(registry, driver, clock).tick())
        await clock.advance(policy.CONFIRM_AFTER_S)
    assert registry.state(MAC).health.status is Status.HEALTHY
    assert registry.state(PC).health.ejected


async def test_a_first_failure_is_confirmed_within_two_seconds(
    registry: Registry, driver: Scripted, clock: ManualClock
) -> None:
    await registry.add(node("mac"))
    driver.answers = {"mac": [sighting("m"), TimedOut("slow"), TimedOut("slow")]}
    prober = Prober(registry, driver, clock)
    await prober.look(MAC)
    async with asyncio.TaskGroup() as group:
        group.create_task(prober.look(MAC))
        await clock.advance(0.5)
        assert not registry.state(MAC).health.ejected
        await clock.advance(1.5)
    assert registry.state(MAC).health.ejected


async def test_one_slow_answer_is_forgiven(registry: Registry, driver: Scripted, clock: ManualClock) -> None:
    await registry.add(node("mac"))
    driver.answers = {"mac": [sighting("m"), TimedOut("slow"), sighting("m")]}
    prober = Prober(registry, driver, clock)
    await prober.look(MAC)
    async with asyncio.TaskGroup() as group:
        group.create_task(prober.look(MAC))
        await clock.advance(2)
    assert registry.state(MAC).health.status is Status.HEALTHY


async def test_what_is_offline_is_looked_at_less_often(
    registry: Registry, driver: Scripted, clock: ManualClock
) -> None:
    await registry.add(node("mac"))
    driver.answers = {"mac": [Unreachable("off")]}
    prober = Prober(registry, driver, clock)
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(prober.tick())
            await clock.advance(5)
    assert registry.state(MAC).health.status is Status.OFFLINE
    driver.asked.clear()
    for _ in range(4):
        await prober.tick()
        await clock.advance(OFFLINE_INTERVAL_S / 2)
    assert len(driver.asked) == 2


class Hanging(Scripted):
    """Answers when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.begun = asyncio.Event()

    async def look(self, endpoint: Endpoint) -> Sighting:
        self.asked.append(endpoint.id)
        if endpoint.id == "mac":
            self.begun.set()
            await self.go.wait()
        return sighting("m")

    def __call__(self, kind: str, /) -> Driver:
        return self


async def test_one_look_at_a_time_and_nobody_waits_for_another(registry: Registry, clock: ManualClock) -> None:
    driver = Hanging()
    for name in ("mac", "pc"):
        await registry.add(node(name))
    prober = Prober(registry, driver, clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(prober.tick())
        await driver.begun.wait()
        await prober.look(PC)
        await prober.tick()
        second = group.create_task(prober.look(MAC))
        await asyncio.sleep(0)
        assert not second.done()
        assert registry.state(PC).health.status is Status.HEALTHY
        driver.go.set()
        await second
        assert registry.state(MAC).health.status is Status.HEALTHY
        assert driver.asked.count("mac") == 1


class Broken(Hanging):
    """Raises at one endpoint what no driver may raise."""

    async def look(self, endpoint: Endpoint) -> Sighting:
        if endpoint.id == "pc":
            raise ZeroDivisionError
        return await super().look(endpoint)


async def test_a_fault_in_one_look_cuts_no_other_short(registry: Registry, clock: ManualClock) -> None:
    driver = Broken()
    for name in ("mac", "pc"):
        await registry.add(node(name))
    prober = Prober(registry, driver, clock)
    tick = asyncio.get_running_loop().create_task(prober.tick())
    await driver.begun.wait()
    driver.go.set()
    with pytest.raises(ExceptionGroup, match="no driver should") as failure:
        await tick
    assert failure.group_contains(ZeroDivisionError)
    assert registry.state(MAC).health.status is Status.HEALTHY
    with pytest.raises(ExceptionGroup):
        await prober.tick()
    assert driver.asked.count("mac") == 2, "and the next look comes as always"


async def test_an_endpoint_may_be_removed_while_it_is_looked_at(registry: Registry, clock: ManualClock) -> None:
    driver = Hanging()
    await registry.add(node("mac"))
    async with asyncio.TaskGroup() as group:
        group.create_task(Prober(registry, driver, clock).look(MAC))
        await driver.begun.wait()
        await registry.remove("mac")
        driver.go.set()
    assert registry.states() == []


async def test_refreshing_looks_only_at_what_is_old(registry: Registry, driver: Scripted, clock: ManualClock) -> None:
    await registry.add(node("mac"))
    driver.answers = {"mac": [sighting("m")]}
    prober = Prober(registry, driver, clock)
    await prober.refresh(max_age_s=10)
    await prober.refresh(max_age_s=10)
    assert len(driver.asked) == 1
    await clock.advance(10)
    await prober.refresh(max_age_s=10)
    assert len(driver.asked) == 2
