"""What people can say to halext in a chat, and what it answers; the same on every door."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from halext.accounts.links.types import ChatAccount
from halext.accounts.types import Caller, Permission
from halext.chat.types import ConversationId, TurnId
from halext.types import RequestId


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who says something, and where."""

    account: ChatAccount
    caller: Caller | None
    """The person whose account it is; None for a stranger."""
    place: str
    """The channel or direct chat, as `chat.places` names it: `discord:channel:123`."""
    is_private: bool = False
    """Nobody else reads along there."""


@dataclass(frozen=True, slots=True)
class File:
    """What came along with the words."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that a command wants to know."""

    name: str
    description: str
    required: bool = False
    choices: tuple[str, ...] = ()
    """The only values; none of them named means any text."""
    is_rest: bool = False
    """Takes all words that are left when its turn comes. One option of a command at most."""
    complete: Callable[[Any, Caller, str], Sequence[str]] | None = None
    """(app, caller, what is typed so far) → up to 25 values worth offering; must not wait."""


Values = Mapping[str, str]
"""Option → what was said; options that were left out are not there."""


@dataclass(frozen=True, slots=True)
class Said:
    """A command with its values, as a speaker said it."""

    speaker: Speaker
    caller: Caller
    values: Values
    files: tuple[File, ...] = ()

    def get(self, option: str) -> str:
        """What was said for an option; "" for nothing."""
        return self.values.get(option, "")


Run = Callable[[Any, Said], Awaitable["Reply"]]


@dataclass(frozen=True, slots=True)
class Command:
    """One command. A name of two words, such as `task add`, is a subcommand of the first."""

    name: str
    description: str
    """One line, 100 characters at most: Discord shows no more."""
    options: tuple[Option, ...]
    permission: Permission
    """What the caller must be allowed to do; `PUBLIC` is for strangers too."""
    run: Run
    is_slow: bool = False
    """Takes seconds: doors say at once that they have understood, and answer later."""
    is_listed: bool = True
    """Shown in menus and help. Those that only buttons say are not."""
    takes_files: bool = False
    """A picture or a text file may come along."""
    also: Permission | None = None
    """A second right that it needs, such as that of asking models."""

    @property
    def rights(self) -> tuple[Permission, ...]:
        """All that it needs."""
        return (self.permission,) if self.also is None else (self.permission, self.also)


@dataclass(frozen=True, slots=True)
class Button:
    """Pressing it says a command in the presser's own name, no matter who was answered."""

    label: str
    says: str
    """A command line without its slash, 60 bytes at most: `task accept 12`. Never a secret."""


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is there. Markdown of ours, with all foreign words quoted by `commands.words`."""

    markdown: str
    buttons: tuple[Button, ...] = ()
    is_error: bool = False
    is_quiet: bool = False
    """Only for the one who asked, where the platform can do that; a toast when it follows a button."""


@dataclass(frozen=True, slots=True)
class Live:
    """An answer of a model, which grows; follow it with `app.answers.follow`."""

    conversation: ConversationId
    turn: TurnId


@dataclass(frozen=True, slots=True)
class Painting:
    """Pictures that are being made; follow them with `app.studio`."""

    job: RequestId


Reply = Text | Live | Painting
