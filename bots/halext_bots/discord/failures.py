"""Discord's errors as ours: the one place that knows what its library raises."""

from __future__ import annotations

import aiohttp
import discord

from halext.errors import HalextError, KeyRefused, RateLimited, RequestRefused, Unreachable

REFUSED = (
    "Discord refuses the bot's token; make a new one in the developer portal and set it with `halext key set discord`."
)
AWAY = "Discord can't be reached."
FAILURES = (discord.DiscordException, aiohttp.ClientError, TimeoutError, OSError)
"""All that the library lets through when a call fails; those of the connection are aiohttp's."""
TOKEN_CLOSED = 4004
"""The gateway's code for a token that is not, or no longer, valid."""
UNAUTHORIZED = 401
UNKNOWN_INTERACTION = 10062
EXPIRED_TOKEN = 50027
TOO_OLD_TO_EDIT = 30046


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
        case discord.HTTPException() if error.status < 500:  # noqa: PLR2004  (the server's own faults begin there)
            return RequestRefused(f"Discord refuses that ({error.status}, code {error.code}).")
        case _:
            return Unreachable(AWAY)
