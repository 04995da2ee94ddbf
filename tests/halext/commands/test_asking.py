from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import pytest

from halext.accounts.workspaces.types import WorkspaceRole
from halext.chat.types import TurnState
from halext.commands.asking import NUMBER_MAX, models, number
from halext.commands.types import File, Speaker, Text
from halext.errors import InvalidInput
from halext.tasks.types import Draft, TaskId
from halext.testing.ollama import FakeOllama

from .conftest import EMBEDDER, MODEL, SLOW, Chat, begun

ELSEWHERE = "telegram:chat:9"


def elsewhere(speaker: Speaker) -> Speaker:
    return replace(speaker, place=ELSEWHERE)


async def stop_all(chat: Chat, speaker: Speaker) -> None:
    assert (await chat.text(speaker, "stop")).markdown == "Stopped."


# --- ask ---


async def test_a_question_is_answered_and_the_conversation_goes_on(chat: Chat, mac: FakeOllama) -> None:
    first = await chat.ended(chat.mia, "ask Why is the sky blue?")
    assert (first.outcome.state, first.outcome.text) == (TurnState.DONE, "Because it scatters.")
    second = await chat.ended(chat.mia, f"ask model={MODEL} And the sea?")
    assert second.conversation == first.conversation
    other = await chat.ended(elsewhere(chat.mia), "ask And here?")
    assert other.conversation != first.conversation
    adas = await chat.ended(chat.ada, "ask And I?")  # in one channel, everyone has a conversation of their own
    assert adas.conversation not in {first.conversation, other.conversation}


async def test_a_place_is_asked_one_thing_at_a_time(chat: Chat, mac: FakeOllama) -> None:
    await chat.live(chat.mia, f"ask model={SLOW} Count.")
    assert "still being written" in await chat.refusal(chat.mia, "ask And now?")
    await stop_all(chat, chat.mia)
    assert (await chat.ended(chat.mia, f"ask model={MODEL} And now?")).outcome.state is TurnState.DONE


async def test_a_text_file_is_part_of_the_question(chat: Chat, mac: FakeOllama) -> None:
    live = await chat.live(chat.mia, "ask", File("notes.txt", b"call Bob"))
    await chat.end(chat.mia, live)
    assert chat.mia.caller is not None
    _, turns = await chat.app.answers.read(chat.mia.caller, live.conversation)
    assert turns[0].outcome.text == "notes.txt:\n```\ncall Bob\n```"


async def test_a_picture_alone_is_a_question(chat: Chat, mac: FakeOllama) -> None:
    live = await chat.live(chat.mia, "ask", File("x.png", b"\x89PNG\r\n\x1a\n rest"))
    await chat.end(chat.mia, live)
    assert chat.mia.caller is not None
    _, turns = await chat.app.answers.read(chat.mia.caller, live.conversation)
    assert turns[0].outcome.text == "What is in this picture?"


@pytest.mark.parametrize(
    ("line", "files", "says"),
    [
        ("ask", (), "What you want to know is missing: /ask QUESTION [model=…]"),
        ("ask Why?", (File("a.pdf", b"%PDF \xff"),), "“a.pdf” is neither a picture"),
        ("ask Why?", (File("x.png", b"\x89PNG\r\n\x1a\n"),) * 5, "at most 4 pictures"),
    ],
)
async def test_what_can_not_be_asked(chat: Chat, line: str, files: tuple[File, ...], says: str) -> None:
    assert says in await chat.refusal(chat.mia, line, *files)


# --- model ---


async def test_the_model_of_a_place_answers_there(chat: Chat, mac: FakeOllama) -> None:
    assert "Here the best model of the moment answers." in (await chat.text(chat.mia, "model")).markdown
    assert (await chat.text(chat.mia, f"model {SLOW}")).markdown == f"From now on `{SLOW}` answers here."
    assert f"Here `{SLOW}` answers." in (await chat.text(chat.mia, "model")).markdown
    await chat.live(chat.mia, "ask Count.")
    assert chat.mia.caller is not None
    (conversation,) = await chat.app.answers.conversations(chat.mia.caller)
    assert conversation.model == SLOW
    await stop_all(chat, chat.mia)
    assert "best model" in (await chat.text(elsewhere(chat.mia), "model")).markdown
    assert "best model" in (await chat.text(chat.ada, "model")).markdown


