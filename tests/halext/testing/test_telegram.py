"""An unmodified python-telegram-bot against the fake, and the fake by hand."""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from telegram import Bot, BotCommand, InlineKeyboardButton, InlineKeyboardMarkup, InputMediaDocument, Update
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
from telegram.ext import (
    Application,
    CallbackContext,
    CallbackQueryHandler,
    CommandHandler,
    InlineQueryHandler,
    MessageHandler,
    filters,
)
from telegram.request import HTTPXRequest

from halext.testing.clock import ManualClock, ScaledClock
from halext.testing.telegram import FakeTelegram, FloodRules, UnknownMethods

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (320).to_bytes(4, "big") + (200).to_bytes(4, "big")
App = Application[Any, Any, Any, Any, Any, Any]
STOP = InlineKeyboardMarkup([[InlineKeyboardButton("Stop", callback_data="stop:1")]])


def request() -> HTTPXRequest:
    return HTTPXRequest(httpx_kwargs={"verify": False})  # reading certificates takes longer than a test


def application(telegram: FakeTelegram) -> App:
    builder = Application.builder().token(telegram.token).base_url(telegram.base_url)
    builder = builder.base_file_url(telegram.file_url).concurrent_updates(True)
    return builder.request(request()).get_updates_request(request()).build()


@asynccontextmanager
async def polling(app: App, on_error: Callable[[TelegramError], None] | None = None) -> AsyncIterator[App]:
    async with app:
        await app.start()
        assert app.updater
        await app.updater.start_polling(error_callback=on_error)
        try:
            yield app
        finally:
            await app.updater.stop()
            await app.stop()


@asynccontextmanager
async def bot_of(telegram: FakeTelegram, token: str = "") -> AsyncIterator[Bot]:
    bot = Bot(
        token or telegram.token, telegram.base_url, telegram.file_url, request=request(), get_updates_request=request()
    )
    async with bot:
        yield bot


@pytest.fixture(autouse=True)
def new_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's waits as timedelta: the old way warns."""
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


@pytest.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram(scale=100) as fake:
        yield fake


async def test_a_conversation_with_commands_buttons_and_edits(telegram: FakeTelegram) -> None:
    app = application(telegram)

    async def start(update: Update, context: CallbackContext[Any, Any, Any, Any]) -> None:
        assert update.message
        sent = await update.message.reply_text(f"Asked: {' '.join(context.args or [])}", reply_markup=STOP)
        await sent.edit_text("Answering …", reply_markup=STOP)

    async def press(update: Update, _: CallbackContext[Any, Any, Any, Any]) -> None:
        query = update.callback_query
        assert query
        await query.answer("Stopped.")
        await query.edit_message_text("Stopped.")

    app.add_handler(CommandHandler("ask", start))
    app.add_handler(CallbackQueryHandler(press))
    ada = telegram.user("Ada")
    async with polling(app):
        question = ada.command("ask", "why is it raining")
        answer = await telegram.until(
            lambda: next((m for m in telegram.answers(ada.chat) if len(m.revisions) == 2), None)
        )
        assert answer
        assert answer.buttons == ["Stop"]
        pressed = ada.press(answer, "Stop")
        await telegram.until(lambda: answer.text == "Stopped.")
    assert [revision.text for revision in answer.revisions] == ["Asked: why is it raining", "Answering …", "Stopped."]
    assert [revision.at for revision in answer.revisions] == sorted(revision.at for revision in answer.revisions)
    assert pressed.answer == {"text": "Stopped.", "show_alert": False, "url": ""}
    assert answer.buttons == []
    assert ada.chat.texts == [question.text, "Stopped."]


async def test_polling_confirms_what_it_has_read_and_ends_at_once(telegram: FakeTelegram) -> None:
    app = application(telegram)
    seen = asyncio.Event()

    async def note(_: Update, __: CallbackContext[Any, Any, Any, Any]) -> None:
        seen.set()

    app.add_handler(MessageHandler(filters.ALL, note))
    async with polling(app):
        telegram.user("Ada").say("hello")
        async with asyncio.timeout(5):
            await seen.wait()
        assert len(telegram.updates.delivered) == 1
    assert telegram.updates.pending == 0
    assert telegram.made("deleteWebhook")


