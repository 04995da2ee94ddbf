"""The part of the fake Ollama that makes models work: chat, generate, embed, load and unload."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from halext.testing import words
from halext.testing.fake import Call, Refusal
from halext.testing.models import FakeModel
from halext.testing.ollama_disk import Disk
from halext.testing.ollama_fields import TEXTS, keep_alive_s, nanoseconds
from halext.testing.ollama_replies import Voice, encode, line, stream_shape
from halext.testing.runner import Runner, RunnerOptions
from halext.testing.scheduler import Busy, LoadFailed, Scheduler
from halext.testing.speech import Pace, Piece, Stats, choose_tokens, joined, read_prompt
from halext.testing.stream import CutShort, Ended
from halext.testing.timeline import EntryKind
from halext.types import Clock

Note = Callable[[Call, EntryKind, str], None]
FIRST_VERSION_WITH_CACHED_COUNT = (0, 30)


class Engine:
    """Answers with what is on `disk`, by way of `scheduler`."""

    def __init__(
        self,
        *,
        disk: Disk,
        scheduler: Scheduler,
        clock: Clock,
        note: Note,
        seed: int,
        version: tuple[int, ...],
    ) -> None:
        self._disk = disk
        self._scheduler = scheduler
        self._clock = clock
        self._note = note
        self._seed = seed
        self._version = version

    async def chat(self, call: Call) -> None:
        """`/api/chat`."""
        if not call.body.get("model"):
            raise Refusal(400, "model is required")
        messages = call.body.get("messages") or []
        prompt = "\n".join(f"{turn.get('role', '')}: {turn.get('content') or ''}" for turn in messages)
        await self._text(call, prompt if messages else "", is_chat=True)

    async def generate(self, call: Call) -> None:
        """`/api/generate`."""
        parts = (call.body.get("system"), call.body.get("prompt"), call.body.get("suffix"))
        await self._text(call, "\n".join(part for part in parts if part), is_chat=False)

    async def embed(self, call: Call) -> None:
        """`/api/embed`: its internal failures are 400s too."""
        model = self._disk.find(call.body, trying=True)
        given = call.body.get("input")
        texts = [given] if isinstance(given, str) else list(given or [])
        texts = [] if given == "" else texts
        async with self._runner(call, model, embeds=True) as (runner, load_s):
            vectors, tokens, seconds = await self._vectors(call, runner, texts)
        body: dict[str, Any] = {"model": call.body["model"], "embeddings": vectors}
        if texts:
            times = {"total_duration": nanoseconds(load_s + seconds), "load_duration": nanoseconds(load_s)}
            body |= {**times, "prompt_eval_count": tokens}
        await self._finish(call, encode(body))

    async def legacy_embed(self, call: Call) -> None:
        """`/api/embeddings`: one prompt, one vector."""
        model = self._disk.find(call.body, trying=True)
        prompt = call.body.get("prompt") or ""
        async with self._runner(call, model, embeds=True) as (runner, _):
            vectors, _, _ = await self._vectors(call, runner, [prompt] if prompt else [])
        await self._finish(call, encode({"embedding": vectors[0] if vectors else []}))

    async def _text(self, call: Call, prompt: str, *, is_chat: bool) -> None:
        model = self._disk.find(call.body)
        voice = Voice(call.body["model"], is_chat=is_chat)
        if not prompt and keep_alive_s(call.body.get("keep_alive")) == 0:
            self._scheduler.expire(model.name)
            await self._finish(call, encode(voice.last(Piece(), self._clock.now(), "unload")))
            return
        check_abilities(model, call.body, is_chat=is_chat)
        call.answer.shape = stream_shape(voice, self._clock.now())
        call.answer.one_shot = call.body.get("stream") is False
        async with self._runner(call, model) as (runner, load_s):
            if not prompt:
                await self._finish(call, encode(voice.last(Piece(), self._clock.now(), "load")))
                return
            stats = Stats(load_s=load_s, wait_s=await self._enter(call, runner))
            try:
                await self._speak(call, runner, voice, prompt.split(), stats)
            finally:
                runner.leave()

    @asynccontextmanager
    async def _runner(
        self, call: Call, model: FakeModel, *, embeds: bool = False
    ) -> AsyncIterator[tuple[Runner, float]]:
        """A runner for as long as the request needs one; the scheduler's refusals in Ollama's words."""
        call.model = model.name
        options = RunnerOptions.of(model, call.body.get("options") or {}, call.body.get("shift"))
        try:
            runner, load_s = await self._scheduler.acquire(
                model,
                options,
                keep_alive_s=keep_alive_s(call.body.get("keep_alive")),
                request=call.number,
            )
        except Busy:
            raise Refusal(503, TEXTS[503]) from None
        except LoadFailed as failure:
            raise Refusal(400 if embeds else 500, str(failure)) from None
        try:
            yield runner, load_s
        except Ended as ended:
            if ended.fault.kind == "oom":
                self._scheduler.expire_all()
            raise
        finally:
            self._scheduler.release(runner)

    async def _enter(self, call: Call, runner: Runner) -> float:
        """Wait for a slot; the seconds that took."""
        if not runner.is_full:
            await runner.enter()
            return 0.0
        self._note(call, "wait", "slot")
        began = self._clock.monotonic()
        await runner.enter()
        return self._clock.monotonic() - began

    async def _speak(self, call: Call, runner: Runner, voice: Voice, prompt: list[str], stats: Stats) -> None:
        """The whole answer, from the prompt to the last line."""
        model, answer = runner.model, call.answer
        kept = self._truncate(prompt, runner.num_ctx, call.body)
        await read_prompt(runner, self._clock, kept, stats)
        if stats.cached_tokens and self._version < FIRST_VERSION_WITH_CACHED_COUNT:
            stats.prompt_tokens = 0
        tokens, reason = self._tokens(model, " ".join(prompt), call.body)
        said: list[Piece] = []
        try:
            pieces = [*(Piece(thinking=text) for text in thoughts(model, call.body)), *(Piece(text) for text in tokens)]
            await self._say(call, pieces, Pace(runner, self._clock, stats), voice, said)
            runner.remember([*kept, *tokens])
            stats.context = [] if voice.is_chat else list(range(len(kept) + len(tokens)))
            calls = tool_calls(model, call.body)
            closing = joined(said, calls) if answer.one_shot else Piece(tool_calls=calls)
            last = line(voice.last(closing, self._clock.now(), reason, stats))
            await answer.reach("before_done", last)
        except CutShort:
            if not answer.one_shot:
                raise
            await answer.finish(encode(voice.part(joined(said), self._clock.now())))
            return
        self._mark_done(call)
        await answer.finish(last)

    async def _say(self, call: Call, pieces: Sequence[Piece], pace: Pace, voice: Voice, said: list[Piece]) -> None:
        for k, piece in enumerate(pieces, 1):
            await pace.token()
            if k == 1:
                self._note(call, "first_token", "")
            await call.answer.send(k, line(voice.part(piece, self._clock.now())))
            said.append(piece)

    def _truncate(self, prompt: list[str], num_ctx: int, body: Mapping[str, Any]) -> list[str]:
        if len(prompt) > num_ctx and body.get("truncate") is False:
            raise Refusal(400, "the input length exceeds the context length")
        return prompt[-num_ctx:]

    def _tokens(self, model: FakeModel, prompt: str, body: Mapping[str, Any]) -> tuple[list[str], str]:
        """The answer's tokens, and why they end."""
        options = body.get("options") or {}
        tokens, is_cut = choose_tokens(
            model,
            f"{self._seed}/{options.get('seed', '')}",
            prompt,
            schema=body.get("format"),
            stop=options.get("stop") or [],
            limit=options.get("num_predict"),
        )
        return tokens, "length" if is_cut else "stop"

    async def _vectors(self, call: Call, runner: Runner, texts: Sequence[str]) -> tuple[list[list[float]], int, float]:
        """A vector per text, the tokens read, and the seconds that took with the wait for a slot."""
        length = call.body.get("dimensions") or runner.model.embedding_length
        tokens = sum(words.count_tokens(text) for text in texts)
        if any(words.count_tokens(text) > runner.num_ctx for text in texts) and call.body.get("truncate") is False:
            raise Refusal(400, "the input length exceeds the context length")
        wait_s = await self._enter(call, runner)
        try:
            call.answer.one_shot = True
            await self._clock.sleep(tokens / runner.model.prefill_per_s)
            await call.answer.reach(1)
        finally:
            runner.leave()
        return [words.vector(text, length) for text in texts], tokens, wait_s + tokens / runner.model.prefill_per_s

    async def _finish(self, call: Call, body: bytes) -> None:
        call.answer.one_shot = True
        await call.answer.reach("before_done", body)
        self._mark_done(call)
        await call.answer.finish(body)

    def _mark_done(self, call: Call) -> None:
        call.is_done = True
        self._note(call, "done", "")


