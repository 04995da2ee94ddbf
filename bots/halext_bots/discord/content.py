"""What one message on Discord is made of."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import discord

from halext.commands.types import Button, File
from halext_bots.shared.keyboard import rows
from halext_bots.shared.transport import Body

PREFIX = "hx:"
"""Begins the `custom_id` of our buttons; what follows is what pressing one says."""
STOP_LABELS = frozenset({"Stop", "Drop"})
NOBODY = discord.AllowedMentions.none()
TOO_LARGE = "*Discord takes no file as large as this; ask for a smaller picture.*"


@dataclass(frozen=True, slots=True)
class Content(Body):
    """A message, ready to be sent or to be written over another one."""

    text: str
    buttons: tuple[Button, ...] = ()
    files: tuple[File, ...] = ()
    spot: Spot | None = field(default=None, compare=False, repr=False)
    """What it answers; None for nothing that is known, and then it just stands in the channel."""
    is_quiet: bool = field(default=False, compare=False)
    """Only for who gave the command."""

    def view(self) -> discord.ui.View | None:
        """The buttons, in the library's words.

        It is stopped, so that the library does not keep it: a press finds its command in the button itself.
        """
        if not self.buttons:
            return None
        view = discord.ui.View(timeout=None)
        for number, row in enumerate(rows(self.buttons)):
            for button in row:
                view.add_item(_key(button, number))
        view.stop()
        return view

    def uploads(self) -> list[discord.File]:
        """The files, in the library's words; fresh ones for each attempt."""
        return [discord.File(io.BytesIO(file.data), filename=file.name) for file in self.files]


ByChannel = Callable[[Content, discord.MessageReference | None], Awaitable[str]]
"""Posts a message in the channel, as an answer to another one there or not; its id."""


class Spot(Protocol):
    """What is answered. All messages of one answer have the same one; it knows which of them is the first."""

    async def send(self, body: Content, by_channel: ByChannel) -> str:
        """Post a message where it belongs; its id. Raises what the library does."""

    def reaches(self, ref: str) -> bool:
        """Whether a message can be edited from here, besides by its channel."""

    def is_needed(self, ref: str) -> bool:
        """Whether its channel would refuse the edit."""

    async def edit(self, ref: str, body: Content) -> None:
        """Write over a message that is reached. Raises what the library does."""


def _key(button: Button, row: int) -> discord.ui.Button[discord.ui.View]:
    style = discord.ButtonStyle.danger if button.label in STOP_LABELS else discord.ButtonStyle.secondary
    return discord.ui.Button(style=style, label=button.label, custom_id=PREFIX + button.says, row=row)


def content(text: str, buttons: Sequence[Button] = (), files: Sequence[File] = ()) -> Content:
    """A message of these parts; if it is too large for Discord, it says so in place of its files."""
    small = Content(f"{text}\n{TOO_LARGE}".strip(), tuple(buttons)) if files else None
    return Content(text, tuple(buttons), tuple(files), fallback=small)


def said_by(custom_id: str) -> str | None:
    """What pressing a button says; None for a button that is not ours."""
    return custom_id.removeprefix(PREFIX) if custom_id.startswith(PREFIX) else None


def of_discord(body: Body) -> Content:
    """What was made here and went through the outbox."""
    if not isinstance(body, Content):
        raise TypeError("that is no message for Discord")
    return body
