"""Answers to be given again: to the same person, to exactly the same request, of exactly the same model."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from halext.accounts.types import Caller
from halext.messages import ChatChunk, ChatRequest, EmbedReply, EmbedRequest, TextRequest
from halext.types import Clock, ModelName

Piece = ChatChunk | EmbedReply

KEPT_S = 3_600.0
KEPT_BYTES = 16 * 1024 * 1024
KEPT_ANSWERS = 2_000
ANSWER_BYTES = 256 * 1024
"""A longer answer is not kept: it would push out many others."""
REQUEST_CHARACTERS = 256 * 1024
"""A longer request is not looked up: its key would take the loop too long."""
PIECE_BYTES = 200
"""What a piece takes beside its text, about."""
FLOAT_BYTES = 32
"""A number in a vector, as Python keeps it."""


@dataclass(frozen=True, slots=True)
class _Kept:
    pieces: tuple[Piece, ...]
    size: int
    until: float


class AnswerCache:
    """Whole answers in memory, bounded in time, number and bytes; what was not used for longest makes room.

    Private: nobody's answers are ever given to another person, so that a node which answers falsely, or a guess at what
    somebody asked, reaches nobody else.
    """

    def __init__(self, clock: Clock, *, most_bytes: int = KEPT_BYTES, most: int = KEPT_ANSWERS) -> None:
        self._clock = clock
        self._most_bytes, self._most = most_bytes, most
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0

    def find(self, key: str) -> tuple[Piece, ...] | None:
        """The pieces of a whole answer, the last with its end; None when there is none, or it is too old."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until <= self._clock.monotonic():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept.pieces

    def keep(self, key: str, pieces: Sequence[Piece]) -> None:
        """Remember a whole answer."""
        size = sum(map(size_of, pieces)) + len(key)
        if size > min(ANSWER_BYTES, self._most_bytes):
            return
        self._drop(key)
        self._kept[key] = _Kept(tuple(pieces), size, self._clock.monotonic() + KEPT_S)
        self._bytes += size
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        kept = self._kept.pop(key, None)
        self._bytes -= kept.size if kept else 0


def key_of(caller: Caller, request: TextRequest | EmbedRequest, digest: str) -> str | None:
    """What must be the same: person, model by its digest, every parameter, every message, tool and picture.

    None for what is never kept: a request that may be answered in another way the next time by its own parameters, one
    that is very long, and models without a digest, of which nobody knows whether they are the same.
    """
    if not digest or not is_repeatable(request) or _length(request) > REQUEST_CHARACTERS:
        return None
    who = caller.user_id if caller.user_id is not None else f"{caller.credential}:{caller.name}"
    # A frozen dataclass writes out all of its fields, with texts quoted: different requests have different texts.
    text = repr((who, digest, replace(request, model=ModelName(""))))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_repeatable(request: TextRequest | EmbedRequest) -> bool:
    """Whether its own parameters ask for the same answer each time."""
    if isinstance(request, EmbedRequest):
        return True
    return request.sampling.temperature == 0 or request.sampling.seed is not None


def size_of(piece: Piece) -> int:
    """About how many bytes a piece takes."""
    if isinstance(piece, EmbedReply):
        return PIECE_BYTES + sum(map(len, piece.vectors)) * FLOAT_BYTES
    calls = sum(len(call.name) + len(str(call.arguments)) for call in piece.tool_calls)
    return PIECE_BYTES + 4 * (len(piece.text) + len(piece.thinking) + calls)


def _length(request: TextRequest | EmbedRequest) -> int:
    if isinstance(request, EmbedRequest):
        return sum(map(len, request.inputs))
    if isinstance(request, ChatRequest):
        said = sum(len(each.content) + len(each.thinking) + sum(map(len, each.images)) for each in request.messages)
        return said + sum(len(str(call)) for each in request.messages for call in each.tool_calls)
    return len(request.prompt) + len(request.suffix)
