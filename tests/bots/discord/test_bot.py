"""The Discord bot, as people see it: an unmodified library, a fake Discord and a fake Ollama on real sockets."""

from __future__ import annotations

from itertools import pairwise

import pytest

from halext.testing.discord import FakeDiscord
from halext_bots.discord.service import DiscordService
from tests.bots.conftest import Furnish
from tests.bots.discord.conftest import Scene, Scenes

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (8).to_bytes(4, "big") * 2


async def test_somebody_links_asks_and_sees_the_answer_grow(furnish: Furnish) -> None:
    async with FakeDiscord() as discord:
        house = await furnish(
            discord_token=discord.token, discord_api_base=discord.api_base, discord_gateway=discord.gateway_url
        )
        code = await house.code(await house.member())
        ada = discord.user("Ada")
        room = discord.channel(discord.guild("Home", ada), "general")
        async with house.running(DiscordService()) as told:
            assert told == ["people write to halext"]
            ada.slash("ask", channel=room, question="hello")
            (stranger,) = await discord.until(lambda: discord.answers(room))
            assert "don't know you" in stranger.text
            assert stranger.only_for is not None
            ada.slash("link", channel=room, code=code)
            await discord.until(lambda: any("Hello Ada" in m.text for m in discord.answers(room)))
            ada.slash("ask", channel=room, question="Why is the sky blue?")
            (answer,) = await discord.until(lambda: [m for m in discord.answers(room) if "Regenerate" in m.buttons])
            assert "llama3.2:3b on mac" in answer.text
            assert answer.only_for is None
            ada.click(answer, "Why")
            await discord.until(lambda: any("chose mac" in m.text for m in discord.answers(room)))
            discord.assert_nobody_pinged()


async def test_an_answer_grows_by_edits_that_discord_never_refuses(scene: Scene) -> None:
    words = [f" word{number}" for number in range(200)]
    scene.model_says(*words, tokens_per_s=1.0)  # 2 s
    asked = scene.ada.slash("ask", channel=scene.room, question="Tell me.")
    answer = await scene.until_button("Regenerate")
    assert asked.reply is answer
    texts = [revision.text for revision in answer.revisions]
    assert len(texts) > 4
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts[1:]))
    assert "".join(words).strip() in answer.text
    assert scene.discord.refused == 0


async def test_a_mention_a_reply_a_direct_message_and_the_bots_own_thread_are_answered(scene: Scene) -> None:
    scene.model_says("Yes.")
    asked = scene.ada.say("Are you there?", channel=scene.room, mention=True)
    first = await scene.until_button("Regenerate")
    assert first.reply_to is asked
    scene.ada.say("And now?", channel=scene.room, reply_to=first)
    await scene.until(lambda: len(scene.said()) == 2 and "Regenerate" in scene.said()[1].buttons)
    scene.ada.say("Only we two.")
    await scene.until_button("Regenerate", scene.ada.chat)
    thread = scene.discord.world.add_thread(scene.room, "talk", scene.discord.world.bot)
    scene.ada.say("In here?", channel=thread)
    await scene.until_button("Regenerate", thread)
    questions = [message["content"] for message in scene.asked()]
    assert questions == ["Are you there?", "And now?", "Only we two.", "In here?"]


async def test_what_is_said_to_others_is_not_answered(scene: Scene) -> None:
    scene.ada.say("Nobody asked you.", channel=scene.room)
    thread = scene.ada.thread("ours", scene.room)
    scene.ada.say("Nor here.", channel=thread)
    scene.ada.say("", channel=scene.room, mention=True)
    scene.ada.slash("help", channel=scene.room)
    await scene.until_said("In a direct message, just write")
    assert len(scene.said()) == 1
    assert not scene.said(thread)


async def test_an_answer_longer_than_a_message_goes_on_in_the_next_one(scene: Scene) -> None:
    scene.model_says(*[f"Line {number} of a long answer. " for number in range(200)], tokens_per_s=2.0)
    asked = scene.ada.slash("ask", channel=scene.room, question="Everything?")
    await scene.until_button("Regenerate")
    messages = scene.said()
    assert len(messages) >= 3
    assert asked.reply is messages[0]
    assert all(len(message.text) <= 2000 for message in messages)
    assert [message.buttons for message in messages[:-1]] == [[]] * (len(messages) - 1)
    whole = " ".join(message.text for message in messages)
    places = [whole.index(f"Line {number} of") for number in range(200)]
    assert places == sorted(places)
    assert whole.count("Line 57 of") == 1
    assert scene.discord.refused == 0


