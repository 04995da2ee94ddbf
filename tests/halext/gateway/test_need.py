from __future__ import annotations

import pytest

from halext.gateway import need
from halext.messages import ChatRequest, CompletionRequest, EmbedRequest, Message, Sampling, TextRequest
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
