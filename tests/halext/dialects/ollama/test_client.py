from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.dialects import reading
from halext.dialects.ollama import client, node
from halext.errors import AllBusy, BadRequest, HalextError, Interrupted, InvalidInput, UsageError
from halext.messages import (
    ChatChunk,
    ChatRequest,
    CompletionRequest,
    Done,
    EmbedReply,
    EmbedRequest,
    FinishReason,
    Message,
    Sampling,
    Timings,
    ToolCall,
    Usage,
)
from halext.types import Json, ModelName

MODEL = ModelName("m")
NOW = "2026-08-01T10:00:00.5Z"
HI = {"role": "user", "content": "hi"}


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", **fields}).encode()


def chat(**fields: Any) -> ChatRequest:
    request = client.read_chat(body(**{"messages": [HI], **fields})).request
    assert isinstance(request, ChatRequest)
    return request


def test_a_chat_with_everything() -> None:
    schema: dict[str, Json] = {"type": "object", "properties": {"a": {"type": "string"}}}
    tool: dict[str, Json] = {"type": "function", "function": {"name": "f"}}
    call = client.read_chat(
        body(
            messages=[
                {"role": "system", "content": "be terse"},
                {"role": "user", "content": "look", "images": ["aGk=", "data:image/png;base64,aGk="]},
                {"role": "assistant", "thinking": "hm", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]},
                {"role": "tool", "content": "7", "tool_name": "f", "tool_call_id": "c"},
            ],
            tools=[tool],
            format=schema,
            think="high",
            stream=False,
            keep_alive="10m",
            options={"temperature": 0, "num_predict": 5, "stop": ["x"], "num_ctx": 8192, "num_gpu": 1},
            unknown={"a": 1},
        )
    )
    request = ChatRequest(
        model=MODEL,
        messages=(
            Message("system", "be terse"),
            Message("user", "look", images=("aGk=", "aGk=")),
            Message("assistant", thinking="hm", tool_calls=(ToolCall("f", {}),)),
            Message("tool", "7", tool_name="f", tool_call_id="c"),
        ),
        sampling=Sampling(temperature=0, max_tokens=5, stop=("x",), num_ctx=8192),
        tools=(tool,),
        format=schema,
        think="high",
    )
    assert call == client.Call("chat", request, stream=False, keep_alive_s=600.0)


def test_a_stream_is_the_default_and_null_means_it_too() -> None:
    assert client.read_chat(body(messages=[HI])).stream
    assert client.read_chat(body(messages=[HI], stream=None)).stream
    assert not client.read_chat(body(messages=[HI], stream=False)).stream


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (None, Sampling()),
        ({}, Sampling()),
        ({"temperature": None, "stop": None}, Sampling()),
        ({"num_predict": -1}, Sampling()),
        ({"num_predict": -2}, Sampling()),
        ({"num_predict": 0}, Sampling(max_tokens=0)),
        ({"num_ctx": 0}, Sampling()),
        ({"top_k": 40.0, "seed": 7.0, "num_predict": 9.0}, Sampling(top_k=40, seed=7, max_tokens=9)),
        ({"stop": "one"}, Sampling(stop=("one",))),
        ({"num_thread": 1, "num_batch": 1, "num_gpu": 1, "use_mmap": True, "shift": False}, Sampling()),
    ],
)
def test_options(options: Any, wanted: Sampling) -> None:
    assert chat(options=options).sampling == wanted


def test_a_large_seed_keeps_every_digit() -> None:
    assert chat(options={"seed": 2**62 + 1}).sampling.seed == 2**62 + 1


@pytest.mark.parametrize(("wanted", "found"), [(None, None), ("", None), ("json", "json"), ({"a": 1}, {"a": 1})])
def test_formats(wanted: Any, found: Any) -> None:
    assert chat(format=wanted).format == found


@pytest.mark.parametrize(
    ("keep_alive", "kind", "seconds"),
    [
        (None, "load", None),
        (300, "load", 300),
        (-1, "load", -1),
        ("10m", "load", 600.0),
        ("1h30m", "load", 5400.0),
        ("1.5s", "load", 1.5),
        ("-1m", "load", -60.0),
        (0, "unload", 0),
        ("0", "unload", 0.0),
        ("0s", "unload", 0.0),
    ],
)
@pytest.mark.parametrize("read", [client.read_chat, client.read_generate])
def test_a_request_without_a_prompt_loads_or_unloads(read: Any, keep_alive: Any, kind: str, seconds: Any) -> None:
    for empty in ({}, {"messages": [], "prompt": ""}, {"messages": None, "prompt": None}):
        call = read(body(keep_alive=keep_alive, **empty))
        assert (call.kind, call.keep_alive_s, call.request.messages) == (kind, seconds, ())