async def test_auto_is_meant_also_where_a_conversation_has_a_model(chat: Chat, mac: FakeOllama) -> None:
    await chat.ended(chat.mia, f"ask model={MODEL} Why?")
    assert f"Here `{MODEL}` answers." in (await chat.text(chat.mia, "model")).markdown
    assert "best model" in (await chat.text(chat.mia, "model auto")).markdown
    assert "Here the best model of the moment answers." in (await chat.text(chat.mia, "model")).markdown
    live = await chat.live(chat.mia, "ask And now?")
    await chat.text(chat.mia, "stop")
    assert chat.mia.caller is not None
    conversation, _ = await chat.app.answers.read(chat.mia.caller, live.conversation)
    assert conversation.model == "auto"


async def test_another_answer_comes_from_the_model_that_is_wanted_now(chat: Chat, mac: FakeOllama) -> None:
    await chat.ended(chat.mia, f"ask model={MODEL} Why?")
    await chat.text(chat.mia, f"model {SLOW}")
    live = await chat.live(chat.mia, "regenerate")
    assert chat.mia.caller is not None
    conversation, _ = await chat.app.answers.read(chat.mia.caller, live.conversation)
    assert conversation.model == SLOW
    await stop_all(chat, chat.mia)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("llama3.2:3", f"chat model called llama3.2:3 now. Did you mean {MODEL}?"),
        ("xyzzy", "called xyzzy now. /models shows all."),
        (EMBEDDER, f"No node has a chat model called {EMBEDDER} now."),
        ("x" * 3000, "x" * 99 + "… now."),
    ],
)
async def test_models_that_can_not_be_wanted(chat: Chat, mac: FakeOllama, wanted: str, says: str) -> None:
    assert says in await chat.refusal(chat.mia, f"model {wanted}")
    assert "best model" in (await chat.text(chat.mia, "model")).markdown


async def test_models_are_offered_while_one_types(chat: Chat, mac: FakeOllama) -> None:
    assert chat.mia.caller is not None
    assert list(models(chat.app, chat.mia.caller, "")) == [MODEL, SLOW]
    assert list(models(chat.app, chat.mia.caller, "LLAMA")) == [MODEL]
    assert list(models(chat.app, chat.mia.caller, "zz")) == []


# --- stop, regenerate, continue, why ---


async def test_an_answer_is_stopped_by_its_asker_only(chat: Chat, mac: FakeOllama) -> None:
    live = await chat.live(chat.mia, f"ask model={SLOW} Count.")
    assert "no such answer" in await chat.refusal(chat.ada, f"stop {live.turn}")
    assert "no answer here yet" in await chat.refusal(chat.ada, "stop")
    assert (await chat.text(chat.mia, f"stop {live.turn}")).markdown == "Stopped."
    assert (await chat.end(chat.mia, live)).outcome.state is TurnState.STOPPED
    for line in ("stop", f"stop {live.turn}", f"stop answer=#{live.turn}"):
        assert (await chat.text(chat.mia, line)).markdown == "That answer has ended already."


async def test_another_answer_is_given_in_the_same_conversation(chat: Chat, mac: FakeOllama) -> None:
    first = await chat.ended(chat.mia, "ask Why?")
    again = await chat.live(chat.mia, "regenerate")
    assert again.conversation == first.conversation
    await chat.end(chat.mia, again)
    more = await chat.live(elsewhere(chat.mia), f"regenerate {first.id} model={MODEL}")
    assert more.conversation == first.conversation
    await chat.end(chat.mia, more)
    assert "no such answer" in await chat.refusal(chat.ada, f"regenerate {first.id}")


async def test_an_answer_goes_on(chat: Chat, mac: FakeOllama) -> None:
    first = await chat.ended(chat.mia, "ask Why?")
    more = await chat.ended(chat.mia, "continue")
    assert (more.conversation, more.outcome.state) == (first.conversation, TurnState.DONE)
    assert "no such answer" in await chat.refusal(chat.ada, f"continue {first.id}")


async def test_why_says_where_it_went(chat: Chat, mac: FakeOllama) -> None:
    running = await chat.live(chat.mia, f"ask model={SLOW} Count.")
    assert "still being written" in (await chat.text(chat.mia, "why")).markdown
    await stop_all(chat, chat.mia)
    await chat.end(chat.mia, running)
    done = await chat.ended(chat.mia, f"ask model={MODEL} Why?")
    reason = (await chat.text(chat.mia, "why")).markdown.replace("\\", "")
    assert reason.startswith("mac: ")
    assert "chose mac" in reason
    assert (await chat.text(elsewhere(chat.mia), f"why {done.id}")).markdown.replace("\\", "") == reason
    assert "no such answer" in await chat.refusal(chat.ada, f"why {done.id}")


async def test_why_names_the_failure(chat: Chat) -> None:
    turn = await chat.ended(chat.mia, "ask Why?")
    assert turn.outcome.state is TurnState.FAILED
    assert turn.outcome.error in (await chat.text(chat.mia, "why")).markdown.replace("\\", "")


