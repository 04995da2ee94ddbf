from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from halext.alerts import watch as watch_module
from halext.alerts.types import Alert, Notifier, Rule
from halext.alerts.watch import CLAIM_S, Watch
from halext.errors import HalextError, KeyRefused, RateLimited, Unreachable
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock

from .conftest import Chat, Machines

DAYS = 3 if os.environ.get("TEST_SOAK") else 1
AWAY = Unreachable("Discord does not answer.")


@dataclass
class Guard:
    """A watch over machines that are looked at whenever time passes."""

    scope: Scope
    clock: ManualClock
    machines: Machines
    notifiers: dict[str, Notifier]
    rule: Rule = field(default_factory=Rule)
    on: dict[str, bool] = field(default_factory=lambda: {"mac": True})
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Another process, with the same database."""
        self.machines.forget()
        self.watch = Watch(self.scope, self.machines.states, self.clock, self.notifiers, self.rule)

    async def pass_time(self, seconds: float, step_s: float = 30.0) -> None:
        for _ in range(round(seconds / step_s)):
            await self.clock.advance(step_s)
            for name, is_on in self.on.items():
                self.machines.look(name, is_on=is_on, now=self.clock.now())
            await self.watch.tick()


@pytest.fixture
def guard(scope: Scope, clock: ManualClock, machines: Machines, chat: Chat) -> Guard:
    return Guard(scope, clock, machines, {"chat": chat})


async def outage(guard: Guard, seconds: float) -> None:
    guard.on["mac"] = False
    await guard.pass_time(seconds)
    guard.on["mac"] = True
    await guard.pass_time(300)


async def test_a_long_outage_is_one_message_that_changes(guard: Guard, chat: Chat) -> None:
    await guard.pass_time(60)
    guard.on["mac"] = False
    await guard.pass_time(300)
    assert chat.calls == 0
    await guard.pass_time(30)
    (alert,) = chat.shown.values()
    assert alert.title == "mac is offline"
    assert alert.started_at == guard.clock.now() - 300
    await guard.pass_time(3_600)
    assert chat.calls == 1
    guard.on["mac"] = True
    await guard.pass_time(300)
    (alert,) = chat.shown.values()
    assert (alert.title, alert.is_over) == ("mac is back", True)
    assert chat.calls == 2
    (incident,) = await guard.watch.latest(10)
    assert [(notice.state, notice.attempts, notice.error) for notice in incident.notices] == [("done", 0, "")]


async def test_a_short_one_is_nobodys_business(guard: Guard, chat: Chat) -> None:
    for _ in range(5):
        await outage(guard, 240)
    assert chat.calls == 0
    assert await guard.watch.latest(10) == []


async def test_a_place_that_fails_is_told_later_and_once(guard: Guard, chat: Chat) -> None:
    chat.fault = lambda: (AWAY, None)
    guard.on["mac"] = False
    await guard.pass_time(900)
    tried = chat.calls
    assert 3 <= tried <= 8
    (incident,) = await guard.watch.latest(1)
    assert [(notice.state, notice.error) for notice in incident.notices] == [("waiting", AWAY.message)]
    chat.fault = lambda: (None, None)
    await guard.pass_time(600)
    assert [alert.title for alert in chat.shown.values()] == ["mac is offline"]
    assert chat.calls == tried + 1


async def test_a_place_that_was_away_all_the_time_hears_the_whole_story_once(guard: Guard, chat: Chat) -> None:
    chat.fault = lambda: (AWAY, None)
    await outage(guard, 600)
    chat.fault = lambda: (None, None)
    await guard.pass_time(1_200)
    assert chat.began == ["mac is back"]
    assert "It was offline for" in next(iter(chat.shown.values())).text


async def test_what_is_history_is_not_told(guard: Guard, chat: Chat) -> None:
    chat.fault = lambda: (AWAY, None)
    await outage(guard, 600)
    chat.fault = lambda: (None, None)
    await guard.clock.advance(90_000)
    await guard.watch.tick()
    assert chat.began == []
    (incident,) = await guard.watch.latest(1)
    assert [notice.state for notice in incident.notices] == ["given-up"]


async def test_one_place_s_trouble_is_not_another_s(guard: Guard, chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "SEND_S", 0.01)

    class Hanging(Chat):
        async def send(self, alert: Alert, /) -> str:
            await asyncio.Event().wait()
            return ""

    guard.notifiers |= {
        "hanging": Hanging(),
        "broken": Chat(lambda: (ZeroDivisionError("a fault"), None)),
        "refused": Chat(lambda: (KeyRefused(), None)),
    }
    guard.on["mac"] = False
    await guard.pass_time(330)
    (incident,) = await guard.watch.latest(1)
    told = {notice.notifier: (notice.state, notice.error) for notice in incident.notices}
    assert told["chat"] == ("told", "")
    assert told["hanging"] == ("waiting", "The place did not take the message within 0 s.")
    assert told["broken"] == ("waiting", "The notifier has a fault; the log has the details.")
    assert told["refused"] == ("waiting", KeyRefused().message)
    assert chat.began == ["mac is offline"]


async def test_a_door_that_opens_later_hears_of_what_is_open(guard: Guard) -> None:
    guard.on["mac"] = False
    await guard.pass_time(600)
    late = guard.notifiers["late"] = Chat()
    await guard.pass_time(60)
    assert late.began == ["mac is offline"]
    del guard.notifiers["late"]
    guard.on["mac"] = True
    await guard.pass_time(300)
    assert late.calls == 1
    guard.notifiers["late"] = late
    await guard.pass_time(30)
    assert [alert.title for alert in late.shown.values()] == ["mac is back"]


async def test_with_nobody_there_it_is_kept_and_told_later(guard: Guard, chat: Chat) -> None:
    del guard.notifiers["chat"]
    await outage(guard, 600)
    assert [len(incident.notices) for incident in await guard.watch.latest(10)] == [0]
    guard.restart()
    guard.notifiers["chat"] = chat
    await guard.pass_time(60)
    assert chat.began == ["mac is back"]
    guard.notifiers["late"] = late = Chat()
    await guard.pass_time(60)
    assert late.began == [], "somebody has been told already"


async def test_a_place_that_asks_to_be_left_alone_is(guard: Guard, chat: Chat) -> None:
    chat.fault = lambda: (RateLimited(retry_after_s=900), None)
    guard.on |= {"mac": False, "pc": False}
    await guard.pass_time(330)
    assert chat.calls == 1
    guard.on["nas"] = False
    await guard.pass_time(840)
    assert chat.calls == 1, "nothing is sent meanwhile, whatever happens"
    chat.fault = lambda: (None, None)
    await guard.pass_time(120)
    assert sorted(chat.began) == ["mac is offline", "nas is offline", "pc is offline"]


async def test_what_is_over_for_long_is_forgotten(guard: Guard) -> None:
    await outage(guard, 600)
    await guard.watch.forget()
    assert len(await guard.watch.latest(10)) == 1
    await guard.clock.advance(91 * 86_400)
    await guard.watch.forget()
    assert await guard.watch.latest(10) == []


async def test_a_message_that_somebody_deleted_is_posted_anew(guard: Guard, chat: Chat) -> None:
    guard.on["mac"] = False
    await guard.pass_time(330)
    chat.shown.clear()
    guard.on["mac"] = True
    await guard.pass_time(300)
    assert [alert.title for alert in chat.shown.values()] == ["mac is back"]


async def test_a_removed_node_ends_its_incident(guard: Guard, machines: Machines, chat: Chat) -> None:
    guard.on["mac"] = False
    await guard.pass_time(330)
    guard.on.clear()
    machines.health.clear()
    await guard.pass_time(30)
    assert [alert.title for alert in chat.shown.values()] == ["mac was removed"]


async def test_a_restart_keeps_incidents_and_begins_no_second_one(guard: Guard, chat: Chat) -> None:
    guard.on["mac"] = False
    await guard.pass_time(330)
    for _ in range(3):
        guard.restart()
        await guard.pass_time(600)
    assert chat.calls == 1
    guard.restart()
    guard.on["mac"] = True
    await guard.pass_time(300)
    assert [alert.title for alert in chat.shown.values()] == ["mac is back"]
    assert len(await guard.watch.latest(10)) == 1


async def test_after_a_start_the_rule_s_time_has_to_pass(guard: Guard, chat: Chat) -> None:
    guard.on["mac"] = False
    await guard.pass_time(270)
    guard.restart()
    await guard.pass_time(300)
    assert chat.calls == 0
    await guard.pass_time(30)
    assert chat.calls == 1


async def test_killed_between_the_message_and_its_record(guard: Guard, chat: Chat) -> None:
    """It is sent again, under the same key: a platform that knows keys shows it once."""
    posted = asyncio.Event()

    class Slow(Chat):
        async def send(self, alert: Alert, /) -> str:
            await super().send(alert)
            posted.set()
            await asyncio.Event().wait()
            return ""

    slow = guard.notifiers["chat"] = Slow()
    guard.on["mac"] = False
    await guard.pass_time(300)
    task = asyncio.get_running_loop().create_task(guard.pass_time(30))
    async with asyncio.timeout(10):
        await posted.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    chat.shown, chat.began = slow.shown, slow.began
    guard.notifiers["chat"] = chat
    guard.restart()
    await guard.watch.tick()
    assert chat.calls == 0, "somebody may still be at it"
    await guard.pass_time(CLAIM_S)
    assert chat.calls == 1
    assert chat.began == ["mac is offline"]
    guard.on["mac"] = True
    await guard.pass_time(300)
    assert [alert.title for alert in chat.shown.values()] == ["mac is back"]


async def test_an_orderly_end_waits_for_what_is_under_way(guard: Guard, chat: Chat) -> None:
    posted, answer = asyncio.Event(), asyncio.Event()

    class Slow(Chat):
        async def send(self, alert: Alert, /) -> str:
            posted.set()
            await answer.wait()
            return await super().send(alert)

    slow = guard.notifiers["chat"] = Slow()
    guard.on |= {"mac": False, "pc": False}
    await guard.pass_time(300)
    async with asyncio.TaskGroup() as group:
        group.create_task(guard.pass_time(30))
        await posted.wait()
        settling = group.create_task(guard.watch.settle())
        await asyncio.sleep(0)
        assert not settling.done()
        answer.set()
    assert slow.calls == 1, "nothing new is begun"
    guard.notifiers["chat"] = chat
    guard.restart()
    await guard.pass_time(330)
    assert (slow.began, chat.began) == (["mac is offline"], ["pc is offline"])


async def test_an_end_does_not_wait_for_ever(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "SETTLE_S", 0.05)
    posted = asyncio.Event()

    class Hanging(Chat):
        async def send(self, alert: Alert, /) -> str:
            posted.set()
            await asyncio.Event().wait()
            return ""

    guard.notifiers["chat"] = Hanging()
    guard.on["mac"] = False
    await guard.pass_time(300)
    task = asyncio.get_running_loop().create_task(guard.pass_time(30))
    await posted.wait()
    await guard.watch.settle()
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_two_at_once_tell_it_once(guard: Guard, chat: Chat) -> None:
    guard.on["mac"] = False
    other = Watch(guard.scope, guard.machines.states, guard.clock, guard.notifiers, guard.rule)
    await guard.pass_time(300)
    await guard.clock.advance(30)
    await asyncio.gather(guard.watch.tick(), other.tick(), guard.watch.tick())
    assert chat.calls == 1
    assert len(await guard.watch.latest(10)) == 1


def faults(rng: random.Random) -> Iterator[tuple[HalextError | None, HalextError | None]]:
    """Half of the time it works; else it fails, sometimes after it had worked."""
    while True:
        yield rng.choice([(None, None), (None, None), (AWAY, None), (None, AWAY)])


@pytest.mark.parametrize("seed", [1, 2])
async def test_days_with_a_place_that_fails_and_restarts_in_between(guard: Guard, chat: Chat, seed: int) -> None:
    rng = random.Random(seed)
    script = faults(rng)
    chat.fault = lambda: next(script)
    guard.on["pc"] = True
    for _ in range(DAYS * 24 * 4):
        for name in guard.on:
            guard.on[name] = rng.random() < 0.5 if rng.random() < 0.3 else guard.on[name]
        if rng.random() < 0.05:
            guard.restart()
        await guard.pass_time(900, step_s=180.0)
    guard.on = {"mac": True, "pc": True}
    chat.fault = lambda: (None, None)
    await guard.pass_time(3_600, step_s=180.0)
    incidents = await guard.watch.latest(500)
    assert len(incidents) > 5
    assert all(incident.ending == "back" for incident in incidents)
    assert all([notice.state for notice in incident.notices] == ["done"] for incident in incidents)
    # Each is shown to its end; each beginning and each end has been told at most once.
    assert {f"hx-{incident.id}" for incident in incidents} == {key.rpartition("-")[0] for key in chat.shown}
    assert len(chat.began) == len(chat.shown)
    ended = {key.rpartition("-")[0] for key, alert in chat.shown.items() if alert.is_over}
    assert len(ended) == len(incidents)
