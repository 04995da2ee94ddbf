from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.dialects.openai import tool_calls
from halext.dialects.openai.tool_calls import CallDelta, FunctionDelta, ToolCallBuffer
from halext.errors import BadAnswer
from halext.messages import ToolCall


def gathered(*deltas: dict[str, Any]) -> tuple[ToolCall, ...]:
    buffer = ToolCallBuffer()
    for delta in deltas:
        buffer.add(msgspec.convert(delta, CallDelta))
    return buffer.calls()


@given(
    st.lists(st.tuples(st.text(min_size=1), st.dictionaries(st.text(), st.integers() | st.text())), max_size=4),
    st.randoms(),
)
def test_calls_come_back_from_any_crumbs(calls: list[tuple[str, dict[str, Any]]], random: Any) -> None:
    queues = []
    for index, (name, arguments) in enumerate(calls):
        text = json.dumps(arguments)
        cut = random.randint(0, len(text))
        queues.append(
            [
                {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": name}},
                {"index": index, "function": {"arguments": text[:cut]}},
                {"index": index, "function": {"arguments": text[cut:]}},
            ]
        )
    order = [delta for queue in queues for delta in queue[:1]]
    waiting = [queue[1:] for queue in queues]
    while any(waiting):
        order.append(random.choice([queue for queue in waiting if queue]).pop(0))
    assert gathered(*order) == tuple(
        ToolCall(name, arguments, f"call_{i}") for i, (name, arguments) in enumerate(calls)
    )


@pytest.mark.parametrize(
    ("deltas", "wanted"),
    [
        ([], ()),
        ([{"index": 0, "function": {"name": "f"}}], (ToolCall("f", {}),)),
        (
            [{"id": "a", "function": {"name": "f", "arguments": "{}"}}, {"id": "b", "function": {"name": "g"}}],
            (ToolCall("f", {}, "a"), ToolCall("g", {}, "b")),
        ),
        (
            [{"id": "a", "function": {"name": "f", "arguments": '{"x"'}}, {"function": {"arguments": ":1}"}}],
            (ToolCall("f", {"x": 1}, "a"),),
        ),
        ([{"function": {"name": "f", "arguments": {"x": 1}}}], (ToolCall("f", {"x": 1}),)),
        ([{"index": 3, "function": {"name": "f"}}, {"index": 1, "function": {"name": "g"}}], None),
    ],
)
def test_servers_that_leave_things_out(deltas: list[dict[str, Any]], wanted: tuple[ToolCall, ...] | None) -> None:
    assert gathered(*deltas) == ((ToolCall("f", {}), ToolCall("g", {})) if wanted is None else wanted)


@pytest.mark.parametrize("function", [None, {}, {"arguments": "{}"}, {"name": "f", "arguments": "{"}])
def test_half_a_call_is_a_bad_answer(function: dict[str, Any] | None) -> None:
    with pytest.raises(BadAnswer, match="calls a tool"):
        gathered({"index": 0, "function": function})


def test_too_many_calls() -> None:
    buffer = ToolCallBuffer()
    for index in range(tool_calls.MAX_CALLS):
        buffer.add(CallDelta(index))
    buffer.add(CallDelta(0))
    with pytest.raises(BadAnswer, match="more than 128"):
        buffer.add(CallDelta(tool_calls.MAX_CALLS))


def test_too_long_arguments() -> None:
    buffer = ToolCallBuffer()
    buffer.add(CallDelta(0, "a", FunctionDelta("f", "x" * tool_calls.MAX_ARGUMENT_CHARS)))
    with pytest.raises(BadAnswer, match="2 MB"):
        buffer.add(CallDelta(1, "b", FunctionDelta("f", "x")))
