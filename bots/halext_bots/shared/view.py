"""A text that grows in a chat: cut into messages, each of which has its place in the outbox."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from halext.commands.types import Button, File
from halext_bots.shared.flow import Flow
from halext_bots.shared.outbox import Full, Outbox
from halext_bots.shared.pace import Rank
from halext_bots.shared.slot import Slot
from halext_bots.shared.splitting import Renderer, messages
from halext_bots.shared.stage import Undelivered
from halext_bots.shared.transport import Body, Gone, Refused

Rendered = TypeVar("Rendered")

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

    @property
    def refs(self) -> tuple[str, ...]:
        """The platform's names for the messages that stand there by now."""
        fresh = [slot.ref for slot in self._slots if slot.ref is not None]
        return (*fresh, *self._standing[len(self._slots) :])

    def show(self, markdown: str, buttons: Sequence[Button]) -> None:
        """Show the text as it is now; the buttons are below the last message."""
        bodies = self._flow.update(markdown)
        last = len(bodies) - 1
        for number in range(self._handed_over, len(bodies)):
            self._put(number, self._dress(bodies[number], buttons if number == last else (), ()))
        # A full message is done with once another one carries the buttons.
        self._handed_over = max(min(self._flow.frozen, last), 0)

    def finish(self, markdown: str, buttons: Sequence[Button], files: Sequence[File] = ()) -> None:
        """Show the text as it stays; messages that it does not need any more are taken away."""
        bodies = messages(markdown, self._renderer)
        last = len(bodies) - 1
        for number, body in enumerate(bodies):
            end = (buttons, files) if number == last else ((), ())
            self._put(number, self._dress(body, *end), is_final=True)
        for slot in self._slots[len(bodies) :]:
            self._outbox.drop(slot)

    async def finished(self) -> None:
        """Wait until the final text stands there, or can't be said there any more. Raises `Undelivered`."""
        for slot in self._slots:
            await slot.done()
        if not self._slots or not all(map(_is_settled, self._slots)):
            raise Undelivered

    def _put(self, number: int, body: Body, *, is_final: bool = False) -> None:
        if number < len(self._slots):
            (self._outbox.finish if is_final else self._outbox.update)(self._slots[number], body)
            return
        ref = self._standing[number] if number < len(self._standing) else None
        after = self._slots[-1] if self._slots else None
        try:
            rank = Rank.FINAL if is_final else Rank.FIRST
            self._slots.append(self._outbox.post(body, rank=rank, ref=ref, after=after))
        except Full:
            _log.warning("there is no room for an answer: too much waits for this chat")


def _is_settled(slot: Slot) -> bool:
    """Whether there is nothing more to try: it stands there, or the place or the platform will not have it."""
    return slot.is_final and (slot.error is None or isinstance(slot.error, Gone | Refused))
