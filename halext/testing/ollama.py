"""A fake Ollama on a real socket, that queues, loads, evicts and misbehaves the way Ollama does.

In a test:

    async with FakeOllama([FakeModel("llama3.2:3b", script=["Hel", "lo"])], slots=2) as ollama:
        ollama.faults.at(2, "reset")
        ...                                  # point a client at ollama.url
        await ollama.timeline.wait_for("cancelled")

By hand: `python -m halext.testing.ollama --port 11434 --model llama3.2:3b`.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Unpack

from halext.testing.clock import ScaledClock
from halext.testing.fake import Call, Common, Fake, Refusal, Route
from halext.testing.models import FakeModel, tagged
from halext.testing.ollama_disk import Disk
from halext.testing.ollama_engine import Engine
from halext.testing.ollama_fields import FOREVER_S, host_allowed, keep_alive_s, version_key
from halext.testing.ollama_replies import (
    Voice,
    encode,
    line,
    ps_row,
    show_body,
    stream_shape,
    tag_row,
)
from halext.testing.runner import Runner, RunnerOptions, tier_ctx
from halext.testing.scheduler import Machine, Scheduler
from halext.testing.standalone import argument_parser, models_of, run
from halext.testing.stream import Shape

__all__ = ["FakeModel", "FakeOllama"]

PULL_STEPS = 4


class FakeOllama(Fake):
    """One Ollama server. Sizes in bytes; times are seconds on `clock`, which runs 100 times as fast by default.

    `slots` is OLLAMA_NUM_PARALLEL, `max_queue` OLLAMA_MAX_QUEUE, `max_loaded` OLLAMA_MAX_LOADED_MODELS, `num_ctx`
    OLLAMA_CONTEXT_LENGTH (by default chosen by `memory_bytes`, as Ollama does). `version` picks the behaviour of 0.9,
    0.13 or 0.30 and later. `library` are models that can be pulled, in `pull_s`. `host_rule` makes it refuse a foreign
    Host header, as Ollama does on loopback.
    """

    work_paths = frozenset({"/api/chat", "/api/generate", "/api/embed", "/api/embeddings"})

    def __init__(
        self,
        models: Sequence[FakeModel | str] = ("llama3.2:3b",),
        *,
        slots: int = 1,
        max_queue: int = 512,
        max_loaded: int = 3,
        memory_bytes: int = 16 * 2**30,
        system_bytes: int = 32 * 2**30,
        num_ctx: int | None = None,
        keep_alive_s: float = 300.0,
        vram_wait_s: float = 0.5,
        version: str = "0.33.0",
        library: Sequence[FakeModel | str] = (),
        pull_s: float = 4.0,
        host_rule: bool = False,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.version = version
        self.host_rule = host_rule
        self.pull_s = pull_s
        self.machine = Machine(
            memory_bytes=memory_bytes,
            system_bytes=system_bytes,
            slots=slots,
            max_queue=max_queue,
            max_loaded=max_loaded,
            keep_alive_s=keep_alive_s,
            num_ctx=num_ctx or tier_ctx(memory_bytes),
            vram_wait_s=vram_wait_s,
        )
        self.disk = Disk(models, library, self.clock.now())
        self._scheduler: Scheduler
        self._engine: Engine

    @property
    def loaded(self) -> list[str]:
        """Names of the models in memory."""
        return list(self._scheduler.loaded)

    @property
    def cold_waiting(self) -> int:
        """Places taken in the queue for loads, also by those who left; the one being served is not counted."""
        return self._scheduler.cold_waiting

    def add(self, model: FakeModel) -> None:
        """Put a model on the disk, or another one in its place."""
        self.disk.add(model, self.clock.now())

    def remove(self, name: str) -> None:
        """Take a model off the disk; one in memory stays there."""
        self.disk.remove(name)

    @contextlib.asynccontextmanager
    async def occupied(self, name: str, **options: Any) -> AsyncIterator[None]:
        """Someone else uses a slot of this model (and loads it when cold), past whoever is being tested."""
        model, _ = self.disk.get(name)
        runner, _ = await self._scheduler.acquire(model, RunnerOptions.of(model, options))
        try:
            await runner.enter()
            try:
                yield
            finally:
                runner.leave()
        finally:
            self._scheduler.release(runner)

    def _boot(self) -> None:
        self._scheduler = Scheduler(self.machine, self.clock, self.timeline, self._spawn, self.faults.take_load)
        self._engine = Engine(
            disk=self.disk,
            scheduler=self._scheduler,
            clock=self.clock,
            note=self._note,
            seed=self.seed,
            version=version_key(self.version),
        )
        self._spawn(self._scheduler.run())

    def _routes(self) -> Mapping[str, Mapping[str, Route]]:
        engine = self._engine
        return {
            "/": {"GET": self._root, "HEAD": self._root},
            "/api/version": {"GET": self._version, "HEAD": self._version},
            "/api/tags": {"GET": self._tags, "HEAD": self._tags},
            "/api/ps": {"GET": self._ps},
            "/api/show": {"POST": self._show},
            "/api/chat": {"POST": engine.chat},
            "/api/generate": {"POST": engine.generate},
            "/api/embed": {"POST": engine.embed},
            "/api/embeddings": {"POST": engine.legacy_embed},
            "/api/pull": {"POST": self._pull},
            "/api/copy": {"POST": self._copy},
            "/api/delete": {"DELETE": self._delete},
        }

    def _shape(self, path: str) -> Shape:
        voice = Voice("", is_chat=path == "/api/chat")
        return stream_shape(voice, self.clock.now(), failure_status=400 if path == "/api/embed" else 500)

    def _error_body(self, refusal: Refusal) -> bytes:
        return encode({"error": refusal.text}) if refusal.text else b""

    def _full_name(self, model: str) -> str:
        return tagged(model) if model else ""

    async def _admit(self, call: Call) -> None:
        if self.host_rule and not host_allowed(call.request.headers.get("host", "")):
            raise Refusal(403, "")
        await super()._admit(call)
        if call.request.method == "POST":
            _check_json(call)

    async def _root(self, call: Call) -> None:
        await call.exchange.send(200, b"Ollama is running", content_type="text/plain; charset=utf-8")

    async def _version(self, call: Call) -> None:
        await call.exchange.send(200, encode({"version": self.version}))

    async def _tags(self, call: Call) -> None:
        modern = version_key(self.version) >= (0, 30)
        rows = [tag_row(model, at, modern=modern) for model, at in self.disk.rows()]
        await call.exchange.send(200, encode({"models": rows}))

    async def _ps(self, call: Call) -> None:
        version = version_key(self.version)
        runners = list(self._scheduler.loaded.values())
        if version < (0, 30) and self._scheduler.loading is not None:
            runners.append(self._scheduler.loading)
        expiries = sorted(((self._expires_at(runner), runner) for runner in runners), key=lambda pair: -pair[0])
        rows = [ps_row(runner, at, says_context=version >= (0, 9, 7)) for at, runner in expiries]
        await call.exchange.send(200, encode({"models": rows}))

    def _expires_at(self, runner: Runner) -> float:
        if runner.expires_at is not None:
            return runner.expires_at
        keep_s = runner.keep_alive_s if math.isfinite(runner.keep_alive_s) else FOREVER_S
        return self.clock.now() + keep_s

    async def _show(self, call: Call) -> None:
        model, at = self.disk.get(str(call.body.get("model") or call.body.get("name") or ""))
        await call.exchange.send(200, encode(show_body(model, at)))

    async def _copy(self, call: Call) -> None:
        self.disk.copy(str(call.body.get("source")), str(call.body.get("destination")), self.clock.now())
        await call.exchange.send(200)

    async def _delete(self, call: Call) -> None:
        name = str(call.body.get("model") or call.body.get("name") or "")
        if not self.disk.remove(name):
            raise Refusal(404, f"model '{name}' not found")
        await call.exchange.send(200)

    async def _pull(self, call: Call) -> None:
        name = str(call.body.get("model") or call.body.get("name") or "")
        one_shot = call.body.get("stream") is False
        last: dict[str, Any] = {}
        async for last in self._pull_states(self.disk.in_library(name)):
            if not one_shot:
                await call.answer.send(1, line(last))
        if not one_shot:
            await call.answer.finish(b"")
        else:
            await call.exchange.send(500 if "error" in last else 200, encode(last))

    async def _pull_states(self, model: FakeModel | None) -> AsyncIterator[dict[str, Any]]:
        yield {"status": "pulling manifest"}
        if model is None:
            yield {"error": "pull model manifest: file does not exist"}
            return
        digest = f"sha256:{model.digest}"
        for step in range(PULL_STEPS + 1):
            done = {"completed": model.size_bytes * step // PULL_STEPS} if step else {}
            yield {"status": f"pulling {model.digest[:12]}", "digest": digest, "total": model.size_bytes, **done}
            if step < PULL_STEPS:
                await self.clock.sleep(self.pull_s / PULL_STEPS)
        yield {"status": "verifying sha256 digest"}
        yield {"status": "writing manifest"}
        self.add(model)
        yield {"status": "success"}


def _check_json(call: Call) -> None:
    """Refuse what is no JSON object, and a keep_alive that can't be read, as Ollama does before anything else."""
    if not call.request.body:
        raise Refusal(400, "missing request body")
    try:
        value = call.request.json()
    except ValueError:
        raise Refusal(400, "invalid character in the request body") from None
    if not isinstance(value, dict):
        raise Refusal(400, "json: cannot unmarshal the request body into an object")
    keep_alive_s(value.get("keep_alive"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one until Ctrl-C or SIGTERM."""
    parser = argument_parser("halext.testing.ollama", "A fake Ollama for tests.", port=11434)
    parser.add_argument("--slots", type=int, default=1, help="requests per model at once (default: 1)")
    parser.add_argument("--max-queue", type=int, default=512, help="cold requests that may wait (default: 512)")
    parser.add_argument("--memory-gib", type=float, default=16, help="GPU memory in GiB (default: 16)")
    args = parser.parse_args(argv)
    models = models_of(args)
    memory_bytes = int(args.memory_gib * 2**30)
    clock = ScaledClock(args.scale)
    return run(
        lambda: FakeOllama(
            models,
            slots=args.slots,
            max_queue=args.max_queue,
            memory_bytes=memory_bytes,
            clock=clock,
            seed=args.seed,
            port=args.port,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
