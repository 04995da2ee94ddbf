"""A fake OpenAI-like server on a real socket: `llama-server` of llama.cpp, or a plain one.

In a test:

    async with FakeOpenAI(["qwen2.5"], flavour="llama.cpp", slots=2) as server:
        server.faults.at(3, "eof")           # the next answer ends after two tokens without [DONE]
        ...                                  # point a client at server.base_url

By hand: `python -m halext.testing.openai --port 8080 --model qwen2.5`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from halext.testing import words
from halext.testing.clock import ScaledClock
from halext.testing.fake import Call, Common, Fake, Refusal, Route
from halext.testing.models import FakeModel, as_models
from halext.testing.openai_replies import (
    DONE,
    Flavour,
    Voice,
    embedding,
    encode,
    error,
    event,
    model_row,
    props_body,
    slot_rows,
    stream_shape,
    timings,
    tool_deltas,
    whole_tool_calls,
)
from halext.testing.runner import Runner, RunnerOptions
from halext.testing.speech import Pace, Piece, Stats, choose_tokens, joined, read_prompt
from halext.testing.standalone import argument_parser, models_of, run
from halext.testing.stream import CutShort, Shape

__all__ = ["FakeModel", "FakeOpenAI"]

CREATED = 1_780_000_000
"""Every model's `created`."""


