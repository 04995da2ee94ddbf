from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import cast

import pytest

from halext.commands.say import Talk
from halext.commands.types import Button, File
from halext.gateway.dispatch import Gateway
from halext.gateway.types import Ask
from halext.messages import ChatChunk
from halext.storage.scope import Scope
from halext.tasks.desk import Desk
from halext.tasks.types import TaskState
from halext.types import RequestId

from .conftest import Chat

FOUND = [{"title": "Call *Bob*", "priority": "high", "notes": "soon @everyone"}, {"title": "Water"}]


@dataclass
class Model:
    """In place of a gateway: it finds the same in everything."""

    answer: str

    def new_id(self) -> RequestId:
        return RequestId("r")

    async def generate(self, ask: Ask) -> AsyncGenerator[ChatChunk, None]:
        yield ChatChunk(self.answer)


def finding(chat: Chat, tasks: list[dict[str, str]]) -> Chat:
    """The same chat with a model that finds these tasks."""
    model = cast("Gateway", Model(json.dumps({"tasks": tasks})))
    app = replace(chat.app, desk=Desk(Scope(chat.app.database), model, chat.app.clock))
    return replace(chat, app=app, talk=Talk(app, chat.talk.registry))


async def test_a_tasks_life(chat: Chat) -> None:
    assert (await chat.text(chat.mia, "task list")).markdown == "Nothing is open."
    added = await chat.text(chat.mia, "task add priority=high Call **Bob** [now](http://a.b)")
    assert added.markdown == "Written down as 1: Call \\*\\*Bob\\*\\* \\[now\\]\\(http\\://a\\.b\\) (high)"
    await chat.text(chat.mia, "task add Water the plants")
    listed = await chat.text(chat.mia, "task list")
    assert listed.markdown.splitlines()[1] == "- 2: Water the plants"
    assert listed.buttons == (Button("Done 1", "task done 1"), Button("Done 2", "task done 2"))
    assert (await chat.text(chat.mia, "task done #1")).markdown.startswith("Done with 1: Call")
    assert (await chat.text(chat.mia, "task drop 2")).markdown == "Dropped 2: Water the plants"
    assert (await chat.text(chat.mia, "task list")).markdown == "Nothing is open."


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("task add", "What is to be done is missing: /task add TITLE [priority=…]"),
        ("task add priority=now x", "priority is one of low, normal, high, urgent"),
        ("task add " + "x" * 201, "200"),
        ("task done", "Its number, as the list shows it is missing"),
        ("task done x", "“x” is no number"),
        ("task done 99999999999999999999", "is no number"),
        ("task done 2147483647", "There is no such task"),
        ("task suggest", "There is no text"),
    ],
)
async def test_what_can_not_be_done_is_said(chat: Chat, line: str, says: str) -> None:
    assert says in await chat.refusal(chat.mia, line)


async def test_others_tasks_are_not_there(chat: Chat) -> None:
    await chat.text(chat.mia, "task add Secret")
    assert (await chat.text(chat.ada, "task list")).markdown == "Nothing is open."
    for verb in ("done", "drop", "accept"):  # as a button says it in the presser's own name
        assert "There is no such task" in await chat.refusal(chat.ada, f"task {verb} 1")
    assert "1: Secret" in (await chat.text(chat.mia, "task list")).markdown


async def test_suggestions_wait_for_their_person(chat: Chat) -> None:
    chat = finding(chat, FOUND)
    reply = await chat.text(chat.mia, "task suggest Somebody should call Bob and water the plants.")
    head, _, *lines = reply.markdown.splitlines()
    assert head == "Suggested:"
    assert lines == ["- 1: Call \\*Bob\\* (high) – soon \\@everyone", "- 2: Water"]
    assert [button.says for button in reply.buttons] == [
        "task accept 1",
        "task drop 1",
        "task accept 2",
        "task drop 2",
    ]
    assert "can't become done" in await chat.refusal(chat.mia, "task done 1")
    assert (await chat.text(chat.mia, "task accept 1")).markdown.startswith("Accepted 1: ")
    listed = (await chat.text(chat.mia, "task list")).markdown
    assert listed.splitlines()[0].startswith("- 1: Call")
    assert listed.endswith("Suggested:\n\n- 2: Water")


async def test_tasks_are_found_in_text_files(chat: Chat) -> None:
    chat = finding(chat, FOUND)
    await chat.text(chat.mia, "task suggest", File("minutes.txt", b"\xef\xbb\xbfCall Bob."))
    assert chat.mia.caller is not None
    assert len(await chat.app.desk.tasks(chat.mia.caller, [TaskState.SUGGESTED])) == 2
    picture = File("minutes.png", b"\x89PNG\r\n\x1a\n\0")
    assert "“minutes.png” is neither" in await chat.refusal(chat.mia, "task suggest", picture)


async def test_a_text_without_tasks(chat: Chat) -> None:
    chat = finding(chat, [])
    assert (await chat.text(chat.mia, "task suggest Nice weather.")).markdown == "I found no task in that."


async def test_nobody_there_to_find_any(chat: Chat) -> None:
    assert await chat.refusal(chat.mia, "task suggest Call Bob.")


async def test_long_lists_say_what_is_missing(chat: Chat) -> None:
    for number in range(23):
        await chat.text(chat.mia, f"task add Number {number}")
    listed = await chat.text(chat.mia, "task list")
    assert listed.markdown.count("\n- ") == 19
    assert listed.markdown.endswith("\n\nAnd 3 more.")
    assert len(listed.buttons) == 5
