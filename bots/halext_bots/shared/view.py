"""A text that grows in a chat: cut into messages, each of which has its place in the outbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from halext.commands.types import Button, File
from halext_bots.shared.flow import Flow
from halext_bots.shared.outbox import Outbox, Slot
from halext_bots.shared.splitting import Renderer, messages

Body = TypeVar("Body")
Content = TypeVar("Content")

Dress = Callable[[Body, Sequence[Button], Sequence[File]], Content]
"""Makes a platform's message of a rendered text, with buttons below it and files."""


class Growing(Generic[Body, Content]):
    """Messages that show one text while it grows. Fulfils `stage.View`."""

    def __init__(
        self,
        outbox: Outbox[Content],
        renderer: Renderer[Body],
        dress: Dress[Body, Content],
        slots: Sequence[Slot[Content]] = (),
    ) -> None:
        """`slots` are messages that stand there already, and are written over."""
        self._outbox = outbox
        self._renderer = renderer
        self._dress = dress
        self._flow = Flow(renderer)
        self._slots = list(slots)
        self._frozen = 0
        """How many of the messages have been handed over for good."""

    @property
    def refs(self) -> tuple[str, ...]:
        """The platform's names for the messages that stand there by now."""
        return tuple(slot.ref for slot in self._slots if slot.ref is not None)

    def show(self, markdown: str, buttons: Sequence[Button]) -> None:
        """Show the text as it is now; the buttons are below the last message."""
        bodies = self._flow.update(markdown)
        last = len(bodies) - 1
        for number in range(self._frozen, len(bodies)):
            self._put(number, self._dress(bodies[number], buttons if number == last else (), ()))
        # A full message is done with once another one carries the buttons.
        self._frozen = max(min(self._flow.frozen, last), 0)

    def finish(self, markdown: str, buttons: Sequence[Button], files: Sequence[File] = ()) -> None:
        """Show the text as it stays; messages that it does not need any more are taken away."""
        bodies = messages(markdown, self._renderer)
        last = len(bodies) - 1
        for number, body in enumerate(bodies):
            is_last = number == last
            content = self._dress(body, buttons if is_last else (), files if is_last else ())
            self._put(number, content, is_final=True)
        for slot in self._slots[len(bodies) :]:
            self._outbox.remove(slot)
        del self._slots[len(bodies) :]

    async def finished(self) -> None:
        """Wait until the final text stands there, or can't be said there any more."""
        for slot in self._slots:
            await slot.finished()

    def _put(self, number: int, content: Content, *, is_final: bool = False) -> None:
        if number == len(self._slots):
            self._slots.append(self._outbox.post(content, is_final=is_final))
        elif is_final:
            self._outbox.finish(self._slots[number], content)
        else:
            self._outbox.update(self._slots[number], content)