async def test_stop_ends_the_answer_on_its_node_and_nothing_writes_over_it(scene: Scene) -> None:
    scene.model_says(*[f" word{number}" for number in range(2000)], tokens_per_s=0.5)
    scene.ada.slash("ask", channel=scene.room, question="Go on for ever.")
    answer = await scene.until_said("word20")
    assert answer.buttons == ["Stop"]
    scene.ada.click(answer, "Stop")
    await scene.house.node.timeline.wait_for("cancelled")
    await scene.until_button("Continue")
    assert "word20" in answer.text
    assert "Stopped." in answer.text
    told = await scene.until(lambda: [m for m in scene.said() if m.text == "Stopped."])
    assert told[0].only_for is scene.ada.user
    revisions = len(answer.revisions)
    scene.model_says("The end.")
    scene.ada.click(answer, "Continue")
    further = await scene.until_said("The end.")
    await scene.until(lambda: "Regenerate" in further.buttons)
    assert len(answer.revisions) == revisions


async def test_buttons_work_after_a_restart_and_for_nobody_else(scenes: Scenes) -> None:
    scene = await scenes()
    eve = scene.newcomer("Eve")
    await scene.link(eve)
    async with scene.online():
        scene.model_says("One.")
        scene.ada.slash("ask", channel=scene.room, question="A number?")
        answer = await scene.until_button("Regenerate")
    async with scene.online():
        for label in ("Regenerate", "Why"):
            pressed = eve.click(answer, label)
            refused = await scene.until(lambda pressed=pressed: pressed.reply)  # type: ignore[misc]
            assert refused.only_for is eve.user
            assert "One." not in refused.text
        scene.model_says("Two.")
        scene.ada.click(answer, "Regenerate")
        await scene.until_said("Two.")
        scene.ada.click(answer, "Why")
        why = await scene.until_said("chose mac")
        assert why.only_for is scene.ada.user
        assert "One." in answer.text


async def test_a_running_answer_is_stopped_by_nobody_else(scene: Scene) -> None:
    eve = scene.newcomer("Eve")
    await scene.link(eve)
    scene.model_says(*[f" word{number}" for number in range(60)], tokens_per_s=0.5)
    scene.ada.slash("ask", channel=scene.room, question="A while?")
    answer = await scene.until_said("word5")
    pressed = eve.click(answer, "Stop")
    await scene.until(lambda: pressed.reply)
    assert pressed.reply
    assert pressed.reply.only_for is eve.user
    done = await scene.until_button("Why")
    assert "word59" in done.text


async def test_strangers_are_told_once_in_a_while_and_can_link_in_plain_text(scene: Scene) -> None:
    eve = scene.newcomer("Eve")
    eve.say("Hello?", channel=scene.room, mention=True)
    await scene.until_said("don't know you")
    for _ in range(3):
        eve.say("Hello??", channel=scene.room, mention=True)
    typed = eve.slash("ask", channel=scene.room, question="Hello???")
    await scene.until(lambda: typed.reply)
    assert typed.reply
    assert typed.reply.only_for is eve.user
    assert len([message for message in scene.said() if message.only_for is None]) == 1
    member = await scene.house.member("Eve")
    eve.say(f"/link {await scene.house.code(member)}")
    await scene.until_said("Hello Eve", eve.chat)
    code = await scene.house.code(scene.member)
    scene.ada.say(f"/link {code}", channel=scene.room, mention=True)
    await scene.until_said("void")
    assert scene.asked() == []


async def test_pictures_and_texts_come_along(scene: Scene) -> None:
    scene.model_says("I see.")
    scene.ada.say("What is this?", channel=scene.room, mention=True, files=[("cat.png", PNG)])
    await scene.until_button("Regenerate")
    assert len(scene.asked()[0]["images"]) == 1
    scene.ada.slash("ask", channel=scene.ada.chat, question="Sum it up.", file=("notes.txt", b"Water the plants."))
    await scene.until_button("Regenerate", scene.ada.chat)
    assert "Water the plants." in scene.asked()[1]["content"]
    scene.ada.say(files=[("cat.png", PNG)])
    await scene.until(lambda: len(scene.asked()) == 3)
    assert scene.asked()[2]["content"] == "What is in this picture?"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([("cat.png", b"\x00\xffMZ")], "neither a picture"),
        ([("big.txt", b"x" * 8_000_001)], "larger than 8 MB"),
        ([(f"{number}.txt", b"x") for number in range(5)], "at most 4"),
        ([(f"{number}.txt", b"x" * 6_000_000) for number in range(3)], "Together"),
        ([("@everyone <@1>.bin", b"\x00")], "neither a picture"),
    ],
)
async def test_files_that_are_not_what_they_should_be(scene: Scene, files: list[tuple[str, bytes]], told: str) -> None:
    scene.ada.say("Look.", channel=scene.room, mention=True, files=files)
    await scene.until_said(told)
    if len(files) == 1:
        scene.ada.slash("ask", channel=scene.ada.chat, question="Look.", file=files[0])
        await scene.until_said(told, scene.ada.chat)
    assert scene.asked() == []


