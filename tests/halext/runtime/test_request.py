from __future__ import annotations

import asyncio

from halext.runtime import request
from halext.types import RequestId


async def test_each_task_has_its_own() -> None:
    async def serve(number: int) -> str:
        request.begin(RequestId(f"r{number}"))
        await asyncio.sleep(0)
        return await asyncio.get_running_loop().create_task(inner())

    async def inner() -> str:
        return request.current()

    assert await asyncio.gather(*(asyncio.create_task(serve(n)) for n in range(3))) == ["r0", "r1", "r2"]
    assert request.current() == ""
