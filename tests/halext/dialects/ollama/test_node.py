"""Bodies for nodes are read back by a small reader of the test's own; the lines of nodes are written by hand."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.dialects.ollama import node
from halext.errors import BadAnswer, ModelMissing, RateLimited, UpstreamError
from halext.messages import (
    ChatChunk,
    ChatRequest,
    CompletionRequest,
    Done,
    EmbedReply,
    EmbedRequest,
    Message,
    Sampling,
    Timings,
    ToolCall,
    Usage,
)
from halext.types import Json, ModelName
from tests.halext.dialects.strategies import integers, objects, samplings, texts

MODEL = ModelName("llama3.2:3b")

calls = st.builds(ToolCall, name=st.text(min_size=1), arguments=objects, id=texts)
messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=texts,
    images=st.lists(texts, max_size=3).map(tuple),
    thinking=texts,
    tool_calls=st.lists(calls, max_size=3).map(tuple),
    tool_call_id=st.just(""),
    tool_name=texts,
)
requests = st.builds(
    ChatRequest,
    model=texts.map(ModelName),
    messages=st.lists(messages, max_size=4).map(tuple),
    sampling=samplings(num_ctx=integers),
    tools=st.lists(objects, max_size=3).map(tuple),
    format=st.none() | st.just("json") | objects,
    think=st.sampled_from([None, True, False, "low", "medium", "high", "max"]),
)


def read_sampling(body: dict[str, Any]) -> Sampling:
    options = dict(body.get("options", {}))
    options["max_tokens"] = options.pop("num_predict", None)
    options["stop"] = tuple(options.get("stop", ()))
    return Sampling(**options)


def read_message(body: dict[str, Any]) -> Message:
    return Message(
        role=body["role"],
        content=body["content"],
        images=tuple(body.get("images", ())),
        thinking=body.get("thinking", ""),
        tool_calls=tuple(
            ToolCall(call["function"]["name"], call["function"]["arguments"], call.get("id", ""))
            for call in body.get("tool_calls", ())
        ),
        tool_call_id=body.get("tool_call_id", ""),
        tool_name=body.get("tool_name", ""),
    )


@given(requests)
def test_a_node_reads_what_was_asked(request: ChatRequest) -> None:
    body = json.loads(node.chat_body(request))
    assert body["stream"] is True
    found = ChatRequest(
        model=body["model"],
        messages=tuple(read_message(message) for message in body["messages"]),
        sampling=read_sampling(body),
        tools=tuple(body.get("tools", ())),
        format=body.get("format"),
        think=body.get("think"),
    )
    assert found == request


@given(st.text(), st.text(), samplings(num_ctx=integers))
def test_a_node_reads_which_text_to_continue(prompt: str, suffix: str, sampling: Sampling) -> None:
    body = json.loads(node.generate_body(CompletionRequest(MODEL, prompt, suffix, sampling, "json")))
    assert (body["prompt"], body.get("suffix", ""), body["format"]) == (prompt, suffix, "json")
    assert body.get("raw", False) is not bool(suffix)
    assert read_sampling(body) == sampling


def test_only_what_is_set_is_sent() -> None:
    body = node.chat_body(ChatRequest(MODEL, (Message("user", "hi"),)))
    assert body == b'{"model":"llama3.2:3b","messages":[{"role":"user","content":"hi"}],"stream":true}'


def test_a_temperature_of_zero_and_no_thinking_are_set() -> None:
    body = json.loads(node.chat_body(ChatRequest(MODEL, (), Sampling(temperature=0.0, seed=0), think=False)))
    assert body["options"] == {"temperature": 0.0, "seed": 0}
    assert body["think"] is False


def test_a_request_without_messages_loads() -> None:
    assert json.loads(node.chat_body(ChatRequest(MODEL, ())))["messages"] == []


def test_nothing_that_reloads_or_pins_a_model_is_known() -> None:
    forbidden = {"num_gpu", "num_thread", "num_batch", "use_mmap", "shift", "main_gpu", "keep_alive"}
    assert not forbidden & set(node.OPTIONS)


WEATHER: dict[str, Json] = {"type": "function", "function": {"name": "weather", "parameters": {}}}
CLOCK: dict[str, Json] = {"type": "function", "function": {"name": "clock", "parameters": {}}}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, [WEATHER, CLOCK]),
        ("auto", [WEATHER, CLOCK]),
        ("required", [WEATHER, CLOCK]),
        ("none", None),
        ({"type": "function", "function": {"name": "clock"}}, [CLOCK]),
        ({"type": "function"}, [WEATHER, CLOCK]),
    ],
)
def test_tool_choice_becomes_the_choice_of_tools(choice: Any, sent: list[Any] | None) -> None:
    request = ChatRequest(MODEL, (Message("user", "?"),), tools=(WEATHER, CLOCK), tool_choice=choice)
    assert json.loads(node.chat_body(request)).get("tools") == sent


def test_the_answer_of_a_tool_gets_the_tools_name() -> None:
    asked = Message("assistant", tool_calls=(ToolCall("weather", {"city": "Bonn"}, "call_1"),))
    answered = Message("tool", "rain", tool_call_id="call_1")
    body = json.loads(node.chat_body(ChatRequest(MODEL, (asked, answered))))
    assert body["messages"][1] == {
        "role": "tool",
        "content": "rain",
        "tool_name": "weather",
        "tool_call_id": "call_1",
    }


def test_small_bodies() -> None:
    assert json.loads(node.show_body(MODEL)) == {"model": MODEL}
    assert json.loads(node.unload_body(MODEL)) == {"model": MODEL, "keep_alive": 0, "stream": False}
    assert json.loads(node.embed_body(EmbedRequest(MODEL, ("a", "b")))) == {
        "model": MODEL,
        "input": ["a", "b"],
        "truncate": True,
    }
    assert json.loads(node.embed_body(EmbedRequest(MODEL, (), dimensions=8, truncate=False))) == {
        "model": MODEL,
        "input": [],
        "truncate": False,
        "dimensions": 8,
    }


LAST = {
    "model": "m",
    "created_at": "2026-08-01T10:00:00.123456789Z",
    "message": {"role": "assistant", "content": ""},
    "done": True,
    "done_reason": "stop",
    "total_duration": 5_000_000_000,
    "load_duration": 1_000_000_000,
    "prompt_eval_count": 9,
    "prompt_eval_duration": 500_000_000,
    "eval_count": 2,
    "eval_duration": 250_000_000,
}
LAST_DONE = Done("stop", Usage(9, 2), Timings(5.0, 1.0, 0.5, 0.25))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ({"message": {"role": "assistant", "content": "Hi"}, "done": False}, ChatChunk("Hi")),
        ({"response": "Hi", "done": False}, ChatChunk("Hi")),
        ({"message": {"content": "", "thinking": "hm"}, "done": False}, ChatChunk(thinking="hm")),
        ({"response": "", "thinking": "hm", "done": False}, ChatChunk(thinking="hm")),
        ({"message": {"content": None}, "done": None, "new_field": [1]}, ChatChunk()),
        (LAST, ChatChunk(done=LAST_DONE)),
        ({**LAST, "message": None, "response": "end", "context": [1, 2]}, ChatChunk("end", done=LAST_DONE)),
        ({"done": True}, ChatChunk(done=Done())),
        ({"done": True, "done_reason": "length"}, ChatChunk(done=Done("length"))),
        ({"done": True, "done_reason": "load"}, ChatChunk(done=Done("load"))),
        ({"done": True, "done_reason": "unload"}, ChatChunk(done=Done("unload"))),
        ({"done": True, "done_reason": "something new"}, ChatChunk(done=Done("stop"))),
        ({"done": False, "eval_count": 3}, ChatChunk()),
        (
            {"message": {"tool_calls": [{"id": "c", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}}]}},
            ChatChunk(tool_calls=(ToolCall("f", {"a": 1}, "c"),)),
        ),
        (
            {"message": {"tool_calls": [{"function": {"name": "f", "arguments": None}}]}},
            ChatChunk(tool_calls=(ToolCall("f", {}),)),
        ),
    ],
)
def test_lines(line: dict[str, Any], wanted: ChatChunk) -> None:
    assert node.parse_line(json.dumps(line).encode()) == wanted


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b'{"error":"model \'x\' not found"}', ModelMissing),
        (b'{"error":"server busy, please try again.  maximum pending requests exceeded"}', RateLimited),
        (b'{"error":"unexpected EOF"}', BadAnswer),
        (b'{"error":{"message":"unexpected EOF"}}', BadAnswer),
        (b'{"error":7}', BadAnswer),
        (b"<html>", BadAnswer),
        (b'{"message":{"content":"\xff"}}', BadAnswer),
        (b'{"message":"text"}', BadAnswer),
        (b'{"done":"yes"}', BadAnswer),
        (b'{"message":{"tool_calls":[{}]}}', BadAnswer),
        (b'{"message":{"tool_calls":[{"function":{"name":"f","arguments":"no json"}}]}}', BadAnswer),
        (b'{"x":' * 100_000, BadAnswer),
    ],
)
def test_lines_that_are_errors(line: bytes, error: type[UpstreamError]) -> None:
    with pytest.raises(UpstreamError) as caught:
        node.parse_line(line)
    assert type(caught.value) is error


def test_an_error_line_keeps_the_nodes_words() -> None:
    with pytest.raises(BadAnswer, match="unexpected EOF"):
        node.parse_line(b'{"error":"unexpected EOF"}')


@given(st.binary())
def test_no_bytes_raise_anything_but_upstream_errors(line: bytes) -> None:
    with suppress(UpstreamError):
        node.parse_line(line)
    with suppress(UpstreamError):
        node.parse_embed(line, 1)


STREAM = b"".join(
    json.dumps(line, ensure_ascii=False).encode() + b"\n"
    for line in ({"message": {"content": "é"}}, {"message": {"content": ""}}, {"message": {"content": "lo"}}, LAST)
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=9))
def test_pieces_do_not_depend_on_how_the_bytes_are_cut(places: list[int]) -> None:
    reader = node.AnswerReader()
    found = [
        piece for start, end in pairwise([0, *sorted(places), len(STREAM)]) for piece in reader.feed(STREAM[start:end])
    ]
    assert found == [ChatChunk("é"), ChatChunk("lo"), ChatChunk(done=LAST_DONE)]


def test_the_last_line_needs_no_line_feed() -> None:
    reader = node.AnswerReader()
    assert list(reader.feed(STREAM.rstrip())) == [ChatChunk("é"), ChatChunk("lo")]
    assert list(reader.close()) == [ChatChunk(done=LAST_DONE)]


@pytest.mark.parametrize("end", [b"", b'{"message":{"content":"a"}}', b'{"done":false}', b'{"mess'])
def test_a_stream_without_an_end_is_not_an_answer(end: bytes) -> None:
    reader = node.AnswerReader()
    list(reader.feed(b'{"message":{"content":"a"}}\n' + end))
    with pytest.raises(BadAnswer):
        list(reader.close())


def test_what_came_before_an_error_in_the_same_bytes_is_not_lost() -> None:
    pieces = node.AnswerReader().feed(b'{"response":"a"}\n{"error":"unexpected EOF"}\n')
    assert next(pieces) == ChatChunk("a")
    with pytest.raises(BadAnswer, match="unexpected EOF"):
        next(pieces)


def test_vectors_come_in_order_with_what_they_cost() -> None:
    body = b'{"embeddings":[[1,0.5],[2,-0.5]],"total_duration":2000000000,"prompt_eval_count":7}'
    wanted = EmbedReply(((1.0, 0.5), (2.0, -0.5)), Usage(7), Timings(total_s=2.0))
    assert node.parse_embed(body, 2) == wanted


def test_no_texts_give_no_vectors() -> None:
    assert node.parse_embed(b'{"model":"m","embeddings":[]}', 0) == EmbedReply(())
    assert node.parse_embed(b"{}", 0) == EmbedReply(())


@pytest.mark.parametrize("body", [b"{}", b'{"embeddings":[[1],[2]]}', b'{"embeddings":[[null]]}', b'{"embeddings":1}'])
def test_vectors_that_do_not_fit_the_texts(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        node.parse_embed(body, 1)


def test_finish_reasons() -> None:
    assert [node.finish(reason) for reason in ("stop", "length", "tool_calls", "load", "unload")] == [
        "stop",
        "length",
        "stop",
        "load",
        "unload",
    ]
