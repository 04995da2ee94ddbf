from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from halext.commands.types import Button, File
from halext.runtime.background import Background
from halext.testing.clock import ScaledClock
from halext_bots.shared.lines import Line
from halext_bots.shared.outbox import SLOTS_MAX, Outbox
from halext_bots.shared.pace import Pace
from halext_bots.shared.stage import View
from halext_bots.shared.transport import Body, Gone
from halext_bots.shared.view import Growing

PACE = Pace(gap_s=0.01, retry_s=0.01, tries=3)
STOP = (Button("Stop", "stop 1"),)


class Plain:
    """A renderer without any look, and with room for little."""

    limit = 20

    def render(self, lines: Sequence[Line]) -> str:
        """One line below the other."""
        return "\n".join(line.text for line in lines)

    def length(self, lines: Sequence[Line]) -> int:
        """In characters."""
        return len(self.render(lines))


class Wall:
    """A chat where messages stand; it fails as it is told."""

    def __init__(self) -> None:
        self.standing: dict[str, Body] = {}
        self.sent = 0
        self.failures: list[Exception] = []

    async def send(self, body: Body, *, key: str) -> str:
        """Put up."""
        del key
        self._fail()
        self.sent += 1
        self.standing[f"m{self.sent}"] = body
        return f"m{self.sent}"

    async def edit(self, ref: str, body: Body) -> None:
        """Write over."""
        self._fail()
        self.standing[ref] = body

    async def delete(self, ref: str) -> None:
        """Take down."""
        del self.standing[ref]

    async def typing(self) -> None:
        """Nobody looks."""

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop()

    @property
    def texts(self) -> list[object]:
        return [body.text for body in self.standing.values()]

    @property
    def last(self) -> Body:
        return list(self.standing.values())[-1]


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
async def outbox(wall: Wall) -> AsyncIterator[Outbox]:
    async with Background() as work:
        yield Outbox(wall, ScaledClock(10.0), work.spawn, pace=PACE)


def dress(text: str, buttons: Sequence[Button], files: Sequence[File] = ()) -> Body:
    return Body(text, tuple(buttons), tuple(files))


def view(outbox: Outbox, *refs: str) -> Growing[str]:
    return Growing(outbox, Plain(), dress, refs)


async def test_it_grows_over_messages_and_buttons_stand_below_the_last(outbox: Outbox, wall: Wall) -> None:
    growing: View = view(outbox)
    assert growing.refs == ()
    await growing.show("one two three", STOP)
    await growing.show("one two three four five six seven", STOP)
    await growing.finish("one two three four five six seven eight", (Button("Why", "why 1"),), [File("a", b"a")])
    await growing.show("too late", STOP)
    assert await growing.finished()
    assert " ".join(map(str, wall.texts)).split() == ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    assert [bool(body.buttons) for body in wall.standing.values()] == [False, True] or len(wall.standing) == 3
    assert wall.last.buttons == (Button("Why", "why 1"),)
    assert wall.last.files == (File("a", b"a"),)
    assert growing.refs == tuple(wall.standing)


async def test_after_a_restart_it_writes_over_what_stands_and_takes_the_rest_away(outbox: Outbox, wall: Wall) -> None:
    wall.standing = {"x1": Body("old"), "x2": Body("older"), "x3": Body("oldest")}
    growing = view(outbox, "x1", "x2", "x3")
    assert growing.refs == ("x1", "x2", "x3")
    await growing.finish("short", ())
    assert await growing.finished()
    assert wall.standing == {"x1": Body("short", (), ())}
    assert wall.sent == 0


async def test_what_was_given_up_can_be_said_again_and_stands_there_once(outbox: Outbox, wall: Wall) -> None:
    growing = view(outbox)
    await growing.show("one", STOP)
    wall.failures = [OSError()] * PACE.tries
    await growing.finish("whole", ())
    assert not await growing.finished()
    await growing.finish("whole", ())
    assert await growing.finished()
    assert wall.texts == ["whole"]


async def test_what_is_gone_for_good_is_not_said_again(outbox: Outbox, wall: Wall) -> None:
    growing = view(outbox)
    wall.failures = [Gone()] * 5
    await growing.finish("whole", ())
    assert await growing.finished()
    assert wall.texts == []


async def test_a_closed_outbox_leaves_it_to_be_said_later(outbox: Outbox, wall: Wall) -> None:
    growing = view(outbox)
    await growing.show("one", STOP)
    await outbox.close(1.0)
    await growing.show("one two", STOP)
    await growing.finish("whole", ())
    assert not await growing.finished()
    await growing.finish("whole", ())
    assert not await growing.finished()
    assert "whole" not in wall.texts


async def test_no_room_is_said_once_and_leaves_it_to_be_said_later(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(SLOTS_MAX):
        outbox.post(Body("x"))
    growing = view(outbox)
    for _ in range(3):
        await growing.show("one two three four five six seven", STOP)
    await growing.finish("whole", ())
    assert not await growing.finished()
    assert caplog.text.count("no room") <= 2


async def test_a_long_text_is_worked_on_beside_the_loop_and_shown_like_a_short_one(
    outbox: Outbox, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside: list[object] = []
    to_thread = asyncio.to_thread

    async def noted(work: Callable[..., list[str]], text: str) -> list[str]:
        beside.append(work)
        return await to_thread(work, text)

    monkeypatch.setattr(asyncio, "to_thread", noted)
    monkeypatch.setattr("halext_bots.shared.view.SHORT", 20)
    growing = view(outbox)
    await growing.show("one two", STOP)
    assert beside == []
    await growing.show("one two three four five six seven", STOP)
    await growing.finish("one two three four five six seven", ())
    assert await growing.finished()
    assert len(beside) == 2
    assert " ".join(map(str, wall.texts)).split() == ["one", "two", "three", "four", "five", "six", "seven"]
