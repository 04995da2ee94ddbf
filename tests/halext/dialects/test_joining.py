from __future__ import annotations

from halext.dialects.joining import joined
from halext.messages import ChatChunk, Done, ToolCall


def test_pieces_become_one_answer_in_their_order() -> None:
    first, second = ToolCall("a", {}), ToolCall("b", {"x": 1})
    done = Done("length")
    pieces = [
        ChatChunk(thinking="hm"),
        ChatChunk(text="Hel", tool_calls=(first,)),
        ChatChunk(text="lo", thinking="!"),
        ChatChunk(tool_calls=(second,), done=done),
    ]
    assert joined(iter(pieces)) == ChatChunk("Hello", "hm!", (first, second), done)


def test_no_pieces_are_an_answer_without_an_end() -> None:
    assert joined([]) == ChatChunk()
