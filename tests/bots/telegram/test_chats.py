from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from telegram import Bot
from telegram.request import HTTPXRequest

from halext.accounts.links.types import ChatAccount
from halext.commands.types import Button, Text
from halext.runtime.background import Background
from halext.testing.clock import ScaledClock
from halext.testing.telegram import FakeTelegram, Person
from halext_bots.shared.outbox import SLOTS_MAX
from halext_bots.telegram import chats as module
from halext_bots.telegram.chats import TOAST_MAX, Chats
from halext_bots.telegram.failures import hush
from halext_bots.telegram.incoming import Heard

from .conftest import Lines

CLOCK = ScaledClock(20.0)


@pytest.fixture
async def telegram(fake_telegram: Callable[..., Awaitable[FakeTelegram]]) -> FakeTelegram:
    return await fake_telegram(clock=CLOCK)


@pytest.fixture
def ada(telegram: FakeTelegram) -> Person:
    ada = telegram.user("Ada")
    ada.say("hello")
    return ada


@pytest.fixture
async def chats(telegram: FakeTelegram) -> AsyncIterator[Chats]:
    hush()
    request = HTTPXRequest(httpx_kwargs={"verify": False})
    bot = Bot(telegram.token, telegram.base_url, request=request, get_updates_request=request)
    async with bot, Background() as work:
        yield Chats(bot, CLOCK, work.spawn)


def said_by(person: Person, **fields: object) -> Heard:
    heard = Heard(ChatAccount("telegram", str(person.id)), person.chat.id, None, is_private=True)
    return replace(heard, **fields)  # type: ignore[arg-type]


async def pressed(telegram: FakeTelegram, ada: Person, chats: Chats) -> Heard:
    """Ada has pressed a button."""
    chats.stage(said_by(ada)).say(Text("well?", (Button("Why", "why 1"),)))
    (message,) = await telegram.until(lambda: telegram.answers(ada.chat))
    return said_by(ada, callback_id=ada.press(message, "Why").id, message_id=message.id)


async def test_a_short_quiet_answer_to_a_press_is_a_toast(telegram: FakeTelegram, ada: Person, chats: Chats) -> None:
    heard = await pressed(telegram, ada, chats)
    chats.stage(heard).say(Text("**because**", is_quiet=True))
    press = telegram.world.presses[heard.callback_id]
    await telegram.until(lambda: press.answer)
    assert (press.answer or {})["text"] == "because"
    assert len(telegram.answers(ada.chat)) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Text("because"),
        Text("x" * (TOAST_MAX + 1), is_quiet=True),
        Text("because", (Button("More", "why 2"),), is_quiet=True),
    ],
)
async def test_another_answer_to_a_press_is_a_message_and_the_button_rests(
    telegram: FakeTelegram, ada: Person, chats: Chats, reply: Text
) -> None:
    heard = await pressed(telegram, ada, chats)
    chats.stage(heard).say(reply)
    press = telegram.world.presses[heard.callback_id]
    await telegram.until(lambda: press.answer is not None and len(telegram.answers(ada.chat)) == 2)
    assert not (press.answer or {}).get("text")


async def test_a_long_answer_is_several_messages_in_order_with_the_buttons_last(
    telegram: FakeTelegram, ada: Person, chats: Chats
) -> None:
    words = "\n\n".join(f"Paragraph {number}: {'word ' * 200}end." for number in range(10))
    chats.stage(said_by(ada)).say(Text(words, (Button("Why", "why 1"),)))
    await telegram.until(lambda: "Paragraph 9" in "".join(message.text for message in telegram.answers(ada.chat)))
    parts = telegram.answers(ada.chat)
    assert " ".join(part.text for part in parts).split() == words.split()
    assert [bool(part.buttons) for part in parts] == [*[False] * (len(parts) - 1), True]


async def test_what_has_no_room_is_said_in_the_log(
    telegram: FakeTelegram, ada: Person, chats: Chats, lines: Lines
) -> None:
    for number in range(SLOTS_MAX + 1):
        chats.stage(said_by(ada)).say(Text(f"{number}"))
    assert len(lines.of("no room")) == 1
    del telegram


async def test_idle_chats_make_room_and_busy_ones_stay(
    chats: Chats, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHATS_MAX", 3)
    busy = chats.outbox(str(ada.id))
    chats.stage(said_by(ada)).say(Text("hello"))
    first = chats.outbox("11")
    for chat in ("12", "13", "14"):
        chats.outbox(chat)
    assert chats.outbox(str(ada.id)) is busy
    assert chats.outbox("11") is not first


async def test_closing_sends_what_is_final_and_waits_for_all_chats_together(
    telegram: FakeTelegram, ada: Person, chats: Chats
) -> None:
    people = [telegram.user(f"user{number}") for number in range(12)]
    for person in people:
        person.say("hello")
        chats.stage(said_by(person)).say(Text("bye"))
    chats.stage(said_by(ada)).say(Text("bye"))
    telegram.faults.at("sendMessage", times=13, delay_s=2.0)
    began = CLOCK.monotonic()
    await chats.close()
    assert CLOCK.monotonic() - began < 3 * module.CLOSE_S
    await telegram.until(lambda: all(telegram.answers(person.chat) for person in [ada, *people]))


async def test_what_was_shown_before_a_restart_is_written_over(
    telegram: FakeTelegram, ada: Person, chats: Chats
) -> None:
    chats.stage(said_by(ada)).say(Text("half"))
    (message,) = await telegram.until(lambda: telegram.answers(ada.chat))
    view = chats.restore(str(ada.id), (str(message.id),))
    assert view is not None
    await view.finish("whole", ())
    async with asyncio.timeout(5):
        assert await view.finished()
    assert [message.text for message in telegram.answers(ada.chat)] == ["whole"]
