"""Batches on their way to the disk: few commits, and nothing lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import cast

import pytest

from halext.client.book import Book, Placed
from halext.client.outcome import Outcome
from halext.client.writer import BATCH, MOST, Writer
from halext.errors import DataDirUnusable


class Kept:
    """Keeps batches; a gate that is closed holds it up, as a slow disk does."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Event()
        self.changed = threading.Condition()

    def save(self, placed: Sequence[Placed]) -> None:
        self.began.set()
        self.gate.wait(10)
        with self.changed:
            self.batches.append([position for position, *_ in placed])
            self.changed.notify_all()

    def wait_for(self, count: int) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: len(self.saved) >= count, 5)

    @property
    def saved(self) -> list[int]:
        return [number for batch in self.batches for number in batch]


def placed(number: int) -> Placed:
    return number, b"", Outcome()


async def until_saved(kept: Kept, count: int) -> None:
    """Wait until so many have been saved."""
    assert await asyncio.to_thread(kept.wait_for, count)


async def test_a_full_batch_is_one_commit_at_once_and_the_rest_soon() -> None:
    kept = Kept()
    shown = threading.Event()
    writer = Writer(cast("Book", kept), shown.set)
    running = asyncio.get_running_loop().create_task(writer.run())
    for number in range(BATCH + 1):
        await writer.put(placed(number))
    await until_saved(kept, BATCH + 1)
    assert await asyncio.to_thread(shown.wait, 10)
    running.cancel()
    assert len(kept.batches) <= 2
    assert kept.saved == list(range(BATCH + 1))


async def test_cut_off_while_it_writes_it_loses_nothing() -> None:
    kept = Kept()
    kept.gate.clear()
    writer = Writer(cast("Book", kept), lambda: None)
    for number in range(3):
        await writer.put(placed(number))
    running = asyncio.get_running_loop().create_task(writer.flush())
    await asyncio.to_thread(kept.began.wait, 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    kept.gate.set()
    await writer.put(placed(3))
    await writer.flush()
    await until_saved(kept, 3 + 4)
    assert sorted(map(tuple, kept.batches)) == [(0, 1, 2), (0, 1, 2, 3)]


async def test_a_slow_disk_makes_workers_wait() -> None:
    kept = Kept()
    kept.gate.clear()
    writer = Writer(cast("Book", kept), lambda: None)
    for number in range(MOST - 1):
        await writer.put(placed(number))
    last = asyncio.get_running_loop().create_task(writer.put(placed(MOST)))
    await asyncio.to_thread(kept.began.wait, 5)
    assert not last.done()
    kept.gate.set()
    await last


async def test_a_disk_that_is_full_is_an_error_and_nothing_is_lost_once_there_is_room() -> None:
    class Full(Kept):
        is_full = True

        def save(self, placed: Sequence[Placed]) -> None:
            if self.is_full:
                raise DataDirUnusable
            super().save(placed)

    kept = Full()
    writer = Writer(cast("Book", kept), lambda: None)
    await writer.put(placed(0))
    with pytest.raises(DataDirUnusable):
        await writer.flush()
    kept.is_full = False
    await writer.flush()
    assert kept.batches == [[0]]
