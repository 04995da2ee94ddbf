"""An answer on its way out, with the faults that were ordered for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from halext.testing.faults import Fault, Plan, Step
from halext.testing.server import JSON, Exchange
from halext.types import Clock

HTML = "text/html; charset=UTF-8"
DRIP_BYTES = 3
TUNNEL_STATUS = 530
"""What Cloudflare's tunnel answers while its far end is down."""
OUT_OF_MEMORY = "llama runner process has terminated: cudaMalloc failed: out of memory"
GARBAGE = b'<<< not json "\xff\xfe >>>'


@dataclass(frozen=True, slots=True)
class Shape:
    """How one kind of server frames what a fault has to say."""

    content_type: str
    error_body: Callable[[int, str], bytes]
    error_line: Callable[[int, str], bytes]
    filler: Callable[[str], bytes]
    garbage: bytes
    texts: Mapping[int, str]
    failure_status: int = 500
    """What a failure inside the server is answered with."""


class Ended(Exception):
    """A fault ended the answer; everything about it has been sent."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.kind)
        self.fault = fault


class CutShort(Exception):
    """A fault wants a clean end without the closing line."""


class Answer:
    """Sends the pieces of one answer, each at its step, and lets the plan's faults strike there.

    When `one_shot` is set the pieces only mark the steps, and `finish` sends the one body. `note` is told of every
    fault that strikes.
    """

    def __init__(
        self, exchange: Exchange, plan: Plan, clock: Clock, shape: Shape, note: Callable[[Fault], None]
    ) -> None:
        self.shape = shape
        self.one_shot = False
        self._exchange = exchange
        self._plan = plan
        self._clock = clock
        self._note = note
        self._manner: Fault | None = None
        self._held = b""

    async def reach(self, step: Step, due: bytes = b"") -> None:
        """Arrive at a step with the bytes that are due there. Raises Ended or CutShort when a fault ends it."""
        steps: tuple[Step, ...] = (step, "first_token") if step == 1 else (step,)
        for fault in self._plan.at(*steps):
            await self._strike(fault, due)

    async def send(self, step: Step, piece: bytes) -> None:
        """A piece of the answer at its step."""
        await self.reach(step, piece)
        await self._out(piece)

    async def finish(self, piece: bytes, *, tail: bytes = b"") -> None:
        """The closing piece (in one-shot mode: the whole body), and the clean end."""
        if self.one_shot:
            await self._exchange.send(200, piece, content_type=JSON)
            return
        await self._out(piece + tail)
        await self._flush()
        await self.reach("after_done")
        await self._exchange.end()

    async def end(self) -> None:
        """A clean end without a closing piece."""
        await self._flush()
        if not self._exchange.begun:
            await self._exchange.begin(content_type=self.shape.content_type)
        await self._exchange.end()

    async def _fail(self, status: int, text: str) -> None:
        """The server's error: with its status before the first byte, as a last line after it."""
        if self._exchange.begun:
            await self._flush()
            await self._exchange.write(self.shape.error_line(status, text))
            await self._exchange.end()
        else:
            await self._exchange.send(status, self.shape.error_body(status, text))

    async def _strike(self, fault: Fault, due: bytes) -> None:
        kind = fault.kind
        self._note(fault)
        if kind in {"drip", "split", "glue"}:
            self._manner = fault
        elif kind == "stall":
            await self._stall(fault.seconds)
        elif kind == "garbage":
            await self._out(self.shape.garbage)
        elif kind == "huge":
            await self._out(self.shape.filler("x" * fault.size))
        elif kind == "eof":
            raise CutShort
        else:
            await self._break_off(fault, due)
            raise Ended(fault)

    async def _break_off(self, fault: Fault, due: bytes) -> None:
        if fault.kind == "reset":
            await self._reset(due)
        elif fault.kind == "page":
            status = fault.status or TUNNEL_STATUS
            page = f"<!DOCTYPE html><title>{status}</title><h1>Error {status}</h1>\n".encode()
            await self._exchange.send(status, page, content_type=HTML)
        else:
            status = fault.status or self.shape.failure_status
            usual = OUT_OF_MEMORY if fault.kind == "oom" else self.shape.texts.get(status, f"error {status}")
            await self._fail(status, fault.text or usual)

    async def _reset(self, due: bytes) -> None:
        await self._flush()
        if due and not self.one_shot:
            await self._begin()
            await self._exchange.write_half(due)
        self._exchange.abort()

    async def _stall(self, seconds: float | None) -> None:
        await self._flush()
        if seconds is None:
            await asyncio.Event().wait()  # ends by the cancellation that a leaving client brings
        else:
            await self._clock.sleep(seconds)

    async def _begin(self) -> None:
        if not self._exchange.begun:
            await self._exchange.begin(content_type=self.shape.content_type)

    async def _out(self, piece: bytes) -> None:
        if self.one_shot or not piece:
            return
        await self._begin()
        manner = self._manner.kind if self._manner else "plain"
        if manner == "glue" and not self._held:
            self._held = piece
        elif manner == "drip":
            await self._drip(piece)
        elif manner == "split":
            at = split_point(piece)
            await self._exchange.write(piece[:at])
            await asyncio.sleep(0)
            await self._exchange.write(piece[at:])
        else:
            await self._exchange.write(self._held + piece)
            self._held = b""

    async def _drip(self, piece: bytes) -> None:
        for at in range(0, len(piece), DRIP_BYTES):
            await self._exchange.write(piece[at : at + DRIP_BYTES])
            await self._clock.sleep((self._manner and self._manner.seconds) or 0.0)

    async def _flush(self) -> None:
        held, self._held = self._held, b""
        if held:
            await self._exchange.write(held)


def split_point(piece: bytes) -> int:
    """Where to cut: behind the first byte of the first character that has several, else in the middle."""
    for at, byte in enumerate(piece):
        if byte >= 0xC0:
            return at + 1
    return len(piece) // 2
