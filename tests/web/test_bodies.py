"""What all bodies take together."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.errors import Crowded
from halext_web import frame
from halext_web.bodies import Bodies

if TYPE_CHECKING:
    from tests.web.conftest import House, OpenHouse


@pytest.mark.parametrize(
    ("taken", "who", "size", "fits"),
    [
        ([], "a", 60, True),
        ([], "a", 61, False),
        ([("a", 60)], "a", 1, False),
        ([("a", 60)], "b", 40, True),
        ([("a", 60)], "b", 41, False),
        ([("a", 50), ("b", 50)], "c", 1, False),
        ([("a", 50), ("b", 50)], "c", 0, True),
    ],
)
def test_one_sender_has_a_share_and_all_together_a_bound(
    taken: list[tuple[str, int]], who: str, size: int, *, fits: bool
) -> None:
    bodies = Bodies(total=100, share=60)
    for each in taken:
        bodies.take(*each)
    if fits:
        bodies.take(who, size)
        return
    with pytest.raises(Crowded) as caught:
        bodies.take(who, size)
    assert caught.value.retry_after_s
    assert bodies.held == sum(size for _, size in taken)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50)), max_size=40))
def test_what_is_given_back_leaves_nothing_behind(steps: list[tuple[str, int]]) -> None:
    bodies, held = Bodies(total=100, share=60), []
    for step in steps:
        try:
            bodies.take(*step)
        except Crowded:
            continue
        held.append(step)
        assert bodies.held <= 100
    for step in held:
        bodies.give_back(*step)
    assert bodies.held == 0
    assert not bodies._held


async def test_a_body_counts_until_its_request_is_answered(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Bodies] = []
    made = Bodies.take

    def take(self: Bodies, who: str, size: int) -> None:
        seen.append(self)
        made(self, who, size)

    monkeypatch.setattr(Bodies, "take", take)
    gate = house.script.hold(0)
    body = json.dumps({"model": "llama3.2:3b", "messages": [{"role": "user", "content": "x" * 5000}]})
    async with house.client() as client, asyncio.TaskGroup() as group:
        asking = group.create_task(client.post("/api/chat", content=body))
        await house.script.began.wait()
        assert seen[0].held == len(body)
        gate.set()
        await asking
    assert seen[0].held == 0


async def test_no_room_is_a_503_with_the_time_to_come_back(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "Bodies", lambda: Bodies(total=100, share=50))
    house = await open_house()

    async def chunked() -> AsyncIterator[bytes]:
        yield b"{" * 30
        yield b"{" * 30

    async with house.client() as client:
        for body in (b"x" * 51, chunked()):
            answer = await client.post("/hx/tokens", content=body)
            assert (answer.status_code, answer.json()["code"]) == (503, "crowded")
            assert answer.headers["retry-after"] == "5"
        assert (await client.post("/hx/tokens", content=b"x" * 50)).status_code == 400
