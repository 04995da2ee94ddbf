from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from telegram import Bot
from telegram.request import HTTPXRequest

from halext.commands.types import Button, File
from halext.errors import Unreachable
from halext.testing.pictures import draw
from halext.testing.telegram import FakeTelegram, Person
from halext_bots.shared.transport import Flooded, Gone, Refused
from halext_bots.telegram.chat import CAPTION_MAX, PHOTO_MAX, TelegramChat
from halext_bots.telegram.content import content
from halext_bots.telegram.entities import Entity, Formatted
from halext_bots.telegram.failures import hush

PNG = draw("a lighthouse", 16, 16)
BIG = PNG + b"\0" * PHOTO_MAX
HELLO = content(Formatted("hello", (Entity("bold", 0, 5),)), [Button("Why", "why 1")])


@pytest.fixture
async def telegram(fake_telegram: Callable[..., Awaitable[FakeTelegram]]) -> FakeTelegram:
    return await fake_telegram(scale=100)


@pytest.fixture
def ada(telegram: FakeTelegram) -> Person:
    ada = telegram.user("Ada")
    ada.say("hello")
    return ada


@pytest.fixture
async def bot(telegram: FakeTelegram) -> AsyncIterator[Bot]:
    hush()
    request = HTTPXRequest(httpx_kwargs={"verify": False})
    async with Bot(telegram.token, telegram.base_url, request=request, get_updates_request=request) as bot:
        yield bot


@pytest.fixture
def chat(bot: Bot, ada: Person) -> TelegramChat:
    return TelegramChat(bot, ada.id, None)


async def test_a_message_comes_changes_and_goes(chat: TelegramChat, telegram: FakeTelegram, ada: Person) -> None:
    ref = await chat.send(HELLO, key="k")
    (message,) = telegram.answers(ada.chat)
    assert (str(message.id), message.text, message.buttons) == (ref, "hello", ["Why"])
    assert [mark["type"] for mark in message.entities] == ["bold"]
    await chat.edit(ref, HELLO)  # the same once more is no failure
    await chat.edit(ref, content(Formatted("bye")))
    assert (message.text, message.buttons) == ("bye", [])
    await chat.typing()
    assert telegram.world.action(ada.chat) == "typing"
    await chat.delete(ref)
    assert telegram.answers(ada.chat) == []


async def test_it_answers_a_message_even_when_that_is_gone(
    chat: TelegramChat, telegram: FakeTelegram, ada: Person
) -> None:
    question = ada.say("well?")
    await chat.send(content(Formatted("yes"), reply_to=question.id), key="k")
    assert telegram.answers(ada.chat)[-1].reply_to is question
    ada.delete(question)
    await chat.send(content(Formatted("no"), reply_to=question.id), key="k")
    assert telegram.answers(ada.chat)[-1].reply_to is None


async def test_pictures_take_the_place_of_a_message_and_come_once(
    chat: TelegramChat, telegram: FakeTelegram, ada: Person
) -> None:
    ref = await chat.send(HELLO, key="k")
    telegram.faults.at("deleteMessage", status=502)
    await chat.edit(ref, content(Formatted("seed 7"), (), [File("a.png", PNG)]))
    assert [message.text for message in telegram.answers(ada.chat)] == ["hello", "seed 7"]
    assert len(telegram.made("sendPhoto")) == 1
    await chat.edit(ref, content(Formatted("seed 8"), (), [File("a.png", PNG), File("b.png", PNG)]))
    assert len(telegram.made("sendMediaGroup")) == 1
    assert [message.text for message in telegram.answers(ada.chat)] == ["seed 7", "seed 8", ""]


async def test_what_is_no_photo_or_too_large_for_one_is_a_file(
    chat: TelegramChat, telegram: FakeTelegram, ada: Person
) -> None:
    files = [File("big.png", BIG), File("notes.txt", b"milk")]
    await chat.send(content(Formatted("here"), [Button("Why", "why 1")], files), key="k")
    assert [call.method for call in telegram.calls if call.method.startswith("send")] == ["sendDocument"] * 2
    assert [(message.text, message.buttons) for message in telegram.answers(ada.chat)] == [("", []), ("here", ["Why"])]


@pytest.mark.parametrize("text", ["x" * (CAPTION_MAX + 1), "😀" * (CAPTION_MAX // 2 + 1)])
async def test_words_too_long_for_below_a_picture_follow_it(
    chat: TelegramChat, telegram: FakeTelegram, ada: Person, text: str
) -> None:
    await chat.send(content(Formatted(text), (), [File("a.png", PNG)]), key="k")
    assert [message.text for message in telegram.answers(ada.chat)] == ["", text]


async def test_a_topic_has_its_messages(bot: Bot, telegram: FakeTelegram, ada: Person) -> None:
    forum = telegram.group("Forum", ada, forum=True)
    topic = telegram.topic(forum, "Garden")
    chat = TelegramChat(bot, forum.id, topic)
    await chat.typing()
    for body in (
        HELLO,
        content(Formatted("a"), (), [File("a.png", PNG)]),
        content(Formatted("b"), (), [File("b", b"b")]),
    ):
        await chat.send(body, key="k")
    assert [message.topic for message in telegram.answers(forum)] == [topic] * 3
    with pytest.raises(Gone):
        await TelegramChat(bot, forum.id, 999).send(HELLO, key="k")


async def test_what_the_outbox_is_told_of_failures(
    chat: TelegramChat, telegram: FakeTelegram, ada: Person, bot: Bot
) -> None:
    ref = await chat.send(HELLO, key="k")
    telegram.faults.at("sendMessage", status=429, text="Too Many Requests", retry_after=7)
    with pytest.raises(Flooded) as flood:
        await chat.send(HELLO, key="k")
    assert flood.value.retry_after_s == 7
    with pytest.raises(Refused, match="too long"):
        await chat.send(content(Formatted("x" * 5000)), key="k")
    telegram.faults.at("sendMessage", cut="before")
    with pytest.raises(Unreachable):
        await chat.send(HELLO, key="k")
    telegram.answers(ada.chat)[0].is_deleted = True
    with pytest.raises(Gone):
        await chat.edit(ref, content(Formatted("bye")))
    with pytest.raises(Refused):
        await chat.delete(ref)
    ada.block()
    for work in (chat.send(HELLO, key="k"), chat.typing(), TelegramChat(bot, 404, None).send(HELLO, key="k")):
        with pytest.raises(Gone):
            await work
    telegram.revoke_token()
    with pytest.raises(Exception, match="refuses the bot's token") as refused:
        await chat.typing()
    assert telegram.token not in str(refused.value)
