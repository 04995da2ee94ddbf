from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.dialects import sse
from halext.dialects.joining import joined
from halext.dialects.openai import answers, node
from halext.errors import (
    AllBusy,
    BadAnswer,
    BadRequest,
    Forbidden,
    HalextError,
    Interrupted,
    TooManyRequests,
    Unauthenticated,
    UnknownModel,
)
from halext.messages import ChatChunk, Done, EmbedReply, FinishReason, ToolCall, Usage

DONE = ChatChunk(done=Done("stop", Usage(9, 2, 4)))
USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 2,
    "total_tokens": 11,
    "prompt_tokens_details": {"cached_tokens": 4},
}
CALLS = (ToolCall("f", {"a": 1}), ToolCall("g", {}, "own"))


def events(stream: bytes) -> list[Any]:
    found = sse.Decoder().feed(stream)
    return [event.data.decode() if event.data == b"[DONE]" else json.loads(event.data) for event in found]


def written(*chunks: ChatChunk, include_usage: bool = False) -> list[Any]:
    stream = answers.ChatStream("chatcmpl-1", 7, "m", include_usage=include_usage)
    return events(b"".join(stream.write(chunk) for chunk in chunks))


def test_a_stream_begins_with_the_role_and_ends_with_the_mark() -> None:
    first, text, last, mark = written(ChatChunk("Hi"), DONE)
    assert first == {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "m",
        "choices": [
            {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
        ],
    }
    assert text["choices"][0]["delta"] == {"content": "Hi"}
    assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "stop")
    assert mark == "[DONE]"


def test_usage_comes_in_a_chunk_of_its_own_and_only_when_asked_for() -> None:
    *before, usage, mark = written(ChatChunk("Hi"), DONE, include_usage=True)
    assert all(event["usage"] is None for event in before)
    assert (usage["choices"], usage["usage"], mark) == ([], USAGE, "[DONE]")
    assert all("usage" not in event for event in written(ChatChunk("Hi"), DONE)[:-1])


def test_thinking_has_a_field_of_its_own() -> None:
    assert written(ChatChunk(thinking="hm", text="so"))[1]["choices"][0]["delta"] == {"reasoning_content": "hm"}


def test_tool_calls_are_numbered_through_and_all_have_ids() -> None:
    _, first, second, last, _ = written(ChatChunk(tool_calls=CALLS[:1]), ChatChunk(tool_calls=CALLS[1:]), DONE)
    assert first["choices"][0]["delta"]["tool_calls"] == [
        {
            "index": 0,
            "id": "call_chatcmpl-1_0",
            "type": "function",
            "function": {"name": "f", "arguments": '{"a":1}'},
        }
    ]
    call = second["choices"][0]["delta"]["tool_calls"][0]
    assert (call["index"], call["id"]) == (1, "own")
    assert last["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("reason", "calls", "finish"),
    [
        ("stop", (), "stop"),
        ("load", (), "stop"),
        ("length", (), "length"),
        ("length", CALLS, "length"),
        ("stop", CALLS, "tool_calls"),
        ("tool_calls", (), "tool_calls"),
    ],
)
def test_finish_reasons(reason: FinishReason, calls: tuple[ToolCall, ...], finish: str) -> None:
    chunk = ChatChunk(tool_calls=calls, done=Done(reason))
    assert written(chunk)[-2]["choices"][0]["finish_reason"] == finish
    reply = json.loads(answers.chat_reply(chunk, "chatcmpl-1", 7, "m"))
    assert reply["choices"][0]["finish_reason"] == finish


def test_the_extension_stands_in_the_chunk_that_finishes() -> None:
    stream = answers.ChatStream("chatcmpl-1", 7, "m", include_usage=True)
    found = events(stream.write(ChatChunk("Hi")) + stream.write(DONE, {"node": "mac"}))
    assert [event.get("halext") for event in found[:-1]] == [None, None, {"node": "mac"}, None]
    assert found[2]["choices"][0]["finish_reason"] == "stop"


def test_a_streamed_completion() -> None:
    stream = answers.CompletionStream("cmpl-1", 7, "m", include_usage=True)
    data = stream.write(ChatChunk("Hi")) + stream.write(ChatChunk()) + stream.write(DONE, {"node": "mac"})
    text, last, usage, mark = events(data)
    assert text == {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 7,
        "model": "m",
        "choices": [{"index": 0, "text": "Hi", "logprobs": None, "finish_reason": None}],
        "usage": None,
    }
    assert (last["choices"][0]["finish_reason"], last["halext"]) == ("stop", {"node": "mac"})
    assert (usage["usage"], mark) == (USAGE, "[DONE]")