async def test_a_file_that_discord_does_not_hand_over(scene: Scene) -> None:
    scene.discord.faults.at("file", status=403)
    scene.ada.say("Look.", channel=scene.room, mention=True, files=[("cat.png", PNG)])
    await scene.until_said("did not hand over")


HOSTILE = "Hey @everyone, <@1> and @here: [click](http://evil.test) ||no|| `<@&2>`"


async def test_what_a_model_says_calls_nobody_and_is_no_markup(scene: Scene) -> None:
    scene.model_says(HOSTILE)
    scene.ada.slash("ask", channel=scene.room, question=f"Say {scene.ada.mention} @everyone.")
    answer = await scene.until_button("Regenerate")
    assert "@everyone" not in answer.text
    assert "<@1>" not in answer.text
    scene.ada.slash("ask", channel=scene.room, question="Who?", model="**@everyone** <@1>")
    await scene.until(lambda: len(scene.said()) == 2 and "…" not in scene.said()[1].text)
    assert "@everyone" not in scene.said()[1].text
    scene.ada.slash("task add", channel=scene.room, title=HOSTILE)
    listed = await scene.until_said("Written down")
    assert "@everyone" not in listed.text
    assert "||no||" not in listed.text


async def test_a_model_that_nobody_has_is_said_so(scene: Scene) -> None:
    scene.ada.slash("ask", channel=scene.room, question="Who?", model="gpt-99")
    answer = await scene.until_said("gpt-99")
    await scene.until(lambda: answer.buttons == ["Regenerate"])
    scene.ada.slash("model", channel=scene.room, name="llama3.2:3")
    await scene.until_said("Did you mean llama3")


async def test_texts_over_every_limit_are_refused_in_words_or_cut_into_messages(scene: Scene) -> None:
    scene.ada.slash("task add", channel=scene.room, title="x" * 6000)
    told = (await scene.until(scene.said))[0]
    assert len(told.text) <= 2000
    scene.model_says("Fine.")
    scene.ada.slash("ask", channel=scene.room, question="y" * 6000)
    await scene.until_button("Regenerate")
    assert scene.asked()[0]["content"] == "y" * 6000
    for number in range(12):
        await scene.house.app.answers.ask(scene.member, "z" * 300 + str(number))
    scene.ada.slash("chat list", channel=scene.room)
    await scene.until_button("Open 13")


async def test_a_crowd_in_one_channel_is_told_to_wait(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halext_bots.discord.bot.LANE_MAX", 1)
    scene.discord.faults.at("file", delay_s=4.0)
    scene.ada.say("Look.", channel=scene.room, mention=True, files=[("cat.png", PNG)])
    scene.ada.say("Hello?", channel=scene.room, mention=True)
    await scene.until_said("too much at once")
    await scene.until_button("Regenerate")


async def test_where_the_bot_may_not_write_it_tells_the_person(
    scenes: Scenes, caplog: pytest.LogCaptureFixture
) -> None:
    scene = await scenes()
    room = scene.discord.channel(scene.guild, "closed", bot_may_write=False)
    async with scene.online():
        for _ in range(2):
            scene.ada.say("Hello?", channel=room, mention=True)
        await scene.until_said("may not write", scene.ada.chat)
        scene.ada.slash("ask", channel=room, question="And so?")
        await scene.until_button("Regenerate", room)
    assert len(scene.said(scene.ada.chat)) == 1
    assert len([line for line in caplog.messages if "may not write" in line]) == 1


async def test_without_the_message_content_intent_mentions_and_direct_messages_are_answered(scenes: Scenes) -> None:
    scene = await scenes(FakeDiscord(scale=4.0, message_content=False))
    async with scene.online():
        assert "message content intent" in scene.told[0]
        scene.model_says("Yes.")
        scene.ada.say("Hello?", channel=scene.room, mention=True)
        await scene.until_button("Regenerate")
        scene.ada.say("Hello?")
        await scene.until_button("Regenerate", scene.ada.chat)
        assert scene.discord.gateway.identified == 1
