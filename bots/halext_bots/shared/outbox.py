"""STUB until the real one is here."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from halext.types import Clock

Content = TypeVar("Content")
C_contra = TypeVar("C_contra", contravariant=True)


class Flooded(Exception):
    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s


class Gone(Exception):
    pass


class Refused(Exception):
    pass


@dataclass(frozen=True)
class Pace:
    gap_s: float
    per_minute: int | None = None


class Chat(Protocol[C_contra]):
    async def send(self, body: C_contra, *, key: str) -> str: ...
    async def edit(self, ref: str, body: C_contra) -> None: ...
    async def delete(self, ref: str) -> None: ...
    async def typing(self) -> None: ...


@dataclass(eq=False)
class Slot(Generic[Content]):
    wanted: Content | None
    shown: Content | None = None
    ref: str | None = None
    is_final: bool = False
    remove: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def finished(self) -> None:
        await self.over.wait()


class Outbox(Generic[Content]):
    def __init__(
        self,
        chat: Chat[Content],
        clock: Clock,
        spawn: Callable[[Coroutine[object, object, None], str], None],
        pace: Pace,
    ) -> None:
        self._chat = chat
        self._clock = clock
        self._spawn = spawn
        self._pace = pace
        self._slots: list[Slot[Content]] = []
        self._running = False
        self._keys = itertools.count()

    @property
    def is_idle(self) -> bool:
        return not self._running

    def post(self, content: Content, *, is_final: bool = False) -> Slot[Content]:
        slot = Slot(content, is_final=is_final)
        self._slots.append(slot)
        self._wake()
        return slot

    def adopt(self, ref: str) -> Slot[Content]:
        slot: Slot[Content] = Slot(None, ref=ref)
        self._slots.append(slot)
        return slot

    def update(self, slot: Slot[Content], content: Content) -> None:
        if not slot.is_final:
            slot.wanted = content
            self._wake()

    def finish(self, slot: Slot[Content], content: Content) -> None:
        slot.is_final = True
        slot.wanted = content
        self._wake()

    def remove(self, slot: Slot[Content]) -> None:
        slot.remove = True
        slot.is_final = True
        self._wake()

    async def close(self, seconds: float) -> None:
        return

    def _wake(self) -> None:
        if not self._running:
            self._running = True
            self._spawn(self._run(), "outbox")

    async def _run(self) -> None:
        try:
            while True:
                todo = [s for s in self._slots if s.wanted != s.shown or (s.remove)]
                if not todo:
                    return
                slot = min(todo, key=lambda s: not s.is_final)
                try:
                    if slot.remove:
                        if slot.ref:
                            await self._chat.delete(slot.ref)
                        self._slots.remove(slot)
                        slot.over.set()
                        continue
                    wanted = slot.wanted
                    if slot.ref is None:
                        slot.ref = await self._chat.send(wanted, key=f"k{next(self._keys)}")
                    else:
                        await self._chat.edit(slot.ref, wanted)
                    slot.shown = wanted
                except Flooded as e:
                    await self._clock.sleep(e.retry_after_s)
                    continue
                except (Gone, Refused):
                    slot.shown = slot.wanted
                if slot.is_final and slot.shown == slot.wanted:
                    self._slots.remove(slot)
                    slot.over.set()
                else:
                    await self._clock.sleep(0.1)
        finally:
            self._running = False
