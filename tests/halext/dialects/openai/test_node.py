"""Bodies for nodes are read back by a small reader of the test's own; the events of nodes are written by hand."""

from __future__ import annotations

import base64
import json
import struct
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.dialects import sse
from halext.dialects.openai import node
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
    Think,
    Timings,
    ToolCall,
    Usage,
)
from halext.types import Json, ModelName
from tests.halext.dialects.strategies import objects, samplings, texts

MODEL = ModelName("qwen2.5")
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n123").decode()
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0 123").decode()

ids = st.text(min_size=1)
calls = st.builds(ToolCall, name=ids, arguments=objects, id=ids)
messages = st.one_of(
    st.builds(Message, st.sampled_from(["system", "user"]), texts, st.lists(st.just(PNG), max_size=2).map(tuple)),
    st.builds(Message, st.just("assistant"), texts, tool_calls=st.lists(calls, max_size=3).map(tuple)),
    st.builds(Message, st.just("tool"), texts, tool_call_id=ids),
)
formats: st.SearchStrategy[Any] = st.none() | st.just("json") | objects
requests = st.builds(
    ChatRequest,
    model=texts.map(ModelName),
    messages=st.lists(messages, max_size=4).map(tuple),
    sampling=samplings(),
    tools=st.lists(objects, min_size=1, max_size=3).map(tuple),
    tool_choice=st.sampled_from([None, "auto", "none", "required"]),
    format=formats,
    think=st.sampled_from([None, True, False, "low", "medium", "high"]),
)


def read_sampling(body: dict[str, Any]) -> Sampling:
    names = ("temperature", "top_p", "top_k", "min_p", "seed", "max_tokens")
    penalties = ("presence_penalty", "frequency_penalty", "repeat_penalty")
    return Sampling(**{name: body.get(name) for name in names + penalties}, stop=tuple(body.get("stop", ())))


def read_message(body: dict[str, Any]) -> Message:
    content = body["content"]
    parts: list[Any] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return Message(
        role=body["role"],
        content="".join(part["text"] for part in parts if part["type"] == "text"),
        images=tuple(part["image_url"]["url"].split(",")[1] for part in parts if part["type"] == "image_url"),
        tool_calls=tuple(
            ToolCall(call["function"]["name"], json.loads(call["function"]["arguments"]), call["id"])
            for call in body.get("tool_calls", ())
        ),
        tool_call_id=body.get("tool_call_id", ""),
    )


def read_format(body: dict[str, Any]) -> Any:
    wanted = body.get("response_format")
    if wanted is None or wanted["type"] == "json_object":
        return wanted and "json"
    return wanted["json_schema"]["schema"]


def read_think(body: dict[str, Any]) -> Any:
    return body.get("chat_template_kwargs", {}).get("enable_thinking", body.get("reasoning_effort"))


@given(requests)
def test_a_node_reads_what_was_asked(request: ChatRequest) -> None:
    body = json.loads(node.chat_body(request))
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    found = ChatRequest(
        model=body["model"],
        messages=tuple(read_message(message) for message in body["messages"]),
        sampling=read_sampling(body),
        tools=tuple(body["tools"]),
        tool_choice=body.get("tool_choice"),
        format=read_format(body),
        think=read_think(body),
    )
    assert found == request


@given(st.text(), st.text(), samplings(), formats)
def test_a_node_reads_which_text_to_continue(prompt: str, suffix: str, sampling: Sampling, wanted: Any) -> None:
    body = json.loads(node.completion_body(CompletionRequest(MODEL, prompt, suffix, sampling, wanted)))
    assert (body["model"], body["prompt"], body.get("suffix", "")) == (MODEL, prompt, suffix)
    assert (read_sampling(body), read_format(body), body["stream"]) == (sampling, wanted, True)


def test_only_what_is_set_is_sent() -> None:
    assert json.loads(node.chat_body(ChatRequest(MODEL, (Message("user", "hi"),), Sampling(num_ctx=8192)))) == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_tool_choice_without_tools_is_not_sent() -> None:
    assert b"tool_choice" not in node.chat_body(ChatRequest(MODEL, (), tool_choice="none"))


@pytest.mark.parametrize(
    ("think", "sent"),
    [
        (None, {}),
        (False, {"chat_template_kwargs": {"enable_thinking": False}}),
        (True, {"chat_template_kwargs": {"enable_thinking": True}}),
        ("low", {"reasoning_effort": "low"}),
        ("max", {"reasoning_effort": "high"}),
    ],
)
def test_thinking(think: Think | None, sent: dict[str, Any]) -> None:
    body = json.loads(node.chat_body(ChatRequest(MODEL, (), think=think)))
    assert {name: body[name] for name in ("chat_template_kwargs", "reasoning_effort") if name in body} == sent