class FakeOpenAI(Fake):
    """One OpenAI-like server. Times are seconds on `clock`, which runs 100 times as fast by default.

    `slots` requests run at once per model, the others wait in line. The flavour `llama.cpp` adds `/health`, `/slots`
    (unless `slots_endpoint` is off), `/props` and timings, answers 503 "Loading model" for `load_s` after its start,
    and with one model does not care which name a request gives.
    """

    work_paths = frozenset({"/v1/chat/completions", "/v1/completions", "/v1/embeddings"})

    def __init__(
        self,
        models: Sequence[FakeModel | str] = ("llama3.2:3b",),
        *,
        flavour: Flavour = "llama.cpp",
        slots: int = 1,
        num_ctx: int = 4096,
        load_s: float = 0.0,
        slots_endpoint: bool = True,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.flavour: Flavour = flavour
        self.slots = slots
        self.num_ctx = num_ctx
        self.load_s = load_s
        self.slots_endpoint = slots_endpoint
        self.models = {model.name: model for model in as_models(models)}
        self._runners: dict[str, Runner] = {}
        self._is_ready = False

    @property
    def base_url(self) -> str:
        """What the official client wants: with `/v1`."""
        return f"{self.url}/v1"

    def _boot(self) -> None:
        self._runners.clear()
        self._is_ready = self.load_s == 0
        if not self._is_ready:
            self._spawn(self._load())

    async def _load(self) -> None:
        await self.clock.sleep(self.load_s)
        self._is_ready = True

    def _routes(self) -> Mapping[str, Mapping[str, Route]]:
        routes: dict[str, Mapping[str, Route]] = {
            "/v1/models": {"GET": self._list_models},
            "/v1/models/": {"GET": self._one_model},
            "/v1/chat/completions": {"POST": self._chat},
            "/v1/completions": {"POST": self._complete},
            "/v1/embeddings": {"POST": self._embed},
        }
        if self.flavour == "llama.cpp":
            routes |= {
                "/health": {"GET": self._health},
                "/slots": {"GET": self._slots},
                "/props": {"GET": self._props},
            }
        return routes

    def _route_path(self, path: str) -> str:
        return "/v1/models/" if path.startswith("/v1/models/") else path

    def _shape(self, path: str) -> Shape:
        return stream_shape(self.flavour, Voice(0, "", CREATED, is_chat=path == "/v1/chat/completions"))

    def _error_body(self, refusal: Refusal) -> bytes:
        return encode(error(self.flavour, refusal.status, refusal.text, refusal.code))

    async def _unrouted(self, call: Call, *, wrong_method: bool) -> None:  # noqa: ARG002 - both are 404 here
        raise Refusal(404, "File Not Found" if self.flavour == "llama.cpp" else "Unknown request URL", "unknown_url")

    async def _admit(self, call: Call) -> None:
        if call.request.path != "/health":  # llama-server lets everyone ask for its health
            await super()._admit(call)
        if not self._is_ready:
            raise Refusal(503, "Loading model")
        if call.request.method == "POST" and not call.body:
            raise Refusal(400, "the request body is no JSON object")

    def _find(self, name: str) -> FakeModel:
        if self.flavour == "llama.cpp" and len(self.models) == 1:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise Refusal(404, f"The model `{name}` does not exist", "model_not_found")
        return self.models[name]

    def _runner(self, model: FakeModel) -> Runner:
        if model.name not in self._runners:
            self._runners[model.name] = Runner(
                model, RunnerOptions(), server_ctx=self.num_ctx, slots=self.slots, keep_alive_s=math.inf
            )
        return self._runners[model.name]

    async def _health(self, call: Call) -> None:
        await call.exchange.send(200, encode({"status": "ok"}))

    async def _slots(self, call: Call) -> None:
        if not self.slots_endpoint:
            raise Refusal(501, "This server does not support slots endpoint. Start it with `--slots`")
        await call.exchange.send(200, encode(slot_rows(self._runner(next(iter(self.models.values()))))))

    async def _props(self, call: Call) -> None:
        await call.exchange.send(200, encode(props_body(self._runner(next(iter(self.models.values()))))))

    async def _list_models(self, call: Call) -> None:
        rows = [model_row(model, self.flavour, CREATED) for model in self.models.values()]
        await call.exchange.send(200, encode({"object": "list", "data": rows}))

    async def _one_model(self, call: Call) -> None:
        name = call.request.path.removeprefix("/v1/models/")
        if name not in self.models:
            raise Refusal(404, f"The model `{name}` does not exist", "model_not_found")
        await call.exchange.send(200, encode(model_row(self.models[name], self.flavour, CREATED)))

    async def _chat(self, call: Call) -> None:
        messages = call.body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise Refusal(400, "'messages' is required")
        prompt = "\n".join(f"{turn.get('role', '')}: {text_of(turn.get('content'))}" for turn in messages)
        await self._text(call, prompt, is_chat=True)

    async def _complete(self, call: Call) -> None:
        prompt = call.body.get("prompt")
        if prompt is None:
            raise Refusal(400, "'prompt' is required")
        await self._text(call, prompt if isinstance(prompt, str) else str(prompt), is_chat=False)

    async def _text(self, call: Call, prompt: str, *, is_chat: bool) -> None:
        model = self._find(call.model)
        if not model.can("completion"):
            raise Refusal(400, "This server does not support completions. Start it without `--embeddings`")
        voice = Voice(call.number, call.model or model.name, int(self.clock.now()), is_chat=is_chat)
        call.answer.shape = stream_shape(self.flavour, voice)
        call.answer.one_shot = call.body.get("stream") is not True
        runner = self._runner(model)
        stats = Stats()
        read = prompt.split()
        if len(read) > runner.num_ctx:
            raise Refusal(400, "the request exceeds the available context size, try increasing it")
        await self._enter(call, runner)
        try:
            await read_prompt(runner, self.clock, read, stats)
            await self._speak(call, runner, voice, prompt, stats)
        finally:
            runner.leave()

    async def _enter(self, call: Call, runner: Runner) -> None:
        if runner.is_full:
            self._note(call, "wait", "slot")
        await runner.enter()

    async def _speak(self, call: Call, runner: Runner, voice: Voice, prompt: str, stats: Stats) -> None:
        model, answer = runner.model, call.answer
        tokens, finish = self._tokens(model, prompt, call.body)
        calls = model.tool_calls if call.body.get("tools") else ()
        pieces = [Piece(text) for text in tokens]
        if model.can("thinking"):
            pieces = [*(Piece(thinking=text) for text in model.thoughts), *pieces]
        streamed = [*pieces, *(Piece(tool_calls=[delta]) for delta in tool_deltas(calls))]
        finish = "tool_calls" if calls else finish
        said: list[Piece] = []
        try:
            await self._say(call, streamed, Pace(runner, self.clock, stats), voice, said)
            runner.remember([*prompt.split(), *tokens])
            whole = joined([piece for piece in said if not piece.tool_calls], whole_tool_calls(calls))
            closing = self._closing(call, voice, whole, finish, stats)
            await answer.reach("before_done", closing)
        except CutShort:
            if not answer.one_shot:
                raise
            await answer.finish(encode(voice.whole(joined(said), None, stats)))
            return
        call.is_done = True
        self._note(call, "done")
        await answer.finish(closing, tail=DONE)

    async def _say(self, call: Call, pieces: Sequence[Piece], pace: Pace, voice: Voice, said: list[Piece]) -> None:
        for k, piece in enumerate(pieces, 1):
            await pace.token()
            opening = event(voice.opening()) if k == 1 and voice.is_chat else b""
            if k == 1:
                self._note(call, "first_token")
            await call.answer.send(k, opening + event(voice.chunk(piece)))
            said.append(piece)

    def _closing(self, call: Call, voice: Voice, whole: Piece, finish: str, stats: Stats) -> bytes:
        """The chunk with the finish reason and, if asked for, the one with the usage; or the whole body."""
        extra = {"timings": timings(stats)} if self.flavour == "llama.cpp" else {}
        if call.answer.one_shot:
            return encode(voice.whole(whole, finish, stats) | extra)
        last = voice.chunk(Piece(), finish)
        if not (call.body.get("stream_options") or {}).get("include_usage"):
            return event(last | extra)
        return event(last) + event(voice.usage_chunk(stats) | extra)

    def _tokens(self, model: FakeModel, prompt: str, body: Mapping[str, Any]) -> tuple[list[str], str]:
        stop = body.get("stop") or []
        tokens, is_cut = choose_tokens(
            model,
            f"{self.seed}/{body.get('seed', '')}",
            prompt,
            schema=schema_of(body.get("response_format")),
            stop=[stop] if isinstance(stop, str) else stop,
            limit=body.get("max_completion_tokens") or body.get("max_tokens"),
        )
        return tokens, "length" if is_cut else "stop"

    async def _embed(self, call: Call) -> None:
        model = self._find(call.model)
        given = call.body.get("input")
        if given is None:
            raise Refusal(400, '"input" must be provided')
        texts = [given] if isinstance(given, str) else [str(text) for text in given]
        runner = self._runner(model)
        tokens = sum(words.count_tokens(text) for text in texts)
        call.answer.one_shot = True
        await self._enter(call, runner)
        try:
            await self.clock.sleep(tokens / model.prefill_per_s)
            await call.answer.reach(1)
        finally:
            runner.leave()
        length = call.body.get("dimensions") or model.embedding_length
        as_base64 = call.body.get("encoding_format") == "base64"
        data = [embedding(words.vector(text, length), n, as_base64=as_base64) for n, text in enumerate(texts)]
        counts = {"prompt_tokens": tokens, "total_tokens": tokens}
        body = encode({"object": "list", "model": call.model or model.name, "data": data, "usage": counts})
        await call.answer.reach("before_done", body)
        call.is_done = True
        self._note(call, "done")
        await call.answer.finish(body)


def text_of(content: Any) -> str:
    """A message's text, also where it comes in parts; a picture counts as one word."""
    if isinstance(content, list):
        return " ".join(str(part.get("text", "[image]")) for part in content)
    return content or ""


def schema_of(response_format: Any) -> Any:
    """The schema that the answer must fit, "json" for any object, None for plain text."""
    kind = (response_format or {}).get("type", "text")
    if kind == "json_schema":
        return response_format["json_schema"].get("schema", {})
    return "json" if kind == "json_object" else None


def main(argv: Sequence[str] | None = None) -> int:
    """Run one until Ctrl-C or SIGTERM."""
    parser = argument_parser("halext.testing.openai", "A fake OpenAI-like server for tests.", port=8080)
    parser.add_argument("--slots", type=int, default=1, help="requests at once (default: 1)")
    parser.add_argument("--flavour", choices=["llama.cpp", "plain"], default="llama.cpp")
    args = parser.parse_args(argv)
    models, clock = models_of(args), ScaledClock(args.scale)
    return run(
        lambda: FakeOpenAI(
            models,
            flavour=args.flavour,
            slots=args.slots,
            load_s=args.load if args.flavour == "llama.cpp" else 0.0,
            clock=clock,
            seed=args.seed,
            port=args.port,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
