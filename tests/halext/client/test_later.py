"""A property that is awaited does nothing before that."""

from __future__ import annotations

from halext.client.later import Later


async def test_it_works_when_it_is_awaited_and_each_time() -> None:
    done: list[int] = []

    async def work() -> int:
        done.append(1)
        return len(done)

    later = Later(work)
    assert done == []
    assert (await later, await later) == (1, 2)
