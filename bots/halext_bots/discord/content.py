"""What one message on Discord is made of."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import discord

from halext.commands.types import Button, File
from halext_bots.shared.transport import Body

PREFIX = "hx:"
"""Begins the `custom_id` of our buttons; what follows is what pressing one says."""
STOP_LABELS = frozenset({"Stop", "Drop"})


@dataclass(frozen=True, slots=True)
class Content(Body):
    """A message, ready to be sent or to be written over another one."""

    text: str
    buttons: tuple[Button, ...] = ()
    files: tuple[File, ...] = ()
    reply_to: int | None = field(default=None, compare=False)
    """The message that it answers; counts when it is sent only."""
    interaction: discord.Interaction | None = field(default=None, compare=False, repr=False)
    """The command that it answers; counts when it is sent only."""
    is_quiet: bool = field(default=False, compare=False)
    """Only for who gave the command."""
    is_more: bool = field(default=False, compare=False)
    """Follows another answer to the same command."""

    def view(self) -> discord.ui.View | None:
        """The buttons, in the library's words.

        It is stopped, so that the library does not keep it: presses find
        their command in the button itself.
        """
        if not self.buttons:
            return None
        view = discord.ui.View(timeout=None)
        for button in self.buttons:
            style = discord.ButtonStyle.danger if button.label in STOP_LABELS else discord.ButtonStyle.secondary
            view.add_item(discord.ui.Button(style=style, label=button.label, custom_id=PREFIX + button.says))
        view.stop()
        return view

    def uploads(self) -> list[discord.File]:
        """The files, in the library's words; fresh ones for each attempt."""
        return [discord.File(io.BytesIO(file.data), filename=file.name) for file in self.files]


def content(text: str, buttons: Sequence[Button] = (), files: Sequence[File] = ()) -> Content:
    """A message of these parts."""
    return Content(text, tuple(buttons), tuple(files))


def said_by(custom_id: str) -> str | None:
    """What pressing a button says; None for a button that is not ours."""
    return custom_id.removeprefix(PREFIX) if custom_id.startswith(PREFIX) else None


def of_discord(body: Body) -> Content:
    """What was made here and went through the outbox."""
    if not isinstance(body, Content):
        raise TypeError("that is no message for Discord")
    return body
