"""Flood control: how much a bot may send, and how long it is silenced when it sends more."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FloodRules:
    """Telegram's limits. It publishes the three rates; burst and penalties are what bots have met in the field.

    Sends, edits, chat actions and drafts count alike; answers to pressed buttons don't. An album counts once for each
    of its files. Times are seconds.
    """

    chat_per_s: float = 1.0
    chat_burst: int = 5
    group_per_minute: int = 20
    overall_per_s: int = 30
    first_wait_s: float = 3.0
    growth: float = 2.0
    longest_wait_s: float = 8000.0
    grace_s: float = 1.0
    """Refused calls this close to each other are one offence: they were under way already."""
    forgiven_after_s: float = 60.0
    """So long after its last offence and its penalty a chat starts with the first wait again."""


@dataclass(slots=True)
class _Line:
    """One chat, or all of them together."""

    tokens: float
    at: float
    recent: deque[float] = field(default_factory=deque)
    muted_until: float = float("-inf")
    offences: int = 0
    last_offence: float = float("-inf")


class Flood:
    """Counts calls. `refused` is how many were turned down."""

    def __init__(self, rules: FloodRules | None = None) -> None:
        self.rules = rules or FloodRules()
        self.refused = 0
        self._chats: dict[int, _Line] = {}
        self._all = _Line(0.0, 0.0)

    def wait_for(self, chat: int, now: float, *, is_group: bool, cost: int = 1) -> float:
        """Seconds until this call may be made again; 0 when it may be made now, and then it is counted."""
        line = self._chats.setdefault(chat, _Line(self.rules.chat_burst, now))
        rules = self.rules
        line.tokens = min(rules.chat_burst, line.tokens + (now - line.at) * rules.chat_per_s)
        line.at = now
        _forget(line.recent, now - 60)
        _forget(self._all.recent, now - 1)
        for one in (self._all, line):
            if now < one.muted_until:
                return self._refuse(one, now, 0.0)
        for one, need in ((self._all, self._overall_need(now, cost)), (line, self._need(line, now, cost, is_group))):
            if need > 0:
                return self._refuse(one, now, need)
        line.tokens -= cost
        line.recent.extend([now] * cost)
        self._all.recent.extend([now] * cost)
        return 0.0

    def _overall_need(self, now: float, cost: int) -> float:
        return _until_room(self._all.recent, cost, self.rules.overall_per_s, 1.0, now)

    def _need(self, line: _Line, now: float, cost: int, is_group: bool) -> float:  # noqa: FBT001 - private
        """Seconds until the chat has room, were there no penalty. An album may overdraw the burst, as one call."""
        missing = min(cost, self.rules.chat_burst) - line.tokens
        group = _until_room(line.recent, cost, self.rules.group_per_minute, 60.0, now) if is_group else 0.0
        return max(missing / self.rules.chat_per_s, group)

    def _refuse(self, line: _Line, now: float, need: float) -> float:
        self.refused += 1
        rules = self.rules
        if now - max(line.last_offence, line.muted_until) > rules.forgiven_after_s:
            line.offences = 0
        if now - line.last_offence > rules.grace_s:
            line.offences += 1
            wait = max(need, rules.first_wait_s * rules.growth ** (line.offences - 1))
            line.muted_until = max(line.muted_until, now + min(wait, rules.longest_wait_s))
            line.last_offence = now
        return max(line.muted_until, now + need) - now


def _until_room(recent: deque[float], cost: int, limit: int, window_s: float, now: float) -> float:
    """Seconds until `cost` more calls fit into the window."""
    excess = min(len(recent) + cost - limit, len(recent))
    return recent[excess - 1] + window_s - now if excess > 0 else 0.0


def _forget(times: deque[float], until: float) -> None:
    while times and times[0] <= until:
        times.popleft()
