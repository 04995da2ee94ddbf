"""The Telegram bot, as people see it: an unmodified library, a fake Telegram and a fake Ollama on real sockets."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from halext.chat.types import TurnId
from halext.commands.attachments import BYTES_MAX
from halext.runtime.control import LocalControl
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from halext.testing.automatic1111 import FakeAutomatic1111
from halext.testing.pictures import draw
from halext.testing.telegram import FakeTelegram, Message
from halext.types import SecretRef
from halext_bots.shared.boundaries import utf16
from halext_bots.telegram.bot import LANE_MAX, started
from halext_bots.telegram.service import TelegramService
from tests.bots.conftest import LOCAL, Furnish

from .conftest import ENDLESS, MENTION, QUICK, Begin, Lines, Scene, is_ended, link

FakeTelegrams = Callable[..., Awaitable[FakeTelegram]]


async def test_somebody_links_asks_and_sees_the_answer_grow(furnish: Furnish, fake_telegram: FakeTelegrams) -> None:
    telegram = await fake_telegram()
    house = await furnish(telegram_token=telegram.token, telegram_api_base=telegram.url)
    code = await house.code(await house.member())
    async with house.running(TelegramService()) as told:
        assert told == ["people write to @halext_bot"]
        ada = telegram.user("Ada")
        ada.say("hello")
        (stranger,) = await telegram.until(lambda: telegram.answers(ada.chat))
        assert "don't know you" in stranger.text
        ada.command("link", code)
        await telegram.until(lambda: "Hello Ada" in telegram.answers(ada.chat)[-1].text)
        ada.say("Why is the sky blue?")
        (answer,) = await telegram.until(lambda: [m for m in telegram.answers(ada.chat) if "Regenerate" in m.buttons])
        assert "llama3.2:3b on mac" in answer.text
        press = ada.press(answer, "Why")
        await telegram.until(lambda: press.answer)
        assert press.answer
        assert "chose mac" in press.answer["text"]


# --- where people are heard ---


async def test_in_a_group_only_what_is_meant_for_the_bot(begin: Begin) -> None:
    scene = await begin(reads_all=True)
    group = scene.telegram.group("Home", scene.ada)
    for silence in ("just talking", "/ask@other_bot why?", "/frobnicate", "mail me at ada@halext_bot.example"):
        scene.ada.say(silence, chat=group)
    scene.ada.say(f"{MENTION} first?", chat=group)
    (first,) = await scene.answered(chat=group)
    assert first.reply_to is not None
    assert first.reply_to.text == f"{MENTION} first?"
    scene.ada.say("second?", chat=group, reply_to=first)
    await scene.answered(chat=group, more=2)
    scene.ada.command("ask", "third?", chat=group)
    await scene.answered(chat=group, more=3)
    scene.ada.say("/ask fourth?", chat=group)
    await scene.answered(chat=group, more=4)
    scene.ada.say("/ask@other_bot nothing", chat=group, reply_to=first)
    scene.ada.say("", photo=draw("x", 8, 8), chat=group)
    scene.ada.say(f"{MENTION} fifth?", chat=group)
    await scene.answered(chat=group, more=5)
    asked = [json.loads(body)["messages"][-1]["content"] for body in scene.asked]
    assert asked == ["first?", "second?", "third?", "fourth?", "fifth?"]
    assert len(scene.telegram.answers(group)) == 5


async def test_a_topic_is_answered_in_the_topic(begin: Begin) -> None:
    scene = await begin()
    forum = scene.telegram.group("Forum", scene.ada, forum=True)
    garden, kitchen = (scene.telegram.topic(forum, name) for name in ("Garden", "Kitchen"))
    scene.ada.say(f"{MENTION} green?", chat=forum, topic=garden)
    (answer,) = await scene.answered(chat=forum)
    assert answer.topic == garden
    scene.ada.press(answer, "Regenerate")
    assert [found.topic for found in await scene.answered(chat=forum, more=2)] == [garden, garden]
    scene.ada.say(f"{MENTION} hot?", chat=forum, topic=kitchen)
    assert (await scene.answered(chat=forum, more=3))[-1].topic == kitchen
    conversations = await scene.app.answers.conversations(scene.caller)
    assert len(conversations) == 2


async def test_a_stranger_is_told_once_and_costs_nothing(begin: Begin) -> None:
    scene = await begin()
    eve = scene.telegram.user("Eve")
    group = scene.telegram.group("Home", scene.ada, eve)
    for _ in range(3):
        eve.say("hello")
        eve.command("nodes", chat=group)
    scene.ada.say(f"{MENTION} hi", chat=group)
    (answer,) = await scene.answered(chat=group)
    press = eve.press(answer, "Regenerate")
    await scene.telegram.until(lambda: press.answer)
    told = [message.text for chat in (eve.chat, group) for message in scene.telegram.answers(chat)]
    assert len([text for text in told if "don't know you" in text]) == 1
    assert len(scene.asked) == 1


async def test_a_code_that_others_have_read_is_void(begin: Begin) -> None:
    scene = await begin()
    bob = scene.telegram.user("Bob")
    group = scene.telegram.group("Home", scene.ada, bob)
    code = (await scene.app.links.code(scene.caller)).text
    bob.command("link", code, chat=group)
    assert "void" in (await scene.said("Others may have read", chat=group)).text
    bob.say(f"/start {code}")
    await scene.said("wrong, used or out of date", chat=bob.chat)
    again = (await scene.app.links.code(scene.caller)).text
    bob.say(f"/start {again}")
    await scene.said("Hello Ada", chat=bob.chat)


# --- what comes along ---


async def test_a_picture_with_its_question_is_shown_to_the_model(begin: Begin) -> None:
    scene = await begin(replace(QUICK, capabilities=("completion", "vision")))
    scene.ada.say("What is this?", photo=draw("a cat", 16, 16))
    await scene.answered()
    (asked,) = scene.asked
    message = json.loads(asked)["messages"][-1]
    assert message["content"] == "What is this?"
    assert len(message["images"]) == 1


async def test_a_text_file_is_read_and_others_are_refused_in_words(begin: Begin) -> None:
    scene = await begin()
    scene.ada.say("Sum it up", document=("notes.txt", b"milk and bread"))
    await scene.answered()
    assert "milk and bread" in scene.asked[0]
    scene.ada.say("And this?", document=("cat.png", b"\x00\x01 no picture"))
    await scene.said("neither a picture")
    scene.ada.say("And this?", document=("big.txt", b"x" * (BYTES_MAX + 1)))
    await scene.said("larger than 8 MB")
    scene.ada.say(voice=b"OggS")
    await scene.said("voice, video and stickers I can't")
    assert len(scene.asked) == 1


async def test_a_file_that_can_not_be_fetched_is_an_answer_without_the_token(begin: Begin, lines: Lines) -> None:
    scene = await begin()
    scene.telegram.faults.at("getFile", status=400, text="Bad Request: wrong file_id")
    scene.ada.say("Sum it up", document=("notes.txt", b"milk"))
    await scene.said("did not hand over the file")
    assert not lines.of(scene.telegram.token)


# --- answers ---


async def test_a_long_answer_is_several_messages_that_hold_all_of_it(begin: Begin) -> None:
    words = [f"word-number-{number} " for number in range(600)]
    scene = await begin(replace(QUICK, script=words, tokens_per_s=10.0))
    scene.ada.say("Tell me all")
    await scene.answered()
    parts = scene.telegram.answers(scene.ada.chat)
    assert len(parts) == 3
    assert all(utf16(part.text) <= 4096 for part in parts)
    await scene.telegram.until(lambda: [part.buttons for part in parts[:-1]] == [[], []])
    assert " ".join(part.text for part in parts).split()[:600] == [word.strip() for word in words]
    assert len(parts[0].revisions) > 2  # it was seen growing
    assert scene.telegram.refused == 0


async def test_stop_ends_the_answer_everywhere_and_nothing_overwrites_it(begin: Begin) -> None:
    scene = await begin(ENDLESS)
    scene.ada.say("Talk")
    growing = await scene.said("word20")
    press = scene.ada.press(growing, "Stop")
    await scene.node.timeline.wait_for("cancelled")
    await scene.telegram.until(lambda: press.answer)
    assert "Stopped." in str(press.answer)
    (ended,) = await scene.answered()
    assert ended is growing
    assert "word20" in ended.text
    assert "Stopped." in ended.text
    count = len(ended.revisions)
    scene.ada.command("stop")
    await scene.said("ended already")
    assert len(ended.revisions) == count
    assert ended.buttons == ["Continue", "Regenerate", "Why"]


async def test_continue_and_regenerate_are_one_press(begin: Begin) -> None:
    scene = await begin(ENDLESS)
    scene.ada.say("Talk")
    scene.ada.press(await scene.said("word5"), "Stop")
    (first,) = await scene.answered()
    for number, button in enumerate(("Continue", "Regenerate"), start=2):
        scene.ada.press(first, button)
        growing = await scene.telegram.until(lambda: running(scene))
        assert growing[0].id > first.id
        scene.ada.press(growing[0], "Stop")
        assert len(await scene.answered(more=number)) == number
    asked = [json.loads(body)["messages"] for body in scene.asked]
    assert [message["role"] for message in asked[1]] == ["user", "assistant", "user"]
    assert asked[0] == asked[2]


def running(scene: Scene) -> list[Message]:
    return [m for m in scene.telegram.answers(scene.ada.chat) if "Stop" in m.buttons and "word5" in m.text]


async def test_a_second_question_while_one_is_answered_is_refused_in_words(begin: Begin) -> None:
    scene = await begin(ENDLESS)
    scene.ada.say("Talk")
    await scene.said("word5")
    scene.ada.say("And?")
    await scene.said("still")
    assert len(scene.asked) == 1


async def test_suggested_tasks_are_accepted_by_a_press(begin: Begin) -> None:
    scene = await begin()
    scene.ada.command("task suggest", "we need milk")
    suggestion = await scene.said("Suggested:")
    assert suggestion.buttons == ["Accept 1", "Drop 1"]
    accept = scene.ada.press(suggestion, "Accept 1")
    await scene.telegram.until(lambda: accept.answer)
    assert "Accepted 1:" in str(accept.answer)
    scene.ada.say("/task_list")
    listed = await scene.telegram.until(
        lambda: [m for m in scene.telegram.answers(scene.ada.chat) if "Done 1" in m.buttons]
    )
    done = scene.ada.press(listed[0], "Done 1")
    await scene.telegram.until(lambda: done.answer)
    assert "Done with 1:" in str(done.answer)


async def test_names_of_models_are_never_markup_and_call_nobody(begin: Begin) -> None:
    name = "@everyone_*loud*_[x](y):1b"
    scene = await begin(replace(QUICK, name=name))
    scene.ada.say("Hello")
    (answer,) = await scene.answered()
    assert "@\u2060everyone_*loud*_[x](y):1b on mac" in answer.text
    assert {mark["type"] for mark in answer.entities} == {"italic"}
    scene.ada.command("models")
    listed = await scene.said(" GB")
    assert "*loud*" in listed.text
    assert {mark["type"] for mark in listed.entities} == {"code"}


async def test_what_nobody_can_do_is_said_and_nothing_else_stops(begin: Begin) -> None:
    scene = await begin()
    scene.ada.command("model", "gpt-99")
    await scene.said("No node has a chat model called gpt-99")
    scene.ada.command("ask", "model=gpt-99 why?")
    await scene.said("gpt-99")
    scene.ada.command("imagine", "a lighthouse")
    await scene.said("picture")
    scene.ada.command("frobnicate")
    await scene.said("There is no command /frobnicate")
    scene.ada.command("node cordon", "mac")
    await scene.said("for administrators")
    scene.ada.command("ask")
    await scene.said("is missing")
    scene.ada.say("And now?")
    await scene.answered()


# --- pictures ---


async def test_a_picture_is_seen_in_the_making_and_comes_with_its_recipe(begin: Begin) -> None:
    scene = await begin()
    async with FakeAutomatic1111(step_s=2.0) as painter:
        await LocalControl(scene.app, LOCAL).call(add_node, AddNode(name="pc", urls=[painter.url]))
        scene.ada.command("imagine", "seed=7 steps=20 a lighthouse")
        progress = await scene.said("step ")
        assert progress.buttons == ["Stop"]
        picture = await scene.said("seed 7")
        assert "dreamshaper" in picture.text
        await scene.telegram.until(lambda: progress.is_deleted)
        assert scene.telegram.made("sendPhoto")[0].status == 200
        scene.ada.command("imagine", "count=2 two lighthouses")
        await scene.telegram.until(lambda: scene.telegram.made("sendMediaGroup"), timeout_s=15)
        scene.ada.command("imagine", "steps=100 a slow one")
        press = scene.ada.press(await scene.said("of 100"), "Stop")
        await scene.telegram.until(lambda: press.answer)
        await scene.said("was cancelled")


# --- trouble ---


async def test_flood_control_in_one_chat_holds_up_no_other(begin: Begin) -> None:
    scene = await begin()
    bob = scene.telegram.user("Bob")
    await link(scene.app, bob, "Bob")
    scene.telegram.faults.at("sendMessage", status=429, text="Too Many Requests: retry after 20", retry_after=20)
    scene.ada.command("nodes")
    await scene.telegram.until(lambda: scene.telegram.made("sendMessage"))
    bob.command("nodes")
    await scene.said("mac", chat=bob.chat)
    assert scene.telegram.answers(scene.ada.chat) == []
    await scene.said("mac")
    assert len(scene.telegram.answers(scene.ada.chat)) == 1


async def test_telegram_is_away_and_comes_back(begin: Begin, lines: Lines) -> None:
    scene = await begin(ENDLESS)
    scene.ada.say("Talk")
    growing = await scene.said("word20")
    await scene.telegram.kill()
    scene.ada.say("Are you there?")
    await lines.until("can't be reached")
    await scene.app.answers.stop(scene.caller, (await turns(scene))[-1])
    await scene.telegram.start()
    await scene.telegram.until(lambda: is_ended(growing), timeout_s=20)
    assert "Stopped." in growing.text
    await scene.telegram.until(lambda: len(scene.asked) == 2)
    assert len(lines.of("can't be reached")) == 1
    await lines.until("answers again")


async def turns(scene: Scene) -> list[TurnId]:
    (conversation,) = await scene.app.answers.conversations(scene.caller)
    return [turn.id for turn in (await scene.app.answers.read(scene.caller, conversation.id))[1]]


async def test_damaged_repeated_and_contested_updates_harm_nothing(begin: Begin, lines: Lines) -> None:
    scene = await begin()
    scene.telegram.updates.damage_next()
    scene.ada.say("lost")
    scene.telegram.updates.push_raw({"message": "no message at all"})
    scene.telegram.updates.repeat_next(2)
    scene.ada.say("once")
    await scene.answered()
    scene.telegram.updates.add_poller(3)
    scene.ada.say("twice")
    await scene.answered(more=2)
    await scene.telegram.until(lambda: scene.telegram.updates.pending == 0)
    assert len(scene.asked) == 2
    assert len(lines.of("form that can't be read")) == 2
    assert len(lines.of("Another program uses")) == 1
    assert not [record for record in lines.records if record.levelno >= logging.ERROR]


async def test_a_revoked_token_stops_only_this_and_the_next_one_is_used(begin: Begin, lines: Lines) -> None:
    scene = await begin(telegram_token=None)
    assert scene.told == ["off; `halext key set telegram` or HALEXT_TELEGRAM_TOKEN gives it a token"]
    await scene.app.vault.set(SecretRef("telegram"), scene.telegram.token)
    scene.ada.say("one?")
    await scene.answered()
    old = scene.telegram.token
    scene.telegram.revoke_token()
    scene.ada.say("two?")  # Telegram ends no poll that waits already, and hands this over
    await lines.until("refuses the bot's token")
    calls = scene.telegram.calls
    await scene.telegram.until(lambda: len([call for call in calls if call.status == 401]) > 2, timeout_s=15)
    fresh = scene.telegram.renew_token()
    await scene.app.vault.set(SecretRef("telegram"), fresh)
    scene.ada.say("three?")
    await scene.answered(more=3)
    assert len(scene.asked) == 3
    assert len(lines.of("refuses the bot's token")) == 1
    assert not lines.of(old)
    assert not lines.of(fresh)


async def test_too_much_at_once_is_refused_once_and_the_rest_is_answered(begin: Begin) -> None:
    scene = await begin()
    for _ in range(LANE_MAX + 10):
        scene.ada.command("nodes")
    await scene.said("too much at once")
    await scene.telegram.until(lambda: len(scene.telegram.answers(scene.ada.chat)) == LANE_MAX + 1, timeout_s=30)
    said = [message.text for message in scene.telegram.answers(scene.ada.chat)]
    assert len([text for text in said if "too much" in text]) == 1


# --- words ---


@pytest.mark.parametrize(
    ("line", "means"),
    [
        ("start", "help"),
        ("start ABCD-EFGH", "link ABCD-EFGH"),
        ("Start", "help"),
        ("starting x", "starting x"),
        ("", ""),
    ],
)
def test_what_start_means(line: str, means: str) -> None:
    assert started(line) == means


async def test_the_menu_offers_each_first_word_once(begin: Begin) -> None:
    scene = await begin()
    names = scene.ada.menu()
    assert len(names) == len(set(names))
    assert {"ask", "task", "chat", "imagine", "help"} <= set(names)
    assert "cancel" not in names