@pytest.mark.parametrize("line", ["stop", "regenerate", "continue", "why"])
async def test_there_must_be_an_answer(chat: Chat, line: str) -> None:
    assert await chat.refusal(chat.mia, line) == "There is no answer here yet; ask something first."
    assert "no such answer" in await chat.refusal(chat.mia, f"{line} {NUMBER_MAX}")
    assert "is no number" in await chat.refusal(chat.mia, f"{line} x")


# --- conversations ---


async def test_conversations_are_listed_and_opened_from_every_door(chat: Chat, mac: FakeOllama) -> None:
    assert "no conversations yet" in (await chat.text(chat.mia, "chat list")).markdown
    first = await chat.ended(chat.mia, "ask One *bold* @everyone [x](http://a.b)?")
    assert "next question" in (await chat.text(chat.mia, "chat new")).markdown
    second = await chat.ended(chat.mia, "ask Two?")
    listed = await chat.text(chat.mia, "chat list")
    assert listed.markdown.splitlines() == [
        f"- {second.conversation}: Two? (open here)",
        f"- {first.conversation}: One \\*bold\\* \\@everyone \\[x\\]\\(http\\://a\\.b\\)?",
    ]
    assert [button.says for button in listed.buttons] == [
        f"chat open {second.conversation}",
        f"chat open {first.conversation}",
    ]
    opened = await chat.text(elsewhere(chat.mia), listed.buttons[1].says)
    assert opened.markdown.endswith("\n\n> Because it scatters\\.")
    assert "One \\*bold\\*" in opened.markdown
    third = await chat.ended(elsewhere(chat.mia), "ask And on?")
    assert third.conversation == first.conversation


async def test_others_conversations_are_not_there(chat: Chat, mac: FakeOllama) -> None:
    turn = await chat.ended(chat.mia, "ask Secret?")
    refused = [await chat.refusal(chat.ada, f"chat open {where}") for where in (turn.conversation, 999)]
    assert refused == ["There is no such conversation."] * 2
    assert "no conversations yet" in (await chat.text(chat.ada, "chat list")).markdown


async def test_what_is_anothers_is_listed_where_nobody_reads_along(chat: Chat) -> None:
    mia, ada = chat.mia.caller, chat.ada.caller
    assert mia is not None
    assert ada is not None
    live = await chat.ended(chat.mia, "ask One?")
    await chat.app.desk.add(mia, Draft("Call Bob"))
    await chat.app.workspaces.create(mia, "home")
    await chat.app.workspaces.add(mia, "home", "Ada", WorkspaceRole.MEMBER)
    await chat.app.answers.share(mia, live.conversation, "home")
    await chat.app.desk.share(mia, TaskId(1), "home")
    number, private = live.conversation, replace(chat.ada, is_private=True)
    assert (await chat.text(chat.mia, "chat list")).markdown == f"- {number}: One? (in home) (open here)"
    assert (await chat.text(private, "chat list")).markdown == f"- {number}: One? (in home, Mia’s)"
    assert (await chat.text(private, "task list")).markdown == "- 1: Call Bob (in home, Mia’s)"
    for line in ("chat list", "task list"):
        told = (await chat.text(chat.ada, line)).markdown
        assert "One" not in told
        assert "Bob" not in told


async def test_lists_are_short(chat: Chat) -> None:
    for name in range(12):
        await chat.text(chat.mia, "chat new")
        await chat.ended(chat.mia, f"ask Question {name}?")
    listed = await chat.text(chat.mia, "chat list")
    assert len(listed.markdown.splitlines()) == 10
    assert len(listed.buttons) == 5
    assert all(re.fullmatch(r"chat open \d+", button.says) for button in listed.buttons)


async def test_questions_at_once_are_answered_or_told_to_wait(chat: Chat, mac: FakeOllama) -> None:
    replies = await asyncio.gather(*(chat.talk.line(chat.mia, f"ask Question {n}?") for n in range(3)))
    waiting = [reply for reply in replies if isinstance(reply, Text)]
    assert all("still being written" in reply.markdown for reply in waiting)
    for reply in replies:
        if reply not in waiting:
            assert (await chat.end(chat.mia, begun(reply))).outcome.state is TurnState.DONE


# --- numbers ---


@pytest.mark.parametrize(("text", "value"), [("5", 5), ("#5", 5), (" 12 ", 12), (str(NUMBER_MAX), NUMBER_MAX)])
def test_numbers(text: str, value: int) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["", "#", "-1", "1.5", "٣", "²", str(NUMBER_MAX + 1), "9" * 30, "x" * 5000])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no number") as failure:
        number(text)
    assert len(failure.value.message) < 80