async def test_a_second_poller_ends_the_first_ones_poll(telegram: FakeTelegram) -> None:
    async with bot_of(telegram) as first, bot_of(telegram) as second:
        waiting = asyncio.create_task(first.get_updates(timeout=20))
        await telegram.until(lambda: telegram.made("getUpdates"))
        other = asyncio.create_task(second.get_updates(timeout=20))
        with pytest.raises(Conflict, match=r"(?i)terminated by other getUpdates request"):
            await waiting
        telegram.user("Ada").say("hello")
        assert [update.message and update.message.text for update in await other] == ["hello"]
        telegram.updates.add_poller()
        with pytest.raises(Conflict):
            await first.get_updates()


async def test_flood_control_says_how_long_to_wait() -> None:
    rules = FloodRules(chat_burst=2, chat_per_s=0.1)
    async with FakeTelegram(scale=100, flood=rules) as telegram, bot_of(telegram) as bot:
        ada = telegram.user("Ada")
        ada.say("hello")
        for number in range(2):
            await bot.send_message(ada.id, f"{number}")
        with pytest.raises(RetryAfter) as refused:
            await bot.send_message(ada.id, "2")
        wait = telegram.calls[-1].retry_after
        assert wait
        assert wait <= 0.1
        assert refused.value.retry_after == dt.timedelta(seconds=wait)
        assert telegram.refused == 1
        await asyncio.sleep(wait)
        await bot.send_chat_action(ada.id, "typing")


async def test_flood_control_counts_whole_seconds_on_an_unscaled_clock(manual_clock: ManualClock) -> None:
    rules = FloodRules(chat_burst=1)
    async with FakeTelegram(clock=manual_clock, flood=rules) as telegram, bot_of(telegram) as bot:
        ada = telegram.user("Ada")
        ada.say("hello")
        await bot.send_message(ada.id, "one")
        with pytest.raises(RetryAfter):
            await bot.send_message(ada.id, "two")
        assert telegram.calls[-1].retry_after == 3
        await manual_clock.advance(3)
        message = await bot.send_message(ada.id, "two")
        assert message.date.timestamp() == manual_clock.now()


async def test_files_go_both_ways(telegram: FakeTelegram) -> None:
    ada = telegram.user("Ada")
    async with bot_of(telegram) as bot:
        ada.say("see this", document=("notes.txt", b"a\r\n--b\0c"))
        [update] = await bot.get_updates()
        assert update.message
        assert update.message.document
        assert update.message.caption == "see this"
        file = await update.message.document.get_file()
        assert bytes(await file.download_as_bytearray()) == b"a\r\n--b\0c"
        sent = await bot.send_photo(ada.id, PNG, caption="<b>wide</b>", parse_mode="HTML")
        assert (sent.photo[0].width, sent.photo[0].height) == (320, 200)
        assert sent.caption_entities[0].type == "bold"
        album = [InputMediaDocument(b"one", filename="1.txt"), InputMediaDocument(b"two", filename="2.txt")]
        first, second = await bot.send_media_group(ada.id, album)
        assert first.media_group_id == second.media_group_id
        again = await bot.send_document(ada.id, first.document.file_id if first.document else "")
        assert again.document
    assert [upload.data for upload in telegram.uploads] == [PNG, b"one", b"two"]
    assert [upload.name for upload in telegram.uploads][1:] == ["1.txt", "2.txt"]


async def test_drafts_show_for_thirty_seconds_or_until_the_message(manual_clock: ManualClock) -> None:
    async with FakeTelegram(clock=manual_clock) as telegram, bot_of(telegram) as bot:
        ada = telegram.user("Ada")
        ada.say("hello")
        await bot.send_message_draft(ada.id, 7, "Hel")
        await bot.do_api_request(
            "sendRichMessageDraft", api_kwargs={"chat_id": ada.id, "draft_id": 8, "rich_message": {"markdown": "# Hi"}}
        )
        assert [(draft.id, draft.text.text) for draft in telegram.drafts(ada.chat)] == [(7, "Hel"), (8, "Hi")]
        await manual_clock.advance(29)
        await bot.send_message_draft(ada.id, 7, "Hello")
        await manual_clock.advance(2)
        assert [draft.text.text for draft in telegram.drafts(ada.chat)] == ["Hello"]
        await bot.send_message(ada.id, "Hello.")
        assert telegram.drafts(ada.chat) == []
        with pytest.raises(BadRequest, match="non-zero"):
            await bot.send_message_draft(ada.id, 0, "x")


