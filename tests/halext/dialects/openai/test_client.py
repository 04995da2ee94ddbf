from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.dialects import reading
from halext.dialects.openai import client, node
from halext.errors import BadRequest, InvalidInput, UsageError
from halext.messages import ChatRequest, CompletionRequest, EmbedRequest, Message, Sampling, ToolCall
from halext.types import Json, ModelName

MODEL = ModelName("m")
HI = {"role": "user", "content": "hi"}


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", **fields}).encode()


def chat(**fields: Any) -> ChatRequest:
    request = client.read_chat(body(**{"messages": [HI], **fields})).request
    assert isinstance(request, ChatRequest)
    return request


def test_a_chat_with_everything() -> None:
    schema: dict[str, Json] = {"type": "object"}
    tool: dict[str, Json] = {"type": "function", "function": {"name": "f"}}
    call = client.read_chat(
        body(
            messages=[
                {"role": "developer", "content": "be terse"},
                {
                    "role": "user",
                    "name": "ann",
                    "content": [
                        {"type": "text", "text": "look"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}},
                        {"type": "text", "text": "here"},
                    ],
                },
                {
                    "role": "assistant",
                    "content": None,
                    "reasoning_content": "hm",
                    "tool_calls": [
                        {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                    ],
                },
                {"role": "tool", "tool_call_id": "c", "name": "f", "content": [{"type": "text", "text": "7"}]},
            ],
            temperature=0,
            top_p=0.5,
            top_k=3,
            min_p=0.1,
            seed=7,
            stop="x",
            presence_penalty=0.1,
            frequency_penalty=0.2,
            repeat_penalty=1.1,
            max_completion_tokens=5,
            tools=[tool],
            tool_choice="required",
            response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}},
            reasoning_effort="high",
            stream=True,
            stream_options={"include_usage": True},
            logprobs=False,
            n=1,
            user="somebody",
        )
    )
    request = ChatRequest(
        model=MODEL,
        messages=(
            Message("system", "be terse"),
            Message("user", "look\nhere", images=("aGk=",)),
            Message("assistant", thinking="hm", tool_calls=(ToolCall("f", {"a": 1}, "c"),)),
            Message("tool", "7", tool_call_id="c", tool_name="f"),
        ),
        sampling=Sampling(
            temperature=0,
            top_p=0.5,
            top_k=3,
            min_p=0.1,
            seed=7,
            max_tokens=5,
            stop=("x",),
            presence_penalty=0.1,
            frequency_penalty=0.2,
            repeat_penalty=1.1,
        ),
        tools=(tool,),
        tool_choice="required",
        format=schema,
        think="high",
    )
    assert call == client.Call(request, stream=True, include_usage=True)


def test_nulls_mean_nothing() -> None:
    names = ("stream", "stream_options", "n", "temperature", "seed", "stop", "max_tokens", "tools", "tool_choice")
    found = client.read_chat(body(messages=[HI], response_format=None, **dict.fromkeys(names)))
    assert found == client.Call(ChatRequest(MODEL, (Message("user", "hi"),)))


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_tokens": 5.0}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": 6}, 6),
        ({"max_tokens": -1}, None),
    ],
)
def test_the_limit_of_tokens(fields: dict[str, Any], limit: int | None) -> None:
    assert chat(**fields).sampling.max_tokens == limit


@pytest.mark.parametrize(("stop", "wanted"), [("a", ("a",)), (["a", "b"], ("a", "b")), ([], ()), (None, ())])
def test_stop_is_a_text_or_a_list(stop: Any, wanted: tuple[str, ...]) -> None:
    assert chat(stop=stop).sampling.stop == wanted


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, "json"),
        ({"type": "json_schema", "json_schema": {"schema": {"a": 1}}}, {"a": 1}),
    ],
)
def test_response_formats(wanted: Any, found: Any) -> None:
    assert chat(response_format=wanted).format == found


@pytest.mark.parametrize(
    ("effort", "think"),
    [("none", False), ("minimal", "low"), ("low", "low"), ("medium", "medium"), ("high", "high"), ("xhigh", "max")],
)
def test_reasoning_effort(effort: str, think: Any) -> None:
    assert chat(reasoning_effort=effort).think == think


def test_a_named_tool_choice_passes() -> None:
    choice = {"type": "function", "function": {"name": "f"}}
    assert chat(tool_choice=choice).tool_choice == choice


