"""A text that grows in a chat: cut into messages, each of which has its place in the outbox."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from halext.commands.types import Button, File
from halext_bots.shared.flow import Flow
from halext_bots.shared.outbox import Full, Outbox
from halext_bots.shared.pace import Rank
from halext_bots.shared.slot import Slot
from halext_bots.shared.splitting import Renderer, messages
from halext_bots.shared.transport import Body, Gone, Refused

Rendered = TypeVar("Rendered")

SHORT = 4_000
"""Characters that are read and cut in a few milliseconds."""
Dress = Callable[[Rendered, Sequence[Button], Sequence[File]], Body]
"""Makes a platform's message of a rendered text, with buttons below it and files."""
_log = logging.getLogger(__name__)


class Growing(Generic[Rendered]):
    """Messages that show one text while it grows. Fulfils `stage.View`."""

    def __init__(
        self, outbox: Outbox, renderer: Renderer[Rendered], dress: Dress[Rendered], refs: Sequence[str] = ()
    ) -> None:
        """`refs` are messages that stand there already, and are written over."""
        self._outbox = outbox
        self._renderer = renderer
        self._dress = dress
        self._flow = Flow(renderer)
        self._standing = list(refs)
        self._slots: list[Slot] = []
        self._handed_over = 0
        """How many of the messages will not change any more."""
        self._is_short = False
        """Whether there was no room for a part of the final text."""

    @property
    def refs(self) -> tuple[str, ...]:
        """The platform's names for the messages that stand there by now."""
        fresh = [slot.ref for slot in self._slots if slot.ref is not None]
        return (*fresh, *self._standing[len(self._slots) :])

    async def show(self, markdown: str, buttons: Sequence[Button]) -> None:
        """Show the text as it is now; the buttons are below the last message."""
        bodies = await _worked(markdown, self._flow.update)
        last = len(bodies) - 1
        for number in range(self._handed_over, len(bodies)):
            if not self._put(number, self._dress(bodies[number], buttons if number == last else (), ())):
                return
        # A full message is done with once another one carries the buttons.
        self._handed_over = max(min(self._flow.frozen, last), 0)

    async def finish(self, markdown: str, buttons: Sequence[Button], files: Sequence[File] = ()) -> None:
        """Show the text as it stays; messages that it does not need any more are taken away.

        After `finished` has said False it may be called again, and writes over what stands there by then.
        """
        bodies = await _worked(markdown, lambda text: messages(text, self._renderer))
        self._renew()
        last = len(bodies) - 1
        made = [self._dress(body, *((buttons, files) if at == last else ((), ()))) for at, body in enumerate(bodies)]
        self._is_short = not all(self._put(number, body, is_final=True) for number, body in enumerate(made))
        for slot in self._slots[len(bodies) :]:
            self._outbox.drop(slot)
        for number in range(max(len(bodies), len(self._slots)), len(self._standing)):
            if made and self._put(number, made[-1]):  # left by a longer text, before a restart
                self._outbox.drop(self._slots[-1])

    async def finished(self) -> bool:
        """Wait until the final text stands there or can't be said there any more; False if it could be said later."""
        for slot in self._slots:
            await slot.done()
        return not self._is_short and all(map(_is_settled, self._slots))

    def _renew(self) -> None:
        if any(slot.is_over and not _is_settled(slot) for slot in self._slots) or self._is_short:
            self._standing, self._slots = list(self.refs), []

    def _put(self, number: int, body: Body, *, is_final: bool = False) -> bool:
        """Whether there was room for it."""
        if number < len(self._slots):
            (self._outbox.finish if is_final else self._outbox.update)(self._slots[number], body)
            return True
        ref = self._standing[number] if number < len(self._standing) else None
        after = self._slots[-1] if self._slots else None
        try:
            rank = Rank.FINAL if is_final else Rank.FIRST
            self._slots.append(self._outbox.post(body, rank=rank, ref=ref, after=after))
        except Full:
            if not self._is_short:
                _log.warning("there is no room for an answer: too much waits for this chat")
            self._is_short = True
            return False
        return True


async def _worked(text: str, work: Callable[[str], list[Rendered]]) -> list[Rendered]:
    """Reading a long text takes tenths of a second, which nobody else shall wait for."""
    return work(text) if len(text) <= SHORT else await asyncio.to_thread(work, text)


def _is_settled(slot: Slot) -> bool:
    """Whether nothing can be made better: its final is there, or is not wanted there by the platform or by people."""
    return slot.is_final and (slot.error is None or isinstance(slot.error, Gone | Refused))
