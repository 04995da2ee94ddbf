"""What a request asks of a node, estimated from its text. Pure; listed with the policies."""

from __future__ import annotations

from typing import Literal

from halext.accounts.quotas.policy import answer_tokens
from halext.accounts.quotas.types import Amounts, Measure
from halext.messages import ChatRequest, CompletionRequest, EmbedRequest, TextRequest, Usage
from halext.routing.policy import CFG
from halext.routing.types import Need

CHARS_PER_TOKEN = 4
"""English text has about four characters a token; code and other languages have fewer. Good enough to compare nodes."""
TOKENS_PER_IMAGE = 600
"""Vision models of this size turn a picture into some hundred tokens."""
TEMPLATE_TOKENS = 4_096
"""What a model's template, its system text and tools may add to a prompt without being seen here."""
BYTES_PER_CHAR = 4
"""A token stands for one byte at least, and a character has four at most: no honest count is above this."""


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
        return Need(prompt_tokens=prompt_tokens(request), output_tokens=0, waited_s=waited_s)
    output = int(expected_output or CFG.expected_output)
    limit = request.sampling.max_tokens
    return Need(
        prompt_tokens=prompt_tokens(request),
        output_tokens=min(output, limit) if limit is not None and limit >= 0 else output,
        waited_s=waited_s,
    )


def prompt_tokens(request: TextRequest | EmbedRequest) -> int:
    """About how many tokens the node has to read."""
    if isinstance(request, EmbedRequest):
        return sum(map(len, request.inputs)) // CHARS_PER_TOKEN
    if isinstance(request, CompletionRequest):
        return (len(request.prompt) + len(request.suffix)) // CHARS_PER_TOKEN
    characters = sum(len(message.content) for message in request.messages)
    images = sum(len(message.images) for message in request.messages)
    return characters // CHARS_PER_TOKEN + images * TOKENS_PER_IMAGE


def to_reserve(request: TextRequest | EmbedRequest) -> Amounts:
    """What is taken from quotas before the request begins: its text, and its answer as long as it may become."""
    bound = 0 if isinstance(request, EmbedRequest) else request.sampling.max_tokens
    tokens = answer_tokens(prompt_tokens(request), bound)
    return {Measure.REQUESTS: 1, Measure.TOKENS: tokens, Measure.GPU_SECONDS: 0}


def spent(request: TextRequest | EmbedRequest, usage: Usage, *, pieces: int, characters: int, busy_s: float) -> Amounts:
    """What the request really used; nothing of tokens when not a word of an answer came.

    A node's own count is believed as far as it can be true: one that lies can't spend anybody's quota.
    """
    if pieces == 0:
        return {Measure.GPU_SECONDS: busy_s}
    prompt = prompt_tokens(request)
    most_read = prompt * CHARS_PER_TOKEN * BYTES_PER_CHAR + TEMPLATE_TOKENS
    most_written = characters * BYTES_PER_CHAR + pieces
    # Without a final count each piece is one token: that is how servers stream.
    written = usage.completion_tokens or (0 if isinstance(request, EmbedRequest) else pieces)
    tokens = _within(usage.prompt_tokens or prompt, most_read) + _within(written, most_written)
    return {Measure.TOKENS: tokens, Measure.GPU_SECONDS: busy_s}


def _within(count: int, most: int) -> int:
    return max(0, min(count, most))