def test_pictures_say_what_they_are() -> None:
    message = Message("user", images=(JPEG, PNG, "R0lGODlh", "UklGRg", "Qk0="))
    body = json.loads(node.chat_body(ChatRequest(MODEL, (message,))))
    urls = [part["image_url"]["url"].partition(";")[0] for part in body["messages"][0]["content"]]
    assert urls == ["data:image/jpeg", "data:image/png", "data:image/gif", "data:image/webp", "data:image/png"]


def test_calls_without_ids_get_some_and_their_answers_the_same() -> None:
    conversation = (
        Message("user", "?"),
        Message("assistant", tool_calls=(ToolCall("f", {}), ToolCall("g", {}), ToolCall("f", {}))),
        Message("tool", "from g", tool_name="g"),
        Message("tool", "from the first f", tool_name="f"),
        Message("tool", "from the rest"),
        Message("tool", "from nothing"),
    )
    body = json.loads(node.chat_body(ChatRequest(MODEL, conversation)))["messages"]
    assert [call["id"] for call in body[1]["tool_calls"]] == ["call_1_0", "call_1_1", "call_1_2"]
    assert [message["tool_call_id"] for message in body[2:]] == ["call_1_1", "call_1_0", "call_1_2", "call_0"]


def test_embed_body() -> None:
    assert json.loads(node.embed_body(EmbedRequest(MODEL, ("a", "b"), 8))) == {
        "model": MODEL,
        "input": ["a", "b"],
        "encoding_format": "base64",
        "dimensions": 8,
    }
    assert "dimensions" not in json.loads(node.embed_body(EmbedRequest(MODEL, ("a",))))


@pytest.mark.parametrize(
    ("status", "message", "offered"),
    [
        (400, '"input" or "content" must be provided', True),
        (200, "", True),
        (501, "This server does not support embeddings. Start it with `--embeddings`", False),
        (400, "Pooling type 'none' is not OAI compatible. Please use a different pooling type", False),
    ],
)
def test_whether_llamacpp_embeds(status: int, message: str, *, offered: bool) -> None:
    body = json.dumps({"error": {"code": status, "message": message, "type": "x"}}).encode()
    assert node.offers_embeddings(status, body) is offered
    assert json.loads(node.EMBED_PROBE) == {}


