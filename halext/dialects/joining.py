"""The pieces of an answer as one."""

from __future__ import annotations

from collections.abc import Iterable

from halext.messages import ChatChunk


def joined(chunks: Iterable[ChatChunk]) -> ChatChunk:
    """The whole answer: all text, thinking and tool calls in order, and the `done` of the last chunk that has one."""
    pieces = tuple(chunks)
    return ChatChunk(
        text="".join(chunk.text for chunk in pieces),
        thinking="".join(chunk.thinking for chunk in pieces),
        tool_calls=tuple(call for chunk in pieces for call in chunk.tool_calls),
        done=next((chunk.done for chunk in reversed(pieces) if chunk.done is not None), None),
    )
