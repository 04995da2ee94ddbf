"""What comes along is fetched at once, or refused in words."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from halext.commands.attachments import BYTES_MAX
from halext.commands.types import File
from halext.errors import InvalidInput, TooLarge, Unreachable
from halext_bots.discord import files
from halext_bots.discord.files import FILES_MAX, fetch


@dataclass
class Attachment:
    """As much of the library's as is used."""

    filename: str
    size: int
    data: bytes = b"data"
    failure: Exception | None = None
    delay_s: float = 0.0
    reads: list[str] = field(default_factory=list)

    async def read(self) -> bytes:
        self.reads.append(self.filename)
        await asyncio.sleep(self.delay_s)
        if self.failure:
            raise self.failure
        return self.data


def some(*sizes: int, **more: Any) -> list[Any]:
    return [Attachment(f"{number}.txt", size, **more) for number, size in enumerate(sizes)]


async def test_files_come_in_their_order() -> None:
    assert await fetch(some(4, 4)) == [File("0.txt", b"data"), File("1.txt", b"data")]
    assert await fetch([]) == []


@pytest.mark.parametrize(
    ("sizes", "error"),
    [
        ((BYTES_MAX + 1,), TooLarge),
        ((BYTES_MAX, BYTES_MAX, 1), TooLarge),
        ((1,) * (FILES_MAX + 1), InvalidInput),
    ],
)
async def test_too_much_is_not_even_fetched(sizes: tuple[int, ...], error: type[Exception]) -> None:
    attachments = some(*sizes)
    with pytest.raises(error):
        await fetch(attachments)
    assert not any(attachment.reads for attachment in attachments)


@pytest.mark.parametrize("failure", [aiohttp.ClientError("x"), TimeoutError(), OSError()])
async def test_a_file_that_is_not_handed_over_is_said_so(failure: Exception) -> None:
    with pytest.raises(Unreachable):
        await fetch(some(1, failure=failure))


async def test_a_file_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PATIENCE_S", 0.01)
    with pytest.raises(Unreachable):
        await fetch(some(1, delay_s=60.0))
