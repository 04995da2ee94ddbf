from __future__ import annotations

import asyncio
from email.utils import formatdate

import pytest

from halext.errors import DatabaseUnavailable, HalextError
from halext.runtime.app import App
from halext.runtime.checks import clocks
from halext.storage.engine import Database
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint


def say(app: App, **off: float) -> None:
    """Endpoints that say another time than ours."""
    now = float(int(app.clock.now()))  # a Date header has no fractions
    for name, seconds in off.items():
        app.door.dates[EndpointId(name)] = formatdate(now - seconds, usegmt=True), now


async def levels(app: App) -> list[tuple[str, str]]:
    return [(finding.level, finding.what) for finding in await clocks.look(app)]


@pytest.mark.parametrize(
    ("off", "level", "words"),
    [
        ({}, "ok", "agrees"),
        ({"mac": 25.0}, "ok", "agrees"),
        ({"mac": 100.0}, "warning", "100 s ahead of the clocks of mac"),
        ({"mac": -100.0, "pc": -100.0, "nas": 0.0}, "warning", "100 s behind"),
        ({"mac": 0.0, "pc": 1.0, "nas": 900.0}, "note", "not those of nas"),
    ],
)
async def test_what_others_say(app: App, off: dict[str, float], level: str, words: str) -> None:
    say(app, **off)
    ((found, what),) = await levels(app)
    assert found == level
    assert words in what


async def test_a_date_that_is_none_says_nothing(app: App) -> None:
    app.door.dates |= {EndpointId(str(number)): (text, 0.0) for number, text in enumerate(["", "soon", "Mon, 99"])}
    assert [level for level, _ in await levels(app)] == ["ok"]


@pytest.mark.parametrize(("off", "level"), [(29.0, "ok"), (-45.0, "warning")])
async def test_the_clock_of_the_database(app: App, monkeypatch: pytest.MonkeyPatch, off: float, level: str) -> None:
    async def now(self: Database) -> float:
        return app.clock.now() - off

    monkeypatch.setattr(Database, "now", now)
    assert [found for found, _ in await levels(app)] == [level]


async def test_a_database_that_is_away_is_said_elsewhere(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    async def now(self: Database) -> float:
        raise DatabaseUnavailable

    monkeypatch.setattr(Database, "now", now)
    assert [found for found, _ in await levels(app)] == ["ok"]


async def test_the_door_remembers_what_a_real_answer_said(app: App) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ndate: Tue, 01 Jan 2019 00:00:00 GMT\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(HalextError):
            await app.drivers("ollama").look(Endpoint(EndpointId("mac"), NodeName("mac"), "ollama", url))
    ((level, what),) = await levels(app)
    assert (level, "mac" in what) == ("warning", True)
    await app.door.forget(EndpointId("mac"))
    assert [found for found, _ in await levels(app)] == ["ok"]