def test_an_image_address_may_be_a_plain_text() -> None:
    content = [{"type": "image_url", "image_url": "data:image/jpeg;base64,aGk="}]
    assert chat(messages=[{"role": "user", "content": content}]).messages == (Message("user", images=("aGk=",)),)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"prompt": "a"}, CompletionRequest(MODEL, "a")),
        ({"prompt": ["a"]}, CompletionRequest(MODEL, "a")),
        ({}, CompletionRequest(MODEL, "")),
        (
            {"prompt": "a", "suffix": "b", "max_tokens": 5, "response_format": {"type": "json_object"}, "best_of": 1},
            CompletionRequest(MODEL, "a", "b", Sampling(max_tokens=5), "json"),
        ),
    ],
)
def test_completions(fields: dict[str, Any], wanted: CompletionRequest) -> None:
    assert client.read_completion(body(**fields)) == client.Call(wanted)
    assert client.read_completion(body(stream=True, **fields)).stream


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"input": "a"}, client.EmbedCall(EmbedRequest(MODEL, ("a",)))),
        ({"input": ["a", "b"], "dimensions": 8}, client.EmbedCall(EmbedRequest(MODEL, ("a", "b"), 8))),
        ({"input": [], "encoding_format": "base64"}, client.EmbedCall(EmbedRequest(MODEL, ()), "base64")),
    ],
)
def test_embeddings(fields: dict[str, Any], wanted: client.EmbedCall) -> None:
    assert client.read_embed(body(**fields)) == wanted


DEEP: dict[str, Any] = {}
for _ in range(reading.MAX_DEPTH + 1):
    DEEP = {"a": DEEP}


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": parts}]}


def called(arguments: Any) -> dict[str, Any]:
    return {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}]}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"model": None}, "`model`"),
        ({"messages": []}, "`messages`"),
        ({"messages": None}, "`messages`"),
        ({"messages": [{"role": "function", "content": "x"}]}, "`role`"),
        ({"messages": "hi"}, r"\$\.messages"),
        (user({"type": "input_audio", "input_audio": {}}), "`text` and `image_url`"),
        (user({"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}), "fetches no addresses"),
        (user({"type": "image_url", "image_url": {"url": "data:image/png,raw"}}), "fetches no addresses"),
        (user({"type": "image_url"}), "fetches no addresses"),
        (called("no json"), "arguments"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}]}]}, "function.name"),
        ({"n": 2}, "`n` must be 1"),
        ({"logprobs": True}, "`logprobs`"),
        ({"functions": [{"name": "f"}]}, "`tools` instead"),
        ({"tool_choice": "maybe"}, r"\$\.tool_choice"),
        ({"tool_choice": DEEP}, "deeply"),
        ({"tools": [DEEP]}, "deeply"),
        ({"response_format": {"type": "xml"}}, r"\$\.response_format"),
        ({"response_format": {"type": "json_schema"}}, "json_schema.schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": DEEP}}}, "deeply"),
        ({"reasoning_effort": "some"}, "`reasoning_effort`"),
        ({"max_tokens": 1.5}, "`max_tokens`"),
        ({"temperature": "hot"}, r"\$\.temperature"),
    ],
)
def test_chats_that_are_refused_and_why(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        client.read_chat(body(**{"messages": [HI], **fields}))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"prompt": ["a", "b"]}, "one text"),
        ({"prompt": [1, 2]}, "token numbers"),
        ({"prompt": [[1, 2]]}, "token numbers"),
        ({"prompt": "a", "echo": True}, "`echo`"),
        ({"prompt": "a", "best_of": 3}, "`best_of`"),
        ({"prompt": "a", "logprobs": 5}, "`logprobs`"),
        ({"prompt": "a", "n": 2}, "`n` must be 1"),
        ({"prompt": "a", "model": ""}, "`model`"),
    ],
)
def test_completions_that_are_refused_and_why(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        client.read_completion(body(**fields))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "`input`"),
        ({"input": [1, 2]}, "token numbers"),
        ({"input": "a", "model": None}, "`model`"),
        ({"input": "a", "encoding_format": "hex"}, r"\$\.encoding_format"),
    ],
)
def test_embeddings_that_are_refused_and_why(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        client.read_embed(body(**fields))


READERS = [client.read_chat, client.read_completion, client.read_embed]


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


calls = st.builds(ToolCall, st.text(min_size=1), st.dictionaries(st.text(), st.integers()), st.text(min_size=1))
messages = st.one_of(
    st.builds(Message, st.sampled_from(["system", "user"]), st.text(), st.lists(st.just("aGk=")).map(tuple)),
    st.builds(Message, st.just("assistant"), st.text(), tool_calls=st.lists(calls, max_size=2).map(tuple)),
    st.builds(Message, st.just("tool"), st.text(), tool_call_id=st.text(min_size=1)),
)


@given(st.lists(messages, min_size=1, max_size=4).map(tuple), st.none() | st.integers(0, 100))
def test_what_is_sent_to_a_node_reads_back_as_a_clients_request(
    conversation: tuple[Message, ...], limit: int | None
) -> None:
    request = ChatRequest(MODEL, conversation, Sampling(max_tokens=limit), format="json", think="low")
    assert client.read_chat(node.chat_body(request)) == client.Call(request, stream=True, include_usage=True)