def test_keep_alive_zero_with_a_prompt_is_still_a_chat() -> None:
    assert client.read_chat(body(messages=[HI], keep_alive=0)).kind == "chat"


@pytest.mark.parametrize(
    ("fields", "request_"),
    [
        ({"prompt": "hi"}, ChatRequest(MODEL, (Message("user", "hi"),))),
        (
            {"prompt": "hi", "system": "be terse", "images": ["aGk="], "think": True, "options": {"seed": 1}},
            ChatRequest(
                MODEL,
                (Message("system", "be terse"), Message("user", "hi", images=("aGk=",))),
                Sampling(seed=1),
                think=True,
            ),
        ),
        ({"images": ["aGk="]}, ChatRequest(MODEL, (Message("user", images=("aGk=",)),))),
        ({"prompt": "[INST]", "raw": True, "format": "json"}, CompletionRequest(MODEL, "[INST]", format="json")),
        ({"prompt": "def f(", "suffix": "return"}, CompletionRequest(MODEL, "def f(", "return")),
        ({"prompt": "hi", "context": [], "template": ""}, ChatRequest(MODEL, (Message("user", "hi"),))),
    ],
)
def test_generate(fields: dict[str, Any], request_: Any) -> None:
    assert client.read_generate(body(**fields)) == client.Call("chat", request_)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"input": "a"}, EmbedRequest(MODEL, ("a",))),
        ({"input": ["a", "", "b"]}, EmbedRequest(MODEL, ("a", "", "b"))),
        ({"input": [""]}, EmbedRequest(MODEL, ("",))),
        ({"input": ""}, EmbedRequest(MODEL, ())),
        ({"input": []}, EmbedRequest(MODEL, ())),
        ({}, EmbedRequest(MODEL, ())),
        ({"input": "a", "dimensions": 8, "truncate": False}, EmbedRequest(MODEL, ("a",), 8, truncate=False)),
    ],
)
def test_embed(fields: dict[str, Any], wanted: EmbedRequest) -> None:
    assert client.read_embed(body(**fields)) == wanted


def test_legacy_embed() -> None:
    assert client.read_legacy_embed(body(prompt="a")) == EmbedRequest(MODEL, ("a",))
    assert client.read_legacy_embed(body(prompt="")) == EmbedRequest(MODEL, ())


def test_show_takes_both_names_of_the_field() -> None:
    assert client.read_show(b'{"model":"m"}') == client.read_show(b'{"name":"m"}') == MODEL


DEEP: dict[str, Any] = {}
for _ in range(reading.MAX_DEPTH + 1):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize(
    ("read", "fields", "sentence"),
    [
        (client.read_chat, {"model": ""}, "`model`"),
        (client.read_chat, {"model": None}, "`model`"),
        (client.read_show, {"model": None}, "`model`"),
        (client.read_embed, {"model": None, "input": "a"}, "`model`"),
        (client.read_chat, {"messages": "hi"}, r"\$\.messages"),
        (client.read_chat, {"messages": [{"role": "wizard"}]}, r"\$\.messages"),
        (client.read_chat, {"messages": [{"content": "hi"}]}, "role"),
        (client.read_chat, {"format": "xml"}, "`format`"),
        (client.read_chat, {"format": DEEP}, "deeply"),
        (client.read_chat, {"tools": [DEEP]}, "deeply"),
        (client.read_chat, {"think": "very"}, r"\$\.think"),
        (client.read_chat, {"keep_alive": "300"}, "`keep_alive`"),
        (client.read_chat, {"keep_alive": "-1"}, "`keep_alive`"),
        (client.read_chat, {"keep_alive": "soon"}, "`keep_alive`"),
        (client.read_chat, {"options": {"seed": 1.5}}, "`seed`"),
        (client.read_chat, {"options": {"temperature": "hot"}}, r"\$\.options\.temperature"),
        (
            client.read_chat,
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "x"}}]}]},
            "arguments",
        ),
        (client.read_chat, {"messages": [{"role": "assistant", "tool_calls": [{"function": {}}]}]}, "function.name"),
        (client.read_generate, {"prompt": "a", "template": "{{ .Prompt }}"}, "`template`"),
        (client.read_generate, {"prompt": "a", "context": [1, 2]}, "`context`"),
        (client.read_generate, {"prompt": "a", "raw": True, "images": ["aGk="]}, "Images"),
        (client.read_embed, {"input": [1, 2]}, r"\$\.input"),
    ],
)
def test_what_is_refused_and_why(read: Any, fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        read(body(**fields))


READERS = [client.read_chat, client.read_generate, client.read_embed, client.read_legacy_embed, client.read_show]


@pytest.mark.parametrize("read", READERS)
def test_broken_json_is_a_bad_request(read: Any) -> None:
    with pytest.raises(BadRequest, match="not valid JSON"):
        read(b'{"model": "m"')
    with pytest.raises(InvalidInput, match="deeply"):
        read(b'{"model": "m", "x": ' + b"[" * 50_000)


@pytest.mark.parametrize("read", READERS)
@given(data=st.binary() | st.dictionaries(st.text(), st.text() | st.integers()).map(lambda d: json.dumps(d).encode()))
def test_no_bytes_raise_anything_else(read: Any, data: bytes) -> None:
    with suppress(UsageError):
        read(data)


def test_the_last_of_two_equal_keys_is_the_one_that_is_authorised_and_sent() -> None:
    call = client.read_chat(b'{"model":"cheap","messages":[{"role":"user","content":"hi"}],"model":"dear"}')
    assert isinstance(call.request, ChatRequest)
    assert call.request.model == json.loads(node.chat_body(call.request))["model"] == "dear"


# Whole nanoseconds below a day: what floats of seconds carry exactly enough to come back.
durations = st.none() | st.integers(1, 86_400_000_000_000).map(lambda nanoseconds: nanoseconds / 1e9)
reasons: st.SearchStrategy[FinishReason] = st.sampled_from(["stop", "length", "load", "unload"])
dones = st.builds(
    Done,
    reason=reasons,
    usage=st.builds(Usage, prompt_tokens=st.integers(0, 10**9), completion_tokens=st.integers(0, 10**9)),
    timings=st.builds(Timings, total_s=durations, load_s=durations, prompt_s=durations, eval_s=durations),
)
calls = st.builds(
    ToolCall,
    name=st.text(min_size=1),
    arguments=st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.booleans())),
    id=st.text(),
)
chunks = st.builds(
    ChatChunk,
    text=st.text(),
    thinking=st.text(),
    tool_calls=st.lists(calls, max_size=2).map(tuple),
    done=st.none() | dones,
)


