"""A conversation: turns that are sent along with the next question."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Self

from halext.client.asking import Options, chat_request, opening, question
from halext.client.reply import Reply
from halext.client.verbs import Question
from halext.errors import InvalidInput
from halext.messages import Message
from halext.types import NodeName


class Conversation:
    """What a chat knows: its settings and its turns. A turn is a question with its whole answer.

    A question that failed or was stopped leaves no trace, so it can simply be asked again.
    """

    def __init__(self, *, model: str, system: str, node: str | None, options: Options) -> None:
        self.model = model
        """The model; where it was left open, from the first answer on the one that gave it."""
        self.node = node
        self._options = options
        self._opening = opening(system)
        self._turns: list[tuple[Message, Message]] = []

    @property
    def messages(self) -> Sequence[Message]:
        """Everything said so far, in order, with the system prompt first."""
        return (*self._opening, *(message for turn in self._turns for message in turn))

    def __len__(self) -> int:
        """The number of turns."""
        return len(self._turns)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)} turns with {self.model or 'the best model'}>"

    def fork(self, at: int | None = None) -> Self:
        """Another conversation that goes on from here, or from after turn `at` (0: from the beginning)."""
        if at is not None and not -len(self) <= at <= len(self):
            raise InvalidInput(f"This conversation has {len(self)} turns; it can't be forked at {at}.")
        branch = copy(self)
        branch._turns = self._turns[:at]  # noqa: SLF001 - its own kind
        return branch

    def _ask(self, text: str, options: Options) -> tuple[Question, Message]:
        merged: Options = {**self._options, **options}
        asked = question(text, merged)
        request = chat_request(self.model, (*self.messages, asked), merged)
        return Question(request, NodeName(self.node) if self.node else None), asked

    def _answered(self, asked: Message, reply: Reply) -> None:
        answered = Message("assistant", reply.text, tool_calls=reply.tool_calls)
        self._turns.append((asked, answered))
        self.model = self.model or reply.model
