from __future__ import annotations

import asyncio
import logging

import pytest

from halext.runtime.background import Background


async def test_closing_ends_what_runs() -> None:
    ended = asyncio.Event()
    begun = asyncio.Event()

    async def forever() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with Background() as background:
        background.spawn(forever(), "for ever")
        await begun.wait()
    assert ended.is_set()


async def test_a_fault_is_logged_and_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    done = asyncio.Event()
    failed = asyncio.Event()

    async def broken() -> None:
        failed.set()
        raise RuntimeError("on purpose")

    async def fine() -> None:
        await failed.wait()
        done.set()

    with caplog.at_level(logging.ERROR):
        async with Background() as background:
            background.spawn(broken(), "the broken one")
            background.spawn(fine(), "the fine one")
            async with asyncio.timeout(5):
                await done.wait()
    assert "the broken one stopped by a fault" in caplog.text
    assert "on purpose" in caplog.text