@given(chunks)
def test_a_chunk_comes_back_from_its_chat_line(chunk: ChatChunk) -> None:
    line = client.chat_line(chunk, "m", NOW)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert node.parse_line(line) == chunk


@given(chunks.map(lambda chunk: ChatChunk(chunk.text, chunk.thinking, (), chunk.done)))
def test_a_chunk_comes_back_from_its_generate_line(chunk: ChatChunk) -> None:
    assert node.parse_line(client.generate_line(chunk, "m", NOW)) == chunk


def test_zero_numbers_and_empty_fields_are_left_out() -> None:
    assert json.loads(client.chat_line(ChatChunk("a"), "m", NOW)) == {
        "model": "m",
        "created_at": NOW,
        "message": {"role": "assistant", "content": "a"},
        "done": False,
    }
    assert json.loads(client.generate_line(ChatChunk(done=Done("load")), "m", NOW)) == {
        "model": "m",
        "created_at": NOW,
        "response": "",
        "done": True,
        "done_reason": "load",
    }


def test_the_last_line_carries_the_extension_and_ollamas_own_reasons() -> None:
    done = ChatChunk(done=Done("tool_calls", Usage(3, 4), Timings(1.5)))
    line = json.loads(client.chat_line(done, "m", NOW, {"node": "mac"}))
    assert line["halext"] == {"node": "mac"}
    assert line["done_reason"] == "stop"
    assert (line["prompt_eval_count"], line["eval_count"], line["total_duration"]) == (3, 4, 1_500_000_000)


def test_embed_replies() -> None:
    reply = EmbedReply(((0.5, 1.0), (2.0, 3.0)), Usage(7), Timings(total_s=1.0))
    assert json.loads(client.embed_reply(reply, "m")) == {
        "model": "m",
        "embeddings": [[0.5, 1.0], [2.0, 3.0]],
        "total_duration": 1_000_000_000,
        "prompt_eval_count": 7,
    }
    assert json.loads(client.embed_reply(EmbedReply(()), "m")) == {"model": "m", "embeddings": []}
    assert json.loads(client.legacy_embed_reply(reply)) == {"embedding": [0.5, 1.0]}
    assert json.loads(client.legacy_embed_reply(EmbedReply(()))) == {"embedding": []}


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (Interrupted("cut"), {"error": "cut", "code": "interrupted", "request_id": "r1"}),
        (
            AllBusy("wait", retry_after_s=12.0),
            {"error": "wait", "code": "all_busy", "request_id": "r1", "retry_after_s": 12.0},
        ),
    ],
)
def test_errors(error: HalextError, wanted: dict[str, Any]) -> None:
    assert client.error_body(error, "r1") == wanted
    assert json.loads(client.error_line(error, "r1")) == wanted
    assert client.error_line(error, "r1").endswith(b"}\n")
