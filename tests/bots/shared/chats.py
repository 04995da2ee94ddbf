"""A chat that plays a script."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from halext.runtime.background import Background
from halext.testing.clock import ManualClock
from halext_bots.shared.outbox import Outbox
from halext_bots.shared.pace import Pace
from halext_bots.shared.transport import Body


@dataclass(frozen=True)
class Fault:
    """What happens to one call."""

    delay_s: float = 0.0
    error: Exception | None = None
    is_done: bool = False
    """Whether the platform did it all the same."""


@dataclass(frozen=True)
class Call:
    began: float
    ended: float
    kind: str
    ref: str | None
    body: Body | None
    error: Exception | None


@dataclass
class ScriptedChat:
    """Remembers what was called, and what people see."""

    clock: ManualClock
    faults: deque[Fault] = field(default_factory=deque)
    calls: list[Call] = field(default_factory=list)
    seen: dict[str, Body] = field(default_factory=dict)
    shown: dict[str, list[Body]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    async def send(self, body: Body, *, key: str) -> str:
        ref = self.keys.get(key, f"m{len(self.keys) + 1}")
        await self._play("send", ref, body, key)
        return ref

    async def edit(self, ref: str, body: Body) -> None:
        await self._play("edit", ref, body)

    async def delete(self, ref: str) -> None:
        await self._play("delete", ref, None)

    async def typing(self) -> None:
        await self._play("typing", None, None)

    async def _play(self, kind: str, ref: str | None, body: Body | None, key: str = "") -> None:
        began = self.clock.monotonic()
        fault = self.faults.popleft() if self.faults else Fault()
        if fault.delay_s:
            await self.clock.sleep(fault.delay_s)
        if ref is not None and (fault.error is None or fault.is_done):
            self._apply(ref, body, key)
        self.calls.append(Call(began, self.clock.monotonic(), kind, ref, body, fault.error))
        if fault.error is not None:
            raise fault.error

    def _apply(self, ref: str, body: Body | None, key: str) -> None:
        if body is None:
            self.seen.pop(ref)
        elif key not in self.keys or not key:
            self.seen[ref] = body
            self.shown.setdefault(ref, []).append(body)
            if key:
                self.keys[key] = ref

    def lines(self) -> list[str]:
        """The calls, short: when they ended, what they were, with which text."""
        return [f"{call.ended:g} {call.kind} {call.body.text if call.body else '-'}" for call in self.calls]


@asynccontextmanager
async def outboxes(
    count: int = 1, *, pace: Pace | None = None, faults: Iterable[Fault] = ()
) -> AsyncIterator[tuple[ManualClock, list[Outbox], list[ScriptedChat]]]:
    """Outboxes on one clock; the faults are the first one's."""
    clock = ManualClock()
    chats = [ScriptedChat(clock) for _ in range(count)]
    chats[0].faults.extend(faults)
    async with Background() as background:
        yield clock, [Outbox(chat, clock, background.spawn, pace=pace) for chat in chats], chats
