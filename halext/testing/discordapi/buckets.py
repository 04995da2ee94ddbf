"""How often a bot may ask: buckets per route and place, a limit over all, and a ban for those who never listen."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from halext.types import Clock


@dataclass(frozen=True, slots=True)
class Rule:
    """So many requests in so many seconds; the window opens with the first one."""

    requests: int
    window_s: float


FIVE = Rule(5, 5.0)


@dataclass(frozen=True, slots=True)
class RateRules:
    """Discord publishes none but the one over all and the ban; the others are what people saw in its headers."""

    overall: Rule = Rule(50, 1.0)
    invalid: Rule = Rule(10_000, 600.0)
    """Answers of 401, 403 and 429 after which the address is banned for the rest of the window."""
    routes: Mapping[str, Rule] = field(
        default_factory=lambda: {
            "send_message": FIVE,
            "edit_message": FIVE,
            "delete_message": Rule(5, 1.0),
            "send_reply": FIVE,
            "edit_reply": FIVE,
            "delete_reply": FIVE,
            "typing": FIVE,
            "react": Rule(4, 1.0),
            "unreact": Rule(4, 1.0),
        }
    )


@dataclass(slots=True)
class _Window:
    since: float = -math.inf
    used: int = 0

    def wait(self, rule: Rule, now: float) -> float:
        """Seconds until there is room; 0 when there is."""
        if now - self.since >= rule.window_s:
            self.since, self.used = now, 0
        return 0.0 if self.used < rule.requests else self.since + rule.window_s - now


@dataclass(frozen=True, slots=True)
class Grant:
    """What became of a request. `retry_after` is real seconds, 0 when it may pass; `headers` go out either way."""

    headers: Mapping[str, str]
    retry_after: float = 0.0
    is_global: bool = False


class Buckets:
    """Counts. Windows are on `clock`, and what clients are told is real seconds: `scale` times fewer.

    `date` is real seconds since 1970, for clients that go by their own clock.
    """

    def __init__(self, clock: Clock, rules: RateRules, scale: float, date: Callable[[], float]) -> None:
        self.rules = rules
        self.refused = 0
        """How many requests found their bucket empty."""
        self.invalid = _Window()
        self._clock = clock
        self._scale = scale
        self._date = date
        self._overall = _Window()
        self._windows: dict[tuple[str, str], _Window] = {}

    def take(self, route: str, place: str, *, is_exempt: bool) -> Grant:
        """Count a request to a route for a channel, guild or webhook; `is_exempt` from the limit over all."""
        now = self._clock.monotonic()
        if not is_exempt:
            if wait := self._overall.wait(self.rules.overall, now):
                self.refused += 1
                retry_after = self._real(wait)
                told = {"X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"}
                return Grant({"Retry-After": str(math.ceil(retry_after)), **told}, retry_after, is_global=True)
            self._overall.used += 1
        rule = self.rules.routes.get(route)
        return Grant({}) if rule is None else self._take(rule, route, place, now)

    def count_invalid(self) -> None:
        """An answer was one of those that lead to a ban."""
        self.invalid.wait(self.rules.invalid, self._clock.monotonic())
        self.invalid.used += 1

    @property
    def is_banned(self) -> bool:
        """Whether this address gets nothing but refusals."""
        return self.invalid.wait(self.rules.invalid, self._clock.monotonic()) > 0

    def _take(self, rule: Rule, route: str, place: str, now: float) -> Grant:
        window = self._windows.setdefault((route, place), _Window())
        wait = window.wait(rule, now)
        window.used += 0 if wait else 1
        reset_after = self._real(window.since + rule.window_s - now)
        headers = {
            "X-RateLimit-Limit": str(rule.requests),
            "X-RateLimit-Remaining": str(rule.requests - window.used),
            "X-RateLimit-Reset": f"{self._date() + reset_after:.3f}",
            "X-RateLimit-Reset-After": f"{reset_after:.3f}",
            "X-RateLimit-Bucket": f"bucket-{route}",
        }
        if not wait:
            return Grant(headers)
        told = self.told(wait)
        return Grant({**headers, **told.headers}, told.retry_after)

    def told(self, wait_s: float) -> Grant:
        """A refusal that asks to wait so many seconds of the clock."""
        self.refused += 1
        retry_after = self._real(wait_s)
        return Grant({"Retry-After": str(math.ceil(retry_after)), "X-RateLimit-Scope": "user"}, retry_after)

    def _real(self, seconds: float) -> float:
        """Real seconds, rounded up to the millisecond so that who waits them is not early."""
        return math.ceil(seconds / self._scale * 1000) / 1000