def check_abilities(model: FakeModel, body: Mapping[str, Any], *, is_chat: bool) -> None:
    """Refuse what the model can't do, in Ollama's words."""
    name = body["model"]
    if model.remote_host:
        raise Refusal(401, "unauthorized")
    if not model.can("completion"):
        raise Refusal(400, f'"{name}" does not support {"chat" if is_chat else "generate"}')
    if body.get("tools") and not model.can("tools"):
        raise Refusal(400, f"registry.ollama.ai/library/{model.name} does not support tools")
    if body.get("think") and not model.can("thinking"):
        raise Refusal(400, f'"{name}" does not support thinking')
    if body.get("suffix") and not model.can("insert"):
        raise Refusal(400, f"registry.ollama.ai/library/{model.name} does not support insert")
    wanted = body.get("format")
    if wanted and wanted != "json" and not isinstance(wanted, Mapping):
        raise Refusal(500, 'invalid format: expected "json" or a JSON schema')


def thoughts(model: FakeModel, body: Mapping[str, Any]) -> Sequence[str]:
    """A thinking model thinks unless it was told not to."""
    return model.thoughts if model.can("thinking") and body.get("think") is not False else ()


def tool_calls(model: FakeModel, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The scripted calls, when the request offers tools."""
    if not body.get("tools"):
        return []
    return [
        {"id": f"call_{index}", "function": {"index": index, "name": name, "arguments": dict(arguments)}}
        for index, (name, arguments) in enumerate(model.tool_calls)
    ]
