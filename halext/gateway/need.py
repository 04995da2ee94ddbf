"""What a request asks of a node, estimated from its text. Pure; listed with the policies."""

from __future__ import annotations

from typing import Literal

from halext.messages import ChatRequest, CompletionRequest, EmbedRequest, TextRequest
from halext.routing.policy import CFG
from halext.routing.types import Need

CHARS_PER_TOKEN = 4
"""English text has about four characters a token; code and other languages have fewer. Good enough to compare nodes."""
TOKENS_PER_IMAGE = 600
"""Vision models of this size turn a picture into some hundred tokens."""


def kind_of(request: TextRequest | EmbedRequest) -> Literal["chat", "completion", "embed"]:
    """The word for it."""
    match request:
        case ChatRequest():
            return "chat"
        case CompletionRequest():
            return "completion"
        case EmbedRequest():
            return "embed"


def of(request: TextRequest | EmbedRequest, *, expected_output: float | None, waited_s: float) -> Need:
    """How many tokens it brings and how many it will get: as many as this model's answers had lately."""
    if isinstance(request, EmbedRequest):
        return Need(prompt_tokens=sum(map(len, request.inputs)) // CHARS_PER_TOKEN, output_tokens=0, waited_s=waited_s)
    output = int(expected_output or CFG.expected_output)
    limit = request.sampling.max_tokens
    return Need(
        prompt_tokens=prompt_tokens(request),
        output_tokens=min(output, limit) if limit is not None and limit >= 0 else output,
        waited_s=waited_s,
    )


def prompt_tokens(request: TextRequest) -> int:
    """About how many tokens the node has to read."""
    if isinstance(request, CompletionRequest):
        return (len(request.prompt) + len(request.suffix)) // CHARS_PER_TOKEN
    characters = sum(len(message.content) for message in request.messages)
    images = sum(len(message.images) for message in request.messages)
    return characters // CHARS_PER_TOKEN + images * TOKENS_PER_IMAGE
