"""Quotas around a request: reserved before anything else, settled once with what was used, wherever it fails."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.accounts.quotas.types import Amounts, Measure, Reservation
from halext.accounts.types import Caller
from halext.errors import BadAnswer, HalextError, Interrupted, QuotaSpent, TimedOut, Unreachable

from .conftest import WORDS, House, furnish


@dataclass
class Book:
    """A quota that is always enough, and remembers; unless `error` says otherwise."""

    error: Exception | None = None
    gate: asyncio.Event | None = None
    wanted: list[Amounts] = field(default_factory=list)
    settled: list[list[Amounts]] = field(default_factory=list)

    async def reserve(self, caller: Caller, wanted: Amounts) -> Reservation | None:
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error
        self.wanted.append(wanted)
        self.settled.append([])
        return Kept(self.settled[-1])

    @property
    def tokens(self) -> list[float | None]:
        """What each settled reservation used; every reservation must be settled exactly once."""
        assert [len(times) for times in self.settled] == [1] * len(self.wanted)
        return [times[0].get(Measure.TOKENS) for times in self.settled]

    @property
    def gpu_s(self) -> list[float]:
        return [times[0][Measure.GPU_SECONDS] for times in self.settled]


@dataclass
class Kept:
    """One reservation."""

    times: list[Amounts]

    def settle(self, spent: Amounts) -> None:
        self.times.append(spent)


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
async def house(book: Book) -> House:
    return await furnish("a", "b", quota=book)


async def test_a_whole_answer_costs_what_the_node_counted(house: House, book: Book) -> None:
    await house.text(house.ask())
    assert book.tokens == [13]
    assert book.wanted == [{Measure.REQUESTS: 1, Measure.TOKENS: 1024, Measure.GPU_SECONDS: 0}]


async def test_embeddings_cost_what_was_read(house: House, book: Book) -> None:
    await house.gateway.embed(house.embed("x" * 40, "y"))
    assert book.tokens == [7]
    assert book.wanted == [{Measure.REQUESTS: 1, Measure.TOKENS: 10, Measure.GPU_SECONDS: 0}]


@pytest.mark.parametrize("error", [QuotaSpent(), RuntimeError("a bug")], ids=str)
async def test_who_has_nothing_left_reaches_no_node(house: House, book: Book, error: Exception) -> None:
    book.error = error
    ask = house.ask()
    with pytest.raises(type(error)):
        await house.text(ask)
    with pytest.raises(type(error)):
        await house.gateway.embed(house.embed("x"))
    assert [machine.served for machine in house.machines.of.values()] == [0, 0]
    assert house.outcome(ask.id) == "failed"
    assert (list(house.ledger), house.is_idle()) == ([], True)


async def test_who_leaves_while_it_is_reserved_is_gone(house: House, book: Book) -> None:
    book.gate = asyncio.Event()
    ask = house.ask()
    task = asyncio.get_running_loop().create_task(house.text(ask))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (house.outcome(ask.id), house.is_idle()) == ("cancelled", True)


FAULTS = [None, Unreachable("reset"), Interrupted("cut"), BadAnswer("broken"), TimedOut("slow"), RuntimeError("bug")]


@given(
    first=st.sampled_from(FAULTS),
    second=st.sampled_from(FAULTS),
    steps=st.tuples(st.integers(0, len(WORDS) + 1), st.integers(0, len(WORDS) + 1)),
    leaves=st.integers(0, len(WORDS) + 2),
)
def test_every_reservation_is_settled_once_wherever_it_fails(
    first: Exception | None, second: Exception | None, steps: tuple[int, int], leaves: int
) -> None:
    asyncio.run(_fail(first, second, steps, leaves))


async def _fail(first: Exception | None, second: Exception | None, steps: tuple[int, int], leaves: int) -> None:
    book = Book()
    house = await furnish("a", "b", quota=book)
    for name, step, fault in zip("ab", steps, (first, second), strict=True):
        house.machines.of[name].faults = [(step, fault)]
    ask, got, is_whole = house.ask(), 0, False
    with suppress(HalextError, RuntimeError, StopAsyncIteration):
        async with aclosing(house.gateway.generate(ask)) as chunks:
            for _ in range(leaves):
                chunk = await anext(chunks)
                got, is_whole = got + 1, chunk.done is not None
    if leaves == 0:  # nobody ever asked
        assert book.wanted == []
        return
    (tokens,) = book.tokens
    # A prompt of two letters is nothing; each piece is a token, and a whole answer what the node counts.
    assert tokens == (13 if is_whole else got or None)
    assert house.is_idle()


async def test_a_node_is_paid_for_its_time_and_not_for_its_failure(house: House, book: Book) -> None:
    house.prefer("a")
    house.machines.of["a"].gate = asyncio.Event()
    task = asyncio.get_running_loop().create_task(house.text(house.ask()))
    await house.machines.of["a"].began.wait()
    await house.clock.advance(7)
    house.machines.of["a"].faults = []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (book.tokens, book.gpu_s) == ([None], [7.0]), "whoever leaves before the first word has used the node"
    house.machines.of["a"].gate = None
    for name in "ab":
        house.machines.of[name].faults = [(0, TimedOut("slow"))]
    with pytest.raises(TimedOut):
        await house.text(house.ask())
    assert (book.tokens, book.gpu_s) == ([None, None], [7.0, 0.0])