def event(delta: dict[str, Any] | None = None, finish: str | None = None, **fields: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return json.dumps({"id": "c", "object": "chat.completion.chunk", "choices": choices, **fields}).encode()


def read(*events: bytes, marked: bool = True) -> list[ChatChunk]:
    reader = node.AnswerReader()
    found = [piece for data in events for piece in reader.feed(sse.event(data))]
    return [*found, *(reader.feed(sse.event(node.DONE)) if marked else reader.close())]


def test_a_streamed_answer() -> None:
    found = read(
        event({"role": "assistant", "content": None}),
        event({"reasoning_content": "hm"}),
        event({"reasoning": "!"}),
        event({"content": "Hel"}),
        event({"content": "lo"}),
        event({}, "stop"),
        event(usage={"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}),
    )
    assert found == [
        ChatChunk(thinking="hm"),
        ChatChunk(thinking="!"),
        ChatChunk("Hel"),
        ChatChunk("lo"),
        ChatChunk(done=Done("stop", Usage(9, 2, 4))),
    ]


def test_a_streamed_completion() -> None:
    first = json.dumps({"choices": [{"text": "Hel", "index": 0}]}).encode()
    last = json.dumps({"choices": [{"text": "lo", "index": 0, "finish_reason": "length"}], "usage": None}).encode()
    assert read(first, last) == [ChatChunk("Hel"), ChatChunk("lo"), ChatChunk(done=Done("length"))]


def test_a_second_choice_is_not_mixed_in() -> None:
    both = [{"index": 1, "delta": {"content": "no"}}, {"index": 0, "delta": {"content": "yes"}}]
    assert read(event(choices=both))[0] == ChatChunk("yes")


def test_llamacpp_says_where_the_time_went() -> None:
    timings = {"cache_n": 5, "prompt_n": 4, "prompt_ms": 500.0, "predicted_n": 2, "predicted_ms": 250.0, "new": 1}
    wanted = Done("stop", Usage(9, 2, 5), Timings(prompt_s=0.5, eval_s=0.25))
    assert read(event({}, "stop", timings=timings)) == [ChatChunk(done=wanted)]
    counted = read(event({}, "stop", timings=timings), event(usage={"prompt_tokens": 1, "completion_tokens": 3}))
    assert counted == [ChatChunk(done=Done("stop", Usage(1, 3), wanted.timings))]


def test_tool_calls_come_whole_and_with_the_end() -> None:
    found = read(
        event({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x'}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": '":1}'}}]}),
        event({}, "stop"),
    )
    assert found == [ChatChunk(tool_calls=(ToolCall("f", {"x": 1}, "a"),), done=Done("tool_calls"))]


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "stop"),
    ],
)
def test_finish_reasons(finish: str, reason: str) -> None:
    done = read(event({}, finish))[-1].done
    assert done is not None
    assert done.reason == reason


def test_either_the_mark_or_a_finish_reason_makes_an_answer_whole() -> None:
    assert read(event({"content": "a"}), marked=True)[-1].done == Done()
    assert read(event({"content": "a"}, "length"), marked=False)[-1].done == Done("length")
    with pytest.raises(BadAnswer, match="before its answer was finished"):
        read(event({"content": "a"}), marked=False)


def test_what_came_before_an_error_in_the_same_bytes_is_not_lost() -> None:
    pieces = node.AnswerReader().feed(sse.event(event({"content": "a"})) + sse.event(b'{"error":"out of memory"}'))
    assert next(pieces) == ChatChunk("a")
    with pytest.raises(BadAnswer, match="out of memory"):
        next(pieces)


@given(st.lists(st.integers(0, 2000), max_size=9))
def test_pieces_do_not_depend_on_how_the_bytes_are_cut(places: list[int]) -> None:
    said = [event({"content": "é"}), event({"content": "lo"}, "stop"), event(usage={"prompt_tokens": 9})]
    data = b"".join(sse.event(each) for each in [*said, node.DONE])
    edges = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    reader = node.AnswerReader()
    found = [piece for start, end in pairwise(edges) for piece in reader.feed(data[start:end])]
    assert found == [ChatChunk("é"), ChatChunk("lo"), ChatChunk(done=Done("stop", Usage(9)))]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b'{"error":{"message":"model \'x\' not found","code":404}}', ModelMissing),
        (b'{"error":{"message":"Loading model","code":503}}', RateLimited),
        (b'{"error":{"message":"out of memory","code":500}}', BadAnswer),
        (b'{"error":"out of memory"}', BadAnswer),
        (b'{"error":[]}', BadAnswer),
        (b"nonsense", BadAnswer),
        (b'{"choices":{}}', BadAnswer),
        (b'{"choices":[{"delta":{"content":5}}]}', BadAnswer),
        (b'{"choices":' * 50_000, BadAnswer),
    ],
)
def test_events_that_are_errors(data: bytes, error: type[UpstreamError]) -> None:
    with pytest.raises(UpstreamError) as caught:
        read(data)
    assert type(caught.value) is error


@given(st.lists(st.binary()), st.booleans())
def test_no_bytes_raise_anything_but_upstream_errors(events: list[bytes], marked: bool) -> None:
    with suppress(UpstreamError):
        read(*events, marked=marked)
    with suppress(UpstreamError):
        list(node.AnswerReader().feed(b"".join(events)))
    with suppress(UpstreamError):
        node.parse_embed(b"".join(events), 1)


def vectors(*items: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps({"object": "list", "data": items, **fields}).encode()


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_vectors_are_read_from_numbers_and_from_base64(numbers: list[float]) -> None:
    packed = base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
    for embedding in (numbers, packed):
        assert node.parse_embed(vectors({"embedding": embedding}), 1) == EmbedReply((tuple(numbers),))


def test_vectors_follow_their_index() -> None:
    body = vectors({"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1]}, usage={"prompt_tokens": 7})
    assert node.parse_embed(body, 2) == EmbedReply(((1.0,), (2.0,)), Usage(7))
    assert node.parse_embed(vectors(), 0) == EmbedReply(())


@pytest.mark.parametrize(
    "items",
    [
        [],
        [{"embedding": [1]}, {"embedding": [2]}],
        [{"index": 1, "embedding": [1]}],
        [{"index": 0, "embedding": "no base64!"}],
        [{"index": 0, "embedding": "AAA="}],
        [{"index": 0, "embedding": "é"}],
        [{"index": 0, "embedding": None}],
        [{"index": 0}],
    ],
)
def test_vectors_that_do_not_fit_the_texts(items: list[dict[str, Any]]) -> None:
    with pytest.raises(BadAnswer):
        node.parse_embed(vectors(*items), 1)


def test_two_vectors_of_one_index() -> None:
    with pytest.raises(BadAnswer):
        node.parse_embed(vectors({"index": 0, "embedding": [1]}, {"index": 0, "embedding": [2]}), 2)


def test_arguments_are_a_text_of_json() -> None:
    arguments: dict[str, Json] = {"city": "Köln"}
    assert node.tool_call_body(ToolCall("f", arguments, "a")) == {
        "id": "a",
        "type": "function",
        "function": {"name": "f", "arguments": '{"city":"Köln"}'},
    }
