"""Telegram's errors as ours: the one place that knows what its library raises."""

from __future__ import annotations

import warnings

from telegram.error import (
    BadRequest,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)
from telegram.warnings import PTBDeprecationWarning

from halext.errors import HalextError, KeyRefused, RateLimited, RequestRefused, Unreachable

REFUSED = "Telegram refuses the bot's token; get a new one from @BotFather and set it with `halext key set telegram`."
TWICE = "Another program uses the same bot token; stop it, or give this halext a bot of its own."
AWAY = "Telegram can't be reached."


def hush() -> None:
    """Keep the library's word about a later version of itself off the owner's screen; it says it for every 429."""
    warnings.filterwarnings("ignore", "(?s).*retry_after", PTBDeprecationWarning)


def translated(error: TelegramError) -> HalextError:
    """The same failure in our words, without anything that could hold the token."""
    match error:
        case InvalidToken() | EndPointNotFound():  # for methods called by name; all of them exist
            return KeyRefused(REFUSED)
        case RetryAfter():
            return RateLimited("Telegram asks for a pause.", retry_after_s=seconds(error))
        case Conflict():
            return Unreachable(TWICE)
        case Forbidden() | BadRequest():
            return RequestRefused(f"Telegram refuses that: {error.message}")
        case NetworkError():
            return Unreachable(AWAY)
        case _:
            return Unreachable(f"Telegram failed: {type(error).__name__}.")


def seconds(error: RetryAfter) -> float:
    """How long to wait; the library gives a number or a time span, as it is told."""
    wait = error.retry_after
    return wait if isinstance(wait, int | float) else wait.total_seconds()