async def test_rich_messages_by_a_library_that_does_not_know_them(telegram: FakeTelegram) -> None:
    ada = telegram.user("Ada")
    ada.say("hello")
    async with bot_of(telegram) as bot:
        arguments = {"chat_id": ada.id, "rich_message": {"markdown": "# Rain\n\nIt *pours*."}}
        raw = await bot.do_api_request("sendRichMessage", api_kwargs=arguments)
    assert raw["rich_message"]["blocks"][0] == {"type": "heading", "text": "Rain", "size": 1}
    assert telegram.answers(ada.chat)[0].text == "Rain\nIt pours."


async def test_inline_queries_are_answered_chosen_and_edited(telegram: FakeTelegram) -> None:
    from telegram import InlineQueryResultArticle, InputTextMessageContent

    app = application(telegram)
    ada = telegram.user("Ada")

    async def answer(update: Update, _: CallbackContext[Any, Any, Any, Any]) -> None:
        assert update.inline_query
        content = InputTextMessageContent("*working*", parse_mode="MarkdownV2")
        results = [InlineQueryResultArticle("1", "Ask", content, reply_markup=STOP)]
        await update.inline_query.answer(results)

    app.add_handler(InlineQueryHandler(answer))
    async with polling(app):
        query = ada.query("why")
        await telegram.until(lambda: query.results)
        message = ada.choose(query, 0)
        chosen = await telegram.until(
            lambda: next((u for u in telegram.updates.delivered if "chosen_inline_result" in u), None)
        )
        assert chosen
        inline_id = chosen["chosen_inline_result"]["inline_message_id"]
        await app.bot.edit_message_text("done", inline_message_id=inline_id)
    assert [revision.text for revision in message.revisions] == ["working", "done"]


async def test_people_who_block_the_bot_and_people_it_never_met(telegram: FakeTelegram) -> None:
    ada, bob = telegram.user("Ada"), telegram.user("Bob")
    ada.say("hello")
    ada.block()
    async with bot_of(telegram) as bot:
        with pytest.raises(Forbidden, match="blocked by the user"):
            await bot.send_message(ada.id, "x")
        with pytest.raises(Forbidden, match="can't initiate conversation"):
            await bot.send_message(bob.id, "x")
        with pytest.raises(BadRequest, match="Chat not found"):
            await bot.send_message(42, "x")
        updates = await bot.get_updates()
    assert updates[1].my_chat_member
    assert updates[1].my_chat_member.new_chat_member.status == "kicked"


async def test_topics_stay_apart(telegram: FakeTelegram) -> None:
    ada = telegram.user("Ada")
    group = telegram.group("Home", ada, forum=True)
    topic = telegram.topic(group, "Models")
    async with bot_of(telegram) as bot:
        ada.command("ask", "x", chat=group, topic=topic)
        [update] = await bot.get_updates()
        assert update.message
        assert update.message.message_thread_id == topic
        answer = await update.message.reply_text("y", message_thread_id=topic)
        assert (answer.message_thread_id, answer.is_topic_message) == (topic, True)
        with pytest.raises(BadRequest, match="thread not found"):
            await bot.send_message(group.id, "y", message_thread_id=999)
        made = await bot.create_forum_topic(group.id, "Pictures")
    assert group.topics[made.message_thread_id] == "Pictures"


async def test_menus_come_from_the_closest_scope(telegram: FakeTelegram) -> None:
    from telegram import BotCommandScopeAllPrivateChats

    ada = telegram.user("Ada")
    group = telegram.group("Home", ada)
    async with bot_of(telegram) as bot:
        await bot.set_my_commands([BotCommand("ask", "Ask something")])
        await bot.set_my_commands([BotCommand("link", "Link")], scope=BotCommandScopeAllPrivateChats())
        assert [command.command for command in await bot.get_my_commands()] == ["ask"]
        assert (ada.menu(), ada.menu(group)) == (["link"], ["ask"])
        await bot.delete_my_commands(scope=BotCommandScopeAllPrivateChats())
    assert ada.menu() == ["ask"]


