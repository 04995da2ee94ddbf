"""How a pretended model speaks: which tokens, at what pace, and what that adds up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from halext.testing import words
from halext.testing.models import FakeModel
from halext.testing.runner import Runner
from halext.types import Clock


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer."""

    text: str = ""
    thinking: str = ""
    tool_calls: Sequence[dict[str, Any]] = ()


@dataclass(slots=True)
class Stats:
    """What an answer took. `prompt_tokens` includes the cached ones, `prompt_s` is only for the others."""

    load_s: float = 0.0
    wait_s: float = 0.0
    prompt_s: float = 0.0
    eval_s: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    eval_tokens: int = 0
    context: list[int] = field(default_factory=list)


def choose_tokens(
    model: FakeModel,
    seed: str,
    prompt: str,
    *,
    schema: Any = None,
    stop: Sequence[str] = (),
    limit: int | None = None,
) -> tuple[list[str], bool]:
    """The answer's tokens, and whether `limit` cut them short. `schema` asks for JSON."""
    if schema:
        tokens = words.json_tokens(schema, model.structured)
    elif model.script is not None:
        tokens = list(model.script)
    else:
        tokens = words.answer(seed, prompt, model.answer_tokens)
    tokens = words.cut_at_stop(tokens, stop)
    if limit is not None and 0 < limit < len(tokens):
        return tokens[:limit], True
    return tokens, False


async def read_prompt(runner: Runner, clock: Clock, prompt: Sequence[str], stats: Stats) -> None:
    """Take the time that the prompt takes; what a slot's cache holds costs nothing."""
    stats.prompt_tokens = len(prompt)
    stats.cached_tokens = runner.cached_tokens(prompt)
    stats.prompt_s = (len(prompt) - stats.cached_tokens) / runner.model.prefill_per_s
    await clock.sleep(stats.prompt_s)


class Pace:
    """The rate of one stream: `token` returns when the next one is due. A late one does not delay those after it."""

    def __init__(self, runner: Runner, clock: Clock, stats: Stats) -> None:
        self._runner = runner
        self._clock = clock
        self._stats = stats
        self._due = clock.monotonic()

    async def token(self) -> None:
        """Wait for the next token and count it."""
        token_s = self._runner.token_s()
        self._due += token_s
        await self._clock.sleep(max(self._due - self._clock.monotonic(), 0.0))
        self._stats.eval_s += token_s
        self._stats.eval_tokens += 1


def joined(pieces: Sequence[Piece], calls: Sequence[dict[str, Any]] = ()) -> Piece:
    """One piece for all of them."""
    return Piece("".join(p.text for p in pieces), "".join(p.thinking for p in pieces), calls)
