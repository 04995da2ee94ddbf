from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from halext.accounts.types import Caller, Role
from halext.chat.types import TurnId
from halext.errors import InvalidInput, NotFound
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.shapes import AddNode, Nothing
from halext.runtime.shapes_chat import AnswerAfter, AnswerRef, AskAgain, AskMore, AskNew, ConversationRef
from halext.runtime.verbs import chat, nodes
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama


async def test_a_conversation(
    app: App, control: LocalControl, fake_ollama: Callable[..., Awaitable[FakeOllama]]
) -> None:
    fake = await fake_ollama([FakeModel("m", script=["Hel", "lo"])])
    await control.call(nodes.add_node, AddNode(name="mac", urls=[fake.url]))
    user = await app.people.add_user("Ann", Role.MEMBER)
    caller = Caller("Ann", Role.MEMBER, "token", user.id)
    ann = LocalControl(app, caller)
    asked = await ann.call(chat.begin_conversation, AskNew(text="hi"))
    done = [event async for event in app.answers.follow(caller, TurnId(asked.answer))][-1].turn
    assert done is not None
    assert chat.turn_info(done).text == "Hello"
    assert chat.turn_info(done).why[0].endswith("chose mac")
    now = await ann.call(chat.read_answer, AnswerAfter(id=asked.answer, seen=3))
    assert (now.more, now.turn.state, now.turn.text) == ("lo", "done", "")
    more = await ann.call(chat.ask_more, AskMore(id=asked.conversation.id, text="again", model="m"))
    assert more.conversation.model == "m"
    assert (await ann.call(chat.stop_answer, AnswerRef(id=more.answer))).state in {"stopped", "done"}
    other = await ann.call(chat.regenerate_answer, AskAgain(id=more.answer, model="m"))
    ended = [event async for event in app.answers.follow(caller, TurnId(other.answer))][-1].turn
    assert ended is not None
    assert chat.turn_info(ended).completion_tokens == 2
    further = await ann.call(chat.continue_answer, AnswerRef(id=other.answer))
    await ann.call(chat.stop_answer, AnswerRef(id=further.answer))
    whole = await ann.call(chat.read_conversation, ConversationRef(id=asked.conversation.id))
    assert [turn.role for turn in whole.turns] == ["user", "assistant"] * 3
    assert [info.id for info in await ann.call(chat.list_conversations, Nothing())] == [asked.conversation.id]
    await ann.call(chat.forget_conversation, ConversationRef(id=asked.conversation.id))
    with pytest.raises(NotFound):
        await ann.call(chat.read_conversation, ConversationRef(id=asked.conversation.id))
    with pytest.raises(InvalidInput, match="belong to a person"):
        await control.call(chat.begin_conversation, AskNew(text="hi"))
