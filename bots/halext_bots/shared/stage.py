"""What the shared part needs of a platform: a place to answer in, and a view of something that grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from halext.commands.types import Button, File, Text


class View(Protocol):
    """One or more messages that show a text while it grows. Only `finished` waits for the platform."""

    @property
    def refs(self) -> tuple[str, ...]:
        """The platform's names for the messages that stand there by now, the first one first."""

    async def show(self, markdown: str, buttons: Sequence[Button]) -> None:
        """Show the text as it is now; steps in between may be left out."""

    async def finish(self, markdown: str, buttons: Sequence[Button], files: Sequence[File] = ()) -> None:
        """Show the text as it stays. May be called again when `finished` has said False."""

    async def finished(self) -> bool:
        """Wait until what `finish` said stands there, or can't be said there any more.

        False if it was given up for a reason that may pass, such as a platform that was away for long.
        """


class Stage(Protocol):
    """Where one thing that somebody said is answered."""

    @property
    def chat(self) -> str:
        """The door's own name for the chat, from which it can be found again after a restart."""

    def say(self, reply: Text) -> None:
        """Answer with this."""

    def busy(self) -> None:
        """Show that the answer will take a while."""

    def view(self) -> View:
        """Answer with something that grows."""


Restore = Callable[[str, tuple[str, ...]], View | None]
"""(chat, refs) → the view of before a restart; None when the chat is not there any more."""
