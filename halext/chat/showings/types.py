"""An answer that a door has begun to show in a chat."""

from __future__ import annotations

from dataclasses import dataclass

from halext.chat.types import TurnId
from halext.types import UserId


@dataclass(frozen=True, slots=True)
class Showing:
    """One answer in one chat. It is forgotten once its end stands there."""

    turn: TurnId
    owner: UserId
    """Whose answer it is."""
    chat: str
    """The door's own name for the chat."""
    refs: tuple[str, ...] = ()
    """The door's own names for the messages that carry the answer, the first one first."""
