"""What someone must know: rules, incidents, and what is told about them.

An incident is one outage from its first failed check to its end. A notice is one incident told in one place: the place
gets one message, which is changed when the incident is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NewType, Protocol

from halext.types import NodeName

IncidentId = NewType("IncidentId", int)

Ending = Literal["back", "removed"]
"""How an incident ended: the node answers again, or an administrator removed it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When a node that is offline is worth a message: once it has been so for `for_s` seconds."""

    name: str = "node-offline"
    for_s: float = 300.0


class NoticeState(StrEnum):
    """How far one place has been told of one incident."""

    WAITING = "waiting"
    """There is something to tell: that it began, that it is over, or both in one message."""
    TOLD = "told"
    """It knows that the incident began; there is more to tell once it ends."""
    DONE = "done"
    """It knows everything."""
    GIVEN_UP = "given-up"
    """The incident was over for so long that nobody needs to be told any more."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One incident told in one place. `ref` is the place's own name for its message, None until there is one."""

    incident: IncidentId
    notifier: str
    state: NoticeState = NoticeState.WAITING
    ref: str | None = None
    attempts: int = 0
    """How often it was tried to tell what there is to tell now."""
    next_at: float = 0.0
    error: str = ""
    """Why the last attempt failed; empty after one that worked."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One outage of one node. Open until `resolved_at` is set."""

    id: IncidentId
    rule: str
    node: NodeName
    reason: str
    started_at: float
    """The first failed check: earlier than `fired_at` by what the rule asks for."""
    fired_at: float
    resolved_at: float | None = None
    ending: Ending | None = None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class Fire:
    """Begin an incident."""

    rule: str
    node: NodeName
    reason: str
    started_at: float


@dataclass(frozen=True, slots=True)
class Resolve:
    """End an incident."""

    incident: IncidentId
    ending: Ending


Action = Fire | Resolve


@dataclass(frozen=True, slots=True)
class Alert:
    """An incident in words, as plain text: a notifier escapes what its platform would read as markup or a mention."""

    key: str
    """The same for every attempt to tell this, so that a platform which knows such keys shows it once; 25 characters
    at most, as Discord's nonce has it."""
    title: str
    text: str
    is_over: bool
    started_at: float
    ended_at: float | None


class Notifier(Protocol):
    """A place where alerts are told. Doors put theirs into `app.notifiers`, under a name that stays the same."""

    async def send(self, alert: Alert, /) -> str:
        """Post it, and say what the message is called there. Raises `HalextError`, with `retry_after_s` if known."""

    async def edit(self, ref: str, alert: Alert, /) -> None:
        """Change the message that `send` posted. Raises `NotFound` when it is gone; then the alert is posted anew."""
