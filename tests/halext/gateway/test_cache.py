"""What is kept, for whom, for how long, and what is another request."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.accounts.types import LOCAL, Caller, Role
from halext.gateway import cache as cache_file
from halext.gateway.cache import KEPT_S, AnswerCache, key_of, size_of
from halext.messages import (
    ChatChunk,
    ChatRequest,
    CompletionRequest,
    Done,
    EmbedReply,
    EmbedRequest,
    Message,
    Sampling,
    TextRequest,
    ToolCall,
)
from halext.testing.clock import ManualClock
from halext.types import ModelName, UserId

M, DIGEST = ModelName("m"), "d" * 64
MIA = Caller("Mia", Role.MEMBER, "token", UserId(2))
CHAT = ChatRequest(M, (Message("user", "hi"),), Sampling(temperature=0))
PIECES = (ChatChunk("He"), ChatChunk("llo"), ChatChunk(done=Done()))


@pytest.mark.parametrize(
    ("request_", "digest", "is_kept"),
    [
        (CHAT, DIGEST, True),
        (CHAT, "", False),
        (replace(CHAT, sampling=Sampling()), DIGEST, False),
        (replace(CHAT, sampling=Sampling(temperature=0.1)), DIGEST, False),
        (replace(CHAT, sampling=Sampling(temperature=0.9, seed=0)), DIGEST, True),
        (replace(CHAT, messages=(Message("user", "x" * 300_000),)), DIGEST, False),
        (replace(CHAT, messages=(Message("user", "x", images=("i" * 300_000,)),)), DIGEST, False),
        (CompletionRequest(M, "once", sampling=Sampling(seed=1)), DIGEST, True),
        (CompletionRequest(M, "once"), DIGEST, False),
        (EmbedRequest(M, ("a", "b")), DIGEST, True),
        (EmbedRequest(M, ("x" * 300_000,)), DIGEST, False),
    ],
)
def test_what_is_kept(request_: TextRequest | EmbedRequest, digest: str, *, is_kept: bool) -> None:
    assert (key_of(MIA, request_, digest) is not None) is is_kept


def with_one(name: str) -> dict[str, Any]:
    """A deterministic request's sampling, with one more field that is not as usual."""
    return {"temperature": 0, name: 1}


CHANGES: list[dict[str, Any]] = [
    {"messages": (Message("user", "ho"),)},
    {"messages": (Message("system", "hi"),)},
    {"messages": (Message("user", "hi"), Message("user", ""))},
    {"messages": (Message("user", "hi", images=("AA",)),)},
    {"messages": (Message("user", "hi", thinking="?"),)},
    {"messages": (Message("user", "hi", tool_calls=(ToolCall("f", {"a": 1}),)),)},
    {"tools": ({"type": "function"},)},
    {"tool_choice": "none"},
    {"format": "json"},
    {"format": {"type": "object"}},
    {"think": True},
    *({"sampling": Sampling(**with_one(field.name))} for field in fields(Sampling)[1:]),
]


def test_whatever_is_changed_is_another_request() -> None:
    requests = [CHAT, *(replace(CHAT, **change) for change in CHANGES)]
    keys = {key_of(MIA, request, DIGEST) for request in requests}
    keys |= {key_of(MIA, CHAT, "e" * 64), key_of(replace(MIA, user_id=UserId(3)), CHAT, DIGEST)}
    keys |= {key_of(LOCAL, CHAT, DIGEST), key_of(Caller("2", Role.GUEST, "link"), CHAT, DIGEST)}
    assert len(keys) == len(requests) + 4
    assert None not in keys
    assert key_of(replace(MIA, credential="session", address="::1"), CHAT, DIGEST) in keys, "one person, any credential"


@given(first=st.lists(st.text(), max_size=3), second=st.lists(st.text(), max_size=3))
def test_no_two_texts_are_one(first: list[str], second: list[str]) -> None:
    keys = [key_of(MIA, EmbedRequest(M, tuple(texts)), DIGEST) for texts in (first, second)]
    assert (keys[0] == keys[1]) is (first == second)


def test_a_lone_surrogate_is_a_text_as_well() -> None:
    assert key_of(MIA, EmbedRequest(M, ("\ud800",)), DIGEST) is not None


async def test_an_answer_is_there_for_an_hour() -> None:
    clock = ManualClock()
    cache = AnswerCache(clock)
    cache.keep("k", PIECES)
    await clock.advance(KEPT_S - 1)
    assert cache.find("k") == PIECES
    await clock.advance(1)
    assert cache.find("k") is None
    assert (cache.find("other"), cache._bytes) == (None, 0)


def test_what_was_not_used_for_longest_makes_room() -> None:
    cache = AnswerCache(ManualClock(), most=2)
    cache.keep("a", PIECES)
    cache.keep("b", PIECES)
    cache.find("a")
    cache.keep("c", PIECES)
    assert [cache.find(key) is not None for key in "abc"] == [True, False, True]


def test_bytes_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(map(size_of, PIECES)) + 1
    cache = AnswerCache(ManualClock(), most_bytes=2 * size)
    for key in "abca":
        cache.keep(key, PIECES)
    assert [cache.find(key) is not None for key in "abc"] == [True, False, True]
    assert cache._bytes == 2 * size
    monkeypatch.setattr(cache_file, "ANSWER_BYTES", size - 1)
    cache.keep("d", PIECES)
    assert cache.find("d") is None


def test_the_size_of_vectors_and_calls_counts() -> None:
    assert size_of(EmbedReply(((0.5,) * 1000,))) > 1000 * 24
    assert size_of(ChatChunk(tool_calls=(ToolCall("f", {"text": "x" * 1000}),))) > 4000
