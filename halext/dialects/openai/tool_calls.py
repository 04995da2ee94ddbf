"""Tool calls that come in crumbs: OpenAI's streams spread one call's JSON over many chunks."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from halext.dialects import reading
from halext.errors import BadAnswer
from halext.messages import ToolCall

MAX_CALLS = 128
"""Calls in one answer; OpenAI itself stops at 128 tools."""
MAX_ARGUMENT_CHARS = 2 * 1024 * 1024
"""All arguments of one answer: the memory that a stream may hold beside its line."""


class FunctionDelta(msgspec.Struct):
    """A piece of a call's name and of its arguments' JSON text."""

    name: str | None = None
    arguments: str | dict[str, object] | None = None


class CallDelta(msgspec.Struct):
    """A piece of one call, as `delta.tool_calls[]` carries it."""

    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None


@dataclass(slots=True)
class _Open:
    id: str = ""
    name: str = ""
    arguments: str = ""


class ToolCallBuffer:
    """Puts the pieces together by their index, in the order in which the calls began.

    Some servers leave the index out: then a piece with an id begins a call, and one without continues the last.
    """

    def __init__(self) -> None:
        self._calls: dict[int, _Open] = {}
        self._last = -1
        self._chars = 0

    def add(self, delta: CallDelta) -> None:
        """Take one piece. Raises `BadAnswer` when there are too many calls or their arguments too long."""
        call = self._call(delta)
        call.id = call.id or delta.id or ""
        function = delta.function or FunctionDelta()
        call.name += function.name or ""
        piece = function.arguments or ""
        text = piece if isinstance(piece, str) else msgspec.json.encode(piece).decode()
        self._chars += len(text)
        if self._chars > MAX_ARGUMENT_CHARS:
            raise BadAnswer("The node's answer calls tools with arguments of more than 2 MB.")
        call.arguments += text

    def calls(self) -> tuple[ToolCall, ...]:
        """The finished calls. Raises `BadAnswer` for a call without a name or with arguments that are no object."""
        return tuple(_finished(call) for call in self._calls.values())

    def _call(self, delta: CallDelta) -> _Open:
        index = delta.index
        if index is None:
            index = self._last + 1 if delta.id or self._last not in self._calls else self._last
        if index not in self._calls:
            if len(self._calls) >= MAX_CALLS:
                raise BadAnswer(f"The node's answer calls more than {MAX_CALLS} tools.")
            self._calls[index] = _Open()
        self._last = index
        return self._calls[index]


def _finished(call: _Open) -> ToolCall:
    arguments = reading.tool_arguments(call.arguments)
    if arguments is None or not call.name:
        raise BadAnswer("The node's answer calls a tool without a name or with arguments that can't be read.")
    return ToolCall(name=call.name, arguments=arguments, id=call.id)
