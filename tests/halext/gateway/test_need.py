from __future__ import annotations

import pytest

from halext.accounts.quotas.types import Measure
from halext.gateway import need
from halext.messages import ChatRequest, CompletionRequest, EmbedRequest, Message, Sampling, TextRequest, Usage
from halext.types import ModelName

M = ModelName("m")


@pytest.mark.parametrize(
    ("request_", "kind", "prompt", "output"),
    [
        (ChatRequest(M, (Message("user", "x" * 400),)), "chat", 100, 250),
        (ChatRequest(M, (Message("user", images=("…", "…")),)), "chat", 1200, 250),
        (ChatRequest(M, (), Sampling(max_tokens=10)), "chat", 0, 10),
        (ChatRequest(M, (), Sampling(max_tokens=-1)), "chat", 0, 250),
        (CompletionRequest(M, "x" * 40, "y" * 40), "completion", 20, 250),
        (EmbedRequest(M, ("x" * 40, "y" * 40)), "embed", 20, 0),
    ],
)
def test_what_a_request_asks_of_a_node(
    request_: TextRequest | EmbedRequest, kind: str, prompt: int, output: int
) -> None:
    assert need.kind_of(request_) == kind
    told = need.of(request_, expected_output=None, waited_s=2.0)
    assert (told.prompt_tokens, told.output_tokens, told.waited_s) == (prompt, output, 2.0)


def test_answers_are_as_long_as_they_were_lately() -> None:
    chat = ChatRequest(M, ())
    assert need.of(chat, expected_output=31.7, waited_s=0).output_tokens == 31


CHAT = ChatRequest(M, (Message("user", "x" * 400),))


@pytest.mark.parametrize(
    ("request_", "tokens"),
    [
        (CHAT, 100 + 1024),
        (ChatRequest(M, CHAT.messages, Sampling(max_tokens=7)), 107),
        (EmbedRequest(M, ("x" * 400,)), 100),
        (EmbedRequest(M, ()), 1),
    ],
)
def test_what_is_reserved(request_: TextRequest | EmbedRequest, tokens: int) -> None:
    assert need.to_reserve(request_) == {Measure.REQUESTS: 1, Measure.TOKENS: tokens, Measure.GPU_SECONDS: 0}


@pytest.mark.parametrize(
    ("request_", "usage", "pieces", "characters", "tokens"),
    [
        (CHAT, Usage(110, 20), 21, 80, 130),
        (CHAT, Usage(), 5, 20, 105),
        (CHAT, Usage(), 0, 0, None),
        (CHAT, Usage(10**9, 10**9), 3, 2, 100 * 16 + need.TEMPLATE_TOKENS + 2 * 4 + 3),
        (CHAT, Usage(-5, -9), 3, 2, 0),
        (EmbedRequest(M, ("x" * 400,)), Usage(90), 1, 0, 90),
        (EmbedRequest(M, ("x" * 400,)), Usage(), 1, 0, 100),
    ],
)
def test_what_was_spent(
    request_: TextRequest | EmbedRequest, usage: Usage, pieces: int, characters: int, tokens: int | None
) -> None:
    """A node that counts wrongly is believed as far as it can be right."""
    found = need.spent(request_, usage, pieces=pieces, characters=characters, busy_s=2.0)
    assert (found.get(Measure.TOKENS), found[Measure.GPU_SECONDS]) == (tokens, 2.0)
