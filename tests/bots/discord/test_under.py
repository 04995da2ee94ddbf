"""The first message of an answer refers to what it answers; a repeat, and the next ones, do as they must."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import discord
import pytest

from halext_bots.discord.content import Content, content
from halext_bots.discord.under import Under


class Channel:
    """Posts, or fails as told; what each message referred to."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.references: list[int | None] = []

    async def post(self, body: Content, reference: discord.MessageReference | None) -> str:
        del body
        self.references.append(reference.message_id if reference else None)
        if self.failures:
            raise self.failures.pop(0)
        return "1"


def refusal(code: int) -> discord.HTTPException:
    response: Any = SimpleNamespace(status=400, reason="because")
    return discord.HTTPException(response, {"code": code, "message": "no"})


async def test_only_the_first_one_refers() -> None:
    spot, channel = Under(5, 7), Channel()
    assert await spot.send(content("a"), channel.post) == "1"
    await spot.send(content("b"), channel.post)
    assert channel.references == [7, None]
    assert not spot.reaches("1")
    assert not spot.is_needed("1")
    with pytest.raises(AssertionError):
        await spot.edit("1", content("c"))


async def test_one_that_failed_refers_when_it_is_repeated() -> None:
    spot, channel = Under(5, 7), Channel(TimeoutError())
    with pytest.raises(TimeoutError):
        await spot.send(content("a"), channel.post)
    await spot.send(content("a"), channel.post)
    assert channel.references == [7, 7]


async def test_where_it_may_not_read_it_does_not_refer() -> None:
    spot, channel = Under(5, 7), Channel(refusal(160002))
    await spot.send(content("a"), channel.post)
    assert channel.references == [7, None]
    spot, channel = Under(5, 7), Channel(refusal(50035))
    with pytest.raises(discord.HTTPException):
        await spot.send(content("a"), channel.post)
