"""What the library raises, in our words: a table."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest

from halext.errors import HalextError, KeyRefused, RateLimited, RequestRefused, Unreachable
from halext_bots.discord.failures import BANNED_S, for_outbox, is_out_of_reach, translated
from halext_bots.shared.transport import Flooded, Gone, Refused


def http(
    status: int, code: int = 0, kind: type[discord.HTTPException] = discord.HTTPException
) -> discord.HTTPException:
    response: Any = SimpleNamespace(status=status, reason="because")
    return kind(response, {"code": code, "message": "fake.discord.token"})


def closed(code: int) -> discord.ConnectionClosed:
    socket: Any = SimpleNamespace(close_code=code)
    return discord.ConnectionClosed(socket, shard_id=None, code=code)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (discord.LoginFailure("Improper token"), KeyRefused),
        (closed(4004), KeyRefused),
        (closed(4000), Unreachable),
        (http(401), KeyRefused),
        (http(400, 50035), RequestRefused),
        (http(403, 50013, discord.Forbidden), RequestRefused),
        (http(429), RateLimited),
        (discord.RateLimited(7.0), RateLimited),
        (http(503, kind=discord.DiscordServerError), Unreachable),
        (aiohttp.ClientConnectionError("fake.discord.token"), Unreachable),
        (TimeoutError(), Unreachable),
    ],
)
def test_in_our_words_and_without_the_token(error: Exception, kind: type[HalextError]) -> None:
    found = translated(error)
    assert type(found) is kind
    assert "fake.discord.token" not in str(found)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (http(404, 10008, discord.NotFound), Gone),
        (http(403, 50001, discord.Forbidden), Gone),
        (http(401, 50027), Gone),
        (http(404, 10062, discord.NotFound), Gone),
        (http(429, 30046), Gone),
        (http(429), Flooded),
        (discord.RateLimited(7.0), Flooded),
        (http(400, 50035), Refused),
        (http(413, 40005), Refused),
        (http(401), KeyRefused),
        (http(408), RequestRefused),
        (http(500, kind=discord.DiscordServerError), Unreachable),
        (discord.InteractionResponded(SimpleNamespace()), Unreachable),  # type: ignore[arg-type]
        (OSError("gone"), Unreachable),
    ],
)
def test_in_the_outboxs_words(error: Exception, kind: type[Exception]) -> None:
    assert type(for_outbox(error)) is kind


def test_pauses_are_as_long_as_they_are_wanted() -> None:
    wanted, unsaid = for_outbox(discord.RateLimited(7.0)), for_outbox(http(429))
    assert isinstance(wanted, Flooded)
    assert isinstance(unsaid, Flooded)
    assert (wanted.retry_after_s, unsaid.retry_after_s) == (7.0, BANNED_S)


def test_out_of_reach_is_what_is_not_there_for_the_bot() -> None:
    assert [status for status in (400, 401, 403, 404, 429, 500) if is_out_of_reach(http(status))] == [403, 404]
