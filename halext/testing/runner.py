"""One model in the memory of the fake Ollama: its slots, its cache, its keep-alive."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from halext.testing.models import FakeModel
from halext.types import Json

RELOAD_OPTIONS = ("num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict", "shift")
"""Options that a runner is started with, beside num_ctx: to change one is to load the model again."""

MIN_CTX, MIN_VISION_CTX = 4, 2048
GIB = 2**30


def tier_ctx(memory_bytes: int) -> int:
    """Ollama's own num_ctx for a machine with so much GPU memory."""
    if memory_bytes < 23 * GIB:
        return 4096
    return 32_768 if memory_bytes < 48 * GIB else 262_144


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """What a request needs its runner to have been started with. `num_ctx` None leaves it to the server."""

    num_ctx: int | None = None
    others: tuple[Json, ...] = (None,) * len(RELOAD_OPTIONS)

    @classmethod
    def of(cls, model: FakeModel, options: Mapping[str, Json], shift: Json = None) -> RunnerOptions:
        """The options of a request, over the model file's."""
        merged = {**model.parameters, **options, **({} if shift is None else {"shift": shift})}
        gpu = merged.get("num_gpu")
        if isinstance(gpu, int) and gpu < 0:
            merged["num_gpu"] = None
        num_ctx = merged.get("num_ctx")
        if isinstance(num_ctx, int) and num_ctx > 0:
            floor = MIN_VISION_CTX if model.can("vision") else MIN_CTX
            num_ctx = min(max(num_ctx, floor), model.context_length)
        else:
            num_ctx = None
        return cls(num_ctx, tuple(merged.get(name) for name in RELOAD_OPTIONS))


class Runner:
    """A loaded model. `refs` counts its requests, `keep_alive_s` is infinite for ever."""

    def __init__(
        self, model: FakeModel, options: RunnerOptions, *, server_ctx: int, slots: int, keep_alive_s: float
    ) -> None:
        self.model = model
        self.options = options
        self.server_ctx = min(server_ctx, model.context_length)
        self.num_ctx = options.num_ctx or self.server_ctx
        self.slots = 1 if model.is_single_slot else slots
        self.keep_alive_s = keep_alive_s
        self.expires_at: float | None = None
        self.vram_bytes = 0
        self.refs = 0
        self.active = 0
        self.stop_expiry: Callable[[], object] | None = None
        self._free = asyncio.Semaphore(self.slots)
        self._prompts: deque[Sequence[str]] = deque(maxlen=self.slots)

    @property
    def size_bytes(self) -> int:
        """Weights plus the cache of every slot."""
        return self.model.size_bytes + self.model.kv_bytes_per_token * self.num_ctx * self.slots

    @property
    def is_full(self) -> bool:
        """Whether the next request has to wait for a slot."""
        return self._free.locked()

    def fits(self, options: RunnerOptions) -> bool:
        """Whether a request with these options can use this runner as it is."""
        if options.others != self.options.others:
            return False
        if options.num_ctx is None and self.options.num_ctx is None:
            return True  # also when the automatic value had to shrink
        return (options.num_ctx or self.server_ctx) == self.num_ctx

    async def enter(self) -> None:
        """Wait for a slot, first come, first served."""
        await self._free.acquire()
        self.active += 1

    def leave(self) -> None:
        """Give the slot back."""
        self.active -= 1
        self._free.release()

    def token_s(self) -> float:
        """Seconds per token of one stream at the present concurrency."""
        return (1 + self.model.slowdown * max(self.active - 1, 0)) / self.model.tokens_per_s

    def cached_tokens(self, prompt: Sequence[str]) -> int:
        """How much of the prompt's beginning is in a slot's cache; at least one token is always evaluated."""
        longest = max((_common_prefix(prompt, old) for old in self._prompts), default=0)
        return max(min(longest, len(prompt) - 1), 0)

    def remember(self, tokens: Sequence[str]) -> None:
        """Keep a prompt and its answer in the cache."""
        self._prompts.append(tokens)

    def eviction_order(self) -> tuple[bool, float, str]:
        """The smallest goes first: idle before busy, then the shortest keep-alive, then by hash; never by last use."""
        keep = self.keep_alive_s if self.keep_alive_s >= 0 else math.inf
        return (self.refs > 0, keep, self.model.digest)


def _common_prefix(one: Sequence[str], other: Sequence[str]) -> int:
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in same)