async def test_faults_strike_the_call_they_were_ordered_for(telegram: FakeTelegram) -> None:
    ada = telegram.user("Ada")
    ada.say("hello")
    async with bot_of(telegram) as bot:
        telegram.faults.at("sendMessage", nth=2, status=502, text="Bad Gateway")
        await bot.send_message(ada.id, "one")
        with pytest.raises(NetworkError, match="Bad Gateway"):
            await bot.send_message(ada.id, "two")
        telegram.faults.at("sendMessage", cut="before")
        with pytest.raises(NetworkError):
            await bot.send_message(ada.id, "three")
        telegram.faults.at("sendMessage", cut="after", delay_s=1)
        with pytest.raises(NetworkError):
            await bot.send_message(ada.id, "four")
        telegram.faults.at("sendMessage", status=429, retry_after=5)
        with pytest.raises(RetryAfter):
            await bot.send_message(ada.id, "five")
        telegram.faults.at("*", body=b"<html>", status=500)
        with pytest.raises(NetworkError):
            await bot.get_me()
        assert [message.text for message in telegram.answers(ada.chat)] == ["one", "four"]


async def test_updates_repeated_and_damaged(telegram: FakeTelegram) -> None:
    ada = telegram.user("Ada")
    async with bot_of(telegram) as bot:
        telegram.updates.repeat_next()
        ada.say("hello")
        [update] = await bot.get_updates()
        assert await bot.get_updates(offset=update.update_id + 1) == (update,)
        assert await bot.get_updates(offset=update.update_id + 1) == ()
        telegram.updates.damage_next()
        ada.say("hello")
        with pytest.raises(TypeError, match="message_id"):
            await bot.get_updates(offset=update.update_id + 1)


async def test_tokens_that_are_wrong_or_no_longer_right(telegram: FakeTelegram) -> None:
    with pytest.raises(InvalidToken):
        async with bot_of(telegram, "7654321:other"):
            pass
    async with bot_of(telegram) as bot:
        telegram.revoke_token()
        with pytest.raises(InvalidToken):
            await bot.get_me()
    assert {call.status for call in telegram.calls} == {200, 401}


async def test_unknown_methods_come_out_at_the_end() -> None:
    fake = FakeTelegram()
    await fake.start()
    async with bot_of(fake) as bot:
        with pytest.raises(EndPointNotFound):
            await bot.do_api_request("sendHologram")
    with pytest.raises(UnknownMethods, match="sendHologram"):
        await fake.close()


async def test_power_cuts_keep_what_was_written(telegram: FakeTelegram) -> None:
    ada = telegram.user("Ada")
    ada.say("hello")
    url = telegram.url
    await telegram.kill()
    async with httpx.AsyncClient(verify=False) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(url)
        await telegram.start()
        shown = await http.get(url)
    assert telegram.url == url
    assert "hello" in shown.text
    assert shown.headers["content-type"].startswith("text/html")


async def test_waiting_for_what_never_comes_ends(telegram: FakeTelegram) -> None:
    with pytest.raises(TimeoutError):
        await telegram.until(lambda: False, timeout_s=0.01)


async def test_the_fixture(fake_telegram: Callable[..., Awaitable[FakeTelegram]]) -> None:
    one, two = await fake_telegram(), await fake_telegram(clock=ScaledClock(5), username="other_bot")
    assert one.url != two.url
    async with bot_of(two) as bot:
        assert bot.username == "other_bot"


def test_by_hand_it_prints_its_settings_and_ends_cleanly() -> None:
    command = [sys.executable, "-W", "error", "-m", "halext.testing.telegram", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        url = process.stdout.readline().strip()
        settings = dict(process.stdout.readline().strip().split("=") for _ in range(2))
        assert settings["HALEXT_TELEGRAM_API_BASE"] == url
        with httpx.Client(verify=False) as http:
            shown = http.get(f"{url}/bot{settings['HALEXT_TELEGRAM_TOKEN']}/getMe").json()
            assert shown["result"]["is_bot"] is True
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        assert process.stderr.read() == ""