pieces = st.builds(ChatChunk, text=st.text(), thinking=st.text())
tool_calls = st.builds(ToolCall, st.text(min_size=1), st.dictionaries(st.text(), st.text()), st.text(min_size=1))
reasons: st.SearchStrategy[FinishReason] = st.sampled_from(["stop", "length"])
usages = st.builds(Usage, st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))


@given(st.lists(pieces), st.lists(tool_calls, max_size=2).map(tuple), st.builds(Done, reasons, usages))
def test_an_answer_comes_back_from_its_events(chunks: list[ChatChunk], calls: tuple[ToolCall, ...], done: Done) -> None:
    stream = answers.ChatStream("chatcmpl-1", 7, "m", include_usage=True)
    sent = [*chunks, ChatChunk(tool_calls=calls), ChatChunk(done=done)]
    found = node.AnswerReader().feed(b"".join(stream.write(chunk) for chunk in sent))
    answer = joined(found)
    wanted = Done("tool_calls" if calls else done.reason, done.usage)
    assert answer == joined([*chunks, ChatChunk(tool_calls=calls, done=wanted)])


def test_a_whole_reply() -> None:
    answer = ChatChunk("Hi", "hm", done=DONE.done)
    assert json.loads(answers.chat_reply(answer, "chatcmpl-1", 7, "m", {"node": "mac"})) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 7,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi", "reasoning_content": "hm"},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
        "halext": {"node": "mac"},
    }


def test_a_whole_reply_of_tool_calls_has_no_text() -> None:
    message = json.loads(answers.chat_reply(ChatChunk(tool_calls=CALLS), "c", 7, "m"))["choices"][0]["message"]
    assert message["content"] is None
    assert [call["id"] for call in message["tool_calls"]] == ["call_c_0", "own"]


def test_a_whole_completion() -> None:
    reply = json.loads(answers.completion_reply(ChatChunk("Hi", done=DONE.done), "cmpl-1", 7, "m"))
    assert reply["choices"] == [{"index": 0, "text": "Hi", "logprobs": None, "finish_reason": "stop"}]
    assert (reply["object"], reply["usage"]) == ("text_completion", USAGE)
    assert "halext" not in reply


def test_embeddings() -> None:
    reply = EmbedReply(((0.5, 1.0), (2.0, 3.0)), Usage(7))
    plain = json.loads(answers.embed_reply(reply, "m", "float"))
    assert plain == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5, 1.0]},
            {"object": "embedding", "index": 1, "embedding": [2.0, 3.0]},
        ],
        "model": "m",
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }
    packed = json.loads(answers.embed_reply(reply, "m", "base64"))["data"]
    assert struct.unpack("<2f", base64.b64decode(packed[1]["embedding"])) == (2.0, 3.0)
    assert node.parse_embed(answers.embed_reply(reply, "m", "base64"), 2) == reply


def test_a_number_beyond_32_bits_is_the_nodes_fault() -> None:
    with pytest.raises(BadAnswer, match="32 bits"):
        answers.embed_reply(EmbedReply(((1e300,),)), "m", "base64")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadRequest(), "invalid_request_error"),
        (Unauthenticated(), "authentication_error"),
        (Forbidden(), "permission_error"),
        (UnknownModel(), "not_found_error"),
        (TooManyRequests(), "rate_limit_error"),
        (AllBusy(), "server_error"),
    ],
)
def test_errors(error: HalextError, kind: str) -> None:
    assert answers.error_body(error, "r1", "messages") == {
        "error": {"message": error.message, "type": kind, "param": "messages", "code": error.code},
        "request_id": "r1",
    }


def test_an_error_says_when_to_come_back() -> None:
    assert answers.error_body(AllBusy(retry_after_s=12.0), "r1")["retry_after_s"] == 12.0


def test_a_broken_stream_ends_with_its_error_and_without_the_mark() -> None:
    found = events(answers.error_event(Interrupted("cut"), "r1"))
    assert found == [answers.error_body(Interrupted("cut"), "r1")]
