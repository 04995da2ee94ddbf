from __future__ import annotations

import base64
import json
import struct

import pytest

from halext.testing.models import FakeModel
from halext.testing.openai_replies import (
    Voice,
    embedding,
    error,
    event,
    model_row,
    timings,
    tool_deltas,
    usage,
    whole_tool_calls,
)
from halext.testing.speech import Piece, Stats

STATS = Stats(prompt_s=0.5, eval_s=2.0, prompt_tokens=8, cached_tokens=3, eval_tokens=4)


def test_events_are_framed() -> None:
    assert event({"a": "é"}) == 'data: {"a":"é"}\n\n'.encode()


def test_errors_differ_by_flavour() -> None:
    assert error("llama.cpp", 401, "no", "bad_key") == {
        "error": {"code": 401, "message": "no", "type": "authentication_error"}
    }
    assert error("plain", 500, "no", "bad_key") == {
        "error": {"message": "no", "type": "server_error", "param": None, "code": "bad_key"}
    }


def test_chunks_of_a_chat() -> None:
    voice = Voice(7, "m", 1000, is_chat=True)
    opening = voice.opening()
    assert (opening["id"], opening["object"], opening["created"]) == ("chatcmpl-7", "chat.completion.chunk", 1000)
    (choice,) = voice.chunk(Piece("a", "hm"), "stop")["choices"]
    assert choice == {"index": 0, "delta": {"reasoning_content": "hm", "content": "a"}, "finish_reason": "stop"}
    assert voice.usage_chunk(STATS)["choices"] == []


def test_a_whole_chat_with_tool_calls_has_no_text() -> None:
    whole = Voice(1, "m", 0, is_chat=True).whole(
        Piece(tool_calls=whole_tool_calls([("f", {"a": 1})])), "tool_calls", STATS
    )
    message = whole["choices"][0]["message"]
    assert message["content"] is None
    assert message["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a": 1}'}
    assert Voice(1, "m", 0, is_chat=True).whole(Piece(), "stop", STATS)["choices"][0]["message"]["content"] == ""


def test_a_text_completion() -> None:
    whole = Voice(1, "m", 0, is_chat=False).whole(Piece("t"), "stop", STATS)
    assert whole["object"] == "text_completion"
    assert whole["choices"][0]["text"] == "t"


def test_numbers() -> None:
    assert usage(STATS)["total_tokens"] == 12
    assert usage(STATS)["prompt_tokens_details"] == {"cached_tokens": 3}
    told = timings(STATS)
    assert (told["prompt_n"], told["prompt_per_second"], told["predicted_per_second"]) == (5, 10.0, 2.0)
    assert timings(Stats())["predicted_per_second"] == 0.0


def test_tool_calls_stream_by_index() -> None:
    deltas = tool_deltas([("f", {"a": 1}), ("g", {})])
    assert [delta["index"] for delta in deltas] == [0, 0, 0, 1, 1, 1]
    assert deltas[3]["function"]["name"] == "g"
    text = "".join(delta["function"]["arguments"] for delta in deltas if delta["index"] == 0)
    assert json.loads(text) == {"a": 1}


def test_vectors_are_packed_as_little_endian_floats() -> None:
    packed = embedding([1.0, -0.5], 3, as_base64=True)
    assert packed["index"] == 3
    assert struct.unpack("<2f", base64.b64decode(packed["embedding"])) == (1.0, -0.5)
    assert embedding([1.0], 0, as_base64=False)["embedding"] == [1.0]


@pytest.mark.parametrize(("flavour", "owner"), [("llama.cpp", "llamacpp"), ("plain", "fake")])
def test_who_owns_a_model(flavour: str, owner: str) -> None:
    row = model_row(FakeModel("m"), "llama.cpp" if flavour == "llama.cpp" else "plain", 5)
    assert (row["id"], row["owned_by"], row["created"]) == ("m", owner, 5)
    assert ("meta" in row) is (flavour == "llama.cpp")
