"""Discord's errors as ours: the one place that knows what its library raises."""

from __future__ import annotations

import aiohttp
import discord

from halext.errors import HalextError, KeyRefused, RateLimited, RequestRefused, Unreachable
from halext_bots.shared.transport import Flooded, Gone, Refused

REFUSED = (
    "Discord refuses the bot's token; make a new one in the developer portal and set it with `halext key set discord`."
)
AWAY = "Discord can't be reached."
FAILURES = (discord.DiscordException, aiohttp.ClientError, TimeoutError, OSError)
"""All that the library lets through when a call fails; those of the connection are aiohttp's."""
TOKEN_CLOSED = 4004
"""The gateway's code for a token that is not, or no longer, valid."""
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, REQUEST_TIMEOUT, TOO_MANY = 401, 403, 404, 408, 429
SERVER_FAULTS = 500
"""The server's own faults begin here."""
UNKNOWN_MESSAGE = 10008
UNKNOWN_WEBHOOK = 10015
UNKNOWN_INTERACTION = 10062
EXPIRED_TOKEN = 50027
CLOSED = frozenset({UNKNOWN_WEBHOOK, UNKNOWN_INTERACTION, EXPIRED_TOKEN})
"""An interaction can't be answered in its own place, or not any more."""
ANSWERED_ALREADY = 40060
NO_HISTORY = 160002
"""The bot may write in a channel but not read there, and so it can't refer to a message."""
TOO_OLD_TO_EDIT = 30046
BANNED_S = 60.0
"""The pause after a refusal by what stands before Discord, which does not say how long it lasts."""


def translated(error: Exception) -> HalextError:
    """The same failure in our words, without anything that could hold the token."""
    match error:
        case discord.LoginFailure():
            return KeyRefused(REFUSED)
        case discord.ConnectionClosed() if error.code == TOKEN_CLOSED:
            return KeyRefused(REFUSED)
        case discord.RateLimited():
            return RateLimited("Discord asks for a pause.", retry_after_s=error.retry_after)
        case discord.HTTPException() if error.status == UNAUTHORIZED:
            return KeyRefused(REFUSED)
        case discord.HTTPException() if error.status == TOO_MANY:
            return RateLimited("Discord asks for a pause.", retry_after_s=BANNED_S)
        case discord.HTTPException() if error.status < SERVER_FAULTS:
            return RequestRefused(f"Discord refuses that ({error.status}, code {error.code}).")
        case _:
            return Unreachable(AWAY)


def is_out_of_reach(error: discord.HTTPException) -> bool:
    """Whether a channel or a message is not there for the bot, or not any more."""
    return error.status in {FORBIDDEN, NOT_FOUND}


def for_outbox(error: Exception) -> Exception:
    """What the outbox is told of a failed call."""
    match error:
        case discord.RateLimited():
            return Flooded(error.retry_after)
        case discord.HTTPException() if error.code in CLOSED or error.code == TOO_OLD_TO_EDIT or is_out_of_reach(error):
            return Gone()
        case discord.HTTPException() if error.status == TOO_MANY:
            return Flooded(BANNED_S)
        case discord.HTTPException() if error.status in {UNAUTHORIZED, REQUEST_TIMEOUT}:
            return translated(error)
        case discord.HTTPException() if error.status < SERVER_FAULTS:
            return Refused(f"status {error.status}, code {error.code}")
        case _:
            return translated(error)
