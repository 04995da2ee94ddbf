from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping

import pytest

from halext.testing.models import FakeModel
from halext.testing.runner import GIB, RELOAD_OPTIONS, Runner, RunnerOptions, tier_ctx
from halext.types import Json

MODEL = FakeModel("m", context_length=8192, tokens_per_s=10, slowdown=0.5)


def runner(options: RunnerOptions | None = None, *, slots: int = 2, model: FakeModel = MODEL) -> Runner:
    return Runner(model, options or RunnerOptions(), server_ctx=4096, slots=slots, keep_alive_s=300)


@pytest.mark.parametrize(("gib", "num_ctx"), [(8, 4096), (22, 4096), (23, 32_768), (47, 32_768), (48, 262_144)])
def test_the_servers_own_context_depends_on_memory(gib: int, num_ctx: int) -> None:
    assert tier_ctx(gib * GIB) == num_ctx


@pytest.mark.parametrize(
    ("first", "second", "fits"),
    [
        ({}, {}, True),
        ({}, {"temperature": 0.1, "seed": 3, "num_predict": 5}, True),
        ({}, {"num_ctx": 4096}, True),  # what the server chose by itself
        ({}, {"num_ctx": 8192}, False),
        ({"num_ctx": 8192}, {}, False),
        ({"num_ctx": 4096}, {}, True),
        ({"num_ctx": 8192}, {"num_ctx": 100_000}, True),  # both end at the trained length
        ({"num_ctx": 1}, {"num_ctx": 4}, True),  # the floor
        ({}, {"num_gpu": -1}, True),
        ({"num_gpu": 20}, {"num_gpu": 10}, False),
        *[({}, {name: 1}, False) for name in RELOAD_OPTIONS],
    ],
)
def test_which_requests_can_share_a_runner(
    first: Mapping[str, Json], second: Mapping[str, Json], *, fits: bool
) -> None:
    assert runner(RunnerOptions.of(MODEL, first)).fits(RunnerOptions.of(MODEL, second)) is fits


def test_the_model_file_counts_until_the_request_says_otherwise() -> None:
    model = FakeModel("m", parameters={"num_ctx": 2048}, capabilities=("completion", "vision"))
    assert RunnerOptions.of(model, {}).num_ctx == 2048
    assert RunnerOptions.of(model, {"num_ctx": 9000}).num_ctx == 9000
    assert RunnerOptions.of(model, {"num_ctx": 5}).num_ctx == 2048  # vision's floor
    assert RunnerOptions.of(model, {}, shift=False) != RunnerOptions.of(model, {})


async def test_slots_are_given_first_come_first_served() -> None:
    served: list[int] = []
    one = runner(slots=1)

    async def visit(number: int) -> None:
        await one.enter()
        served.append(number)
        await asyncio.sleep(0)
        one.leave()

    async with asyncio.TaskGroup() as tasks:
        for number in range(5):
            tasks.create_task(visit(number))
    assert served == [0, 1, 2, 3, 4]


async def test_company_slows_a_stream_down() -> None:
    one = runner()
    await one.enter()
    assert one.token_s() == pytest.approx(0.1)
    assert not one.is_full
    await one.enter()
    assert one.token_s() == pytest.approx(0.15)
    assert one.is_full


@pytest.mark.parametrize(
    "model", [FakeModel("e", capabilities=("embedding",)), FakeModel("q", family="qwen3vl")], ids=["embed", "family"]
)
def test_some_models_never_get_more_than_one_slot(model: FakeModel) -> None:
    assert runner(slots=4, model=model).slots == 1


def test_a_known_beginning_of_a_prompt_is_cached_but_never_all_of_it() -> None:
    one = runner(slots=2)
    assert one.cached_tokens(["a", "b"]) == 0
    one.remember(["a", "b", "c"])
    assert one.cached_tokens(["a", "b", "x"]) == 2
    assert one.cached_tokens(["a", "b"]) == 1
    one.remember(["x"])
    one.remember(["y"])  # the two slots hold something else now
    assert one.cached_tokens(["a", "b", "x"]) == 0


def test_the_cache_of_every_slot_takes_memory() -> None:
    model = FakeModel("m", size_bytes=1000, kv_bytes_per_token=2)
    assert runner(model=model, slots=3).size_bytes == 1000 + 2 * 4096 * 3


def test_who_is_evicted_first() -> None:
    def candidate(name: str, keep_alive_s: float, refs: int) -> Runner:
        one = runner(model=FakeModel(name, digest=name))
        one.keep_alive_s, one.refs = keep_alive_s, refs
        return one

    busy_short = candidate("a", 1, 1)
    idle_long, idle_long_too = candidate("b", math.inf, 0), candidate("c", math.inf, 0)
    idle_short = candidate("d", 60, 0)
    order = sorted([busy_short, idle_long_too, idle_long, idle_short], key=Runner.eviction_order)
    assert [one.model.name for one in order] == ["d", "b", "c", "a"]
