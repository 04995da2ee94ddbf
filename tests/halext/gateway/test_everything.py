"""Arrivals, departures, failures and changes of the fleet in any order: nothing may be left behind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from halext.errors import BadAnswer, HalextError, Interrupted, RateLimited, TimedOut, Unreachable
from halext.gateway.dispatch import Options
from halext.gateway.types import Ask
from halext.nodes.types import Cordon
from halext.types import EndpointId, ModelName
from halext.upstream import ModelInfo, Sighting

from .conftest import WORDS, House, furnish

NAMES = ("a", "b", "c")
SEEN = Sighting(models=(ModelInfo(ModelName("m")),))
ERRORS = (
    Unreachable("off"),
    BadAnswer("broken"),
    RateLimited("busy", retry_after_s=1),
    Interrupted("cut"),
    TimedOut("slow"),
    None,
)

Moment = tuple[str, int, int]
"""What happens, at which node, and at which step of an answer."""
moments = st.tuples(
    st.sampled_from(["ask", "ask", "leave", "fail", "off", "on", "close", "open", "again", "rest"]),
    st.integers(0, 2),
    st.integers(0, 3),
)


class Life:
    """A house and what goes on in it."""

    def __init__(self, house: House, rng: random.Random) -> None:
        self.house = house
        self.rng = rng
        self.asks: list[Ask] = []
        self.tasks: list[asyncio.Task[str]] = []

    async def go_on(self, moment: Moment) -> None:
        what, which, step = moment
        house, name, endpoint = self.house, NAMES[which], EndpointId(NAMES[which])
        match what:
            case "ask":
                self.ask(("m", "auto")[step % 2], name if step == 3 else None)
            case "leave" if self.tasks:
                self.rng.choice(self.tasks).cancel()
            case "fail":
                house.machines.of[name].faults.append((step, self.rng.choice(ERRORS)))
            case "off":
                house.registry.missed(endpoint, Unreachable("off"))
            case "on":
                house.registry.saw(endpoint, SEEN, asked_at=house.clock.now())
            case _:
                await self.decide(what, name)

    async def decide(self, what: str, name: str) -> None:
        """What a person does."""
        match what:
            case "close" | "open":
                await self.house.registry.set_cordon(name, Cordon.CORDONED if what == "close" else Cordon.OPEN)
            case "again":
                await self.house.registry.add(await self.house.registry.remove(name))
            case _:
                await asyncio.sleep(0)

    def ask(self, model: str, node: str | None) -> None:
        self.asks.append(ask := self.house.ask(model, node=node))
        self.tasks.append(task := asyncio.get_running_loop().create_task(self.house.text(ask)))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def end(self) -> list[str | BaseException]:
        """Everyone is well again, and whoever waits is served."""
        for name in NAMES:
            await self.house.registry.set_cordon(name, Cordon.OPEN)
            self.house.registry.saw(EndpointId(name), SEEN, asked_at=self.house.clock.now())
        async with asyncio.timeout(20):
            return await asyncio.gather(*self.tasks, return_exceptions=True)


@given(st.lists(moments, min_size=5, max_size=40), st.randoms(use_true_random=False))
def test_whatever_happens_nothing_is_left_behind(history: Sequence[Moment], rng: random.Random) -> None:
    asyncio.run(_live_through(history, rng))


async def _live_through(history: Sequence[Moment], rng: random.Random) -> None:
    house = await furnish(*NAMES, options=Options(max_wait_s=5))
    life = Life(house, rng)
    for moment in history:
        await life.go_on(moment)
    results = await life.end()
    for result in results:
        assert result == "".join(WORDS) or isinstance(result, HalextError | asyncio.CancelledError), result
    assert house.is_idle()
    records = [record for ask in life.asks if (record := house.gateway.records.find(ask.id))]
    assert all(record.outcome for record in records)
    began = [record.id for record in records if record.node]
    assert sorted(entry.request_id for entry in house.ledger) == sorted(began)
