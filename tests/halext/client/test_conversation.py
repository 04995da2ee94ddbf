"""Turns, forks, and what is sent next."""

from __future__ import annotations

import pytest

from halext.client.conversation import Conversation
from halext.client.reply import Reply
from halext.errors import InvalidInput
from halext.messages import ChatChunk


def say(chat: Conversation, text: str) -> None:
    """One turn, answered with the same text in capitals."""
    _, asked = chat._ask(text, {})
    reply = Reply()
    reply.take(ChatChunk(text=text.upper()))
    chat._answered(asked, reply)


def chat_of(*texts: str) -> Conversation:
    chat = Conversation(model="m", system="Be brief.", node="mac", options={"seed": 1})
    for text in texts:
        say(chat, text)
    return chat


def contents(chat: Conversation) -> list[str]:
    return [message.content for message in chat.messages]


def test_turns_are_sent_along() -> None:
    question, asked = chat_of("a")._ask("b", {"temperature": 0.5})
    assert [message.content for message in question.request.messages] == ["Be brief.", "a", "A", "b"]
    assert (question.request.sampling.seed, question.request.sampling.temperature) == (1, 0.5)
    assert (question.node, asked.content) == ("mac", "b")


@pytest.mark.parametrize(
    ("at", "expected"),
    [(None, ["a", "A", "b", "B"]), (0, []), (1, ["a", "A"]), (2, ["a", "A", "b", "B"]), (-1, ["a", "A"])],
)
def test_fork(at: int | None, expected: list[str]) -> None:
    chat = chat_of("a", "b")
    branch = chat.fork(at)
    assert contents(branch) == ["Be brief.", *expected]
    say(branch, "c")
    assert contents(chat) == ["Be brief.", "a", "A", "b", "B"]


@pytest.mark.parametrize("at", [3, -3])
def test_a_fork_needs_a_turn(at: int) -> None:
    with pytest.raises(InvalidInput, match="has 2 turns"):
        chat_of("a", "b").fork(at)


def test_repr_counts_and_quotes_nothing() -> None:
    assert repr(chat_of("secret")) == "<Conversation: 1 turns with m>"
    assert len(chat_of("a", "b")) == 2
