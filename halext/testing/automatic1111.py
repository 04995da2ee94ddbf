"""A fake Stable Diffusion web UI (AUTOMATIC1111 or Forge) on a real socket.

In a test:

    async with FakeAutomatic1111(["dreamshaper_8"]) as server:
        server.faults.at(5, "oom")           # the next job runs out of memory before its fifth step
        ...                                  # point a client at server.url

Jobs run one after the other and go on when their client leaves, as in the real one; its pictures are real PNG files.
By hand: `python -m halext.testing.automatic1111 --port 7860 --model dreamshaper_8`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Unpack

from halext.testing.automatic1111_machine import (
    SAMPLERS,
    FakeCheckpoint,
    Machine,
    Result,
    Wish,
    WrongField,
)
from halext.testing.clock import ScaledClock
from halext.testing.fake import Call, Common, Fake, Refusal, Route
from halext.testing.pictures import draw, texts_of
from halext.testing.server import JSON
from halext.testing.standalone import run, shared_parser
from halext.testing.stream import Ended, Shape
from halext.testing.timeline import EntryKind

__all__ = ["FakeAutomatic1111", "FakeCheckpoint"]

Flavour = Literal["a1111", "forge"]
OUT_OF_MEMORY = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB"
PREVIEW_SIDE = 64
"""Pixels; the real ones are an eighth of the picture."""
GIB = 2**30


@dataclass(slots=True)
class _Ending:
    """How a job ended: with a result, or with what is to be raised where its request is answered."""

    over: asyncio.Event = field(default_factory=asyncio.Event)
    result: Result | None = None
    failure: Exception | None = None


class FakeAutomatic1111(Fake):
    """One web UI. Times are seconds on `clock`, which runs 100 times as fast by default.

    A picture of 512×512 takes `prepare_s` and then `step_s` a step. With `nowebui` the addresses below `/internal` are
    missing, as with the real one's option of that name. Faults at a number strike before that step of a job; a reset
    takes the client away and lets the job go on.
    """

    work_paths = frozenset({"/sdapi/v1/txt2img"})

    def __init__(
        self,
        models: Sequence[FakeCheckpoint | str] = ("dreamshaper_8",),
        *,
        flavour: Flavour = "a1111",
        nowebui: bool = False,
        step_s: float = 0.2,
        prepare_s: float = 0.5,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.flavour: Flavour = flavour
        self.nowebui = nowebui
        self.step_s = step_s
        self.prepare_s = prepare_s
        self.models = [FakeCheckpoint(model) if isinstance(model, str) else model for model in models]
        self.options: dict[str, Any] = {}
        self._boot()

    def _boot(self) -> None:
        self.machine = Machine(self.models, self.clock, step_s=self.step_s, prepare_s=self.prepare_s, seed=self.seed)
        self.options = {"live_previews_enable": True, "show_progress_every_n_steps": 10, "samples_format": "png"}

    def _routes(self) -> Mapping[str, Mapping[str, Route]]:
        routes: dict[str, Mapping[str, Route]] = {
            "/sdapi/v1/txt2img": {"POST": self._txt2img},
            "/sdapi/v1/progress": {"GET": self._global_progress},
            "/sdapi/v1/interrupt": {"POST": self._interrupt},
            "/sdapi/v1/options": {"GET": self._options, "POST": self._set_options},
            "/sdapi/v1/sd-models": {"GET": self._list_models},
            "/sdapi/v1/samplers": {"GET": self._samplers},
            "/sdapi/v1/memory": {"GET": self._memory},
            "/sdapi/v1/png-info": {"POST": self._png_info},
        }
        if not self.nowebui:
            routes |= {
                "/internal/progress": {"POST": self._own_progress},
                "/internal/pending-tasks": {"GET": self._pending},
            }
        if self.flavour == "forge":
            routes["/sdapi/v1/sd-modules"] = {"GET": self._modules}
        return routes

    def _shape(self, path: str) -> Shape:  # noqa: ARG002 - all of its addresses fail alike
        return Shape(JSON, self._broken, self._broken, str.encode, b"<<<", {})

    def _broken(self, status: int, text: str) -> bytes:
        """A failure inside: A1111 wraps it, Forge says next to nothing."""
        is_memory = "out of memory" in text
        self.machine.out_of_memory += is_memory
        if self.flavour == "forge":
            return b"Internal Server Error"
        name = "OutOfMemoryError" if is_memory else "RuntimeError"
        said = OUT_OF_MEMORY if is_memory else text
        return encode({"error": name, "detail": "", "body": "", "errors": said, "status": status})

    def _error_body(self, refusal: Refusal) -> bytes:
        if refusal.status == 422:
            place = {"type": "value_error", "loc": ["body", refusal.code], "msg": refusal.text}
            return encode({"detail": [place]})
        return encode({"detail": refusal.text})

    async def _unrouted(self, call: Call, *, wrong_method: bool) -> None:  # noqa: ARG002 - no path is special here
        raise Refusal(405, "Method Not Allowed") if wrong_method else Refusal(404, "Not Found")

    async def _admit(self, call: Call) -> None:
        if call.request.path.startswith("/sdapi/"):  # the page's own addresses ask nobody, even with --api-auth
            await super()._admit(call)

    # --- making pictures ---

    async def _txt2img(self, call: Call) -> None:
        try:
            wish = Wish.read(call.body, f"task(txt2img-{call.number})")
        except WrongField as error:
            raise Refusal(422, str(error), error.name) from None
        if wish.sampler not in SAMPLERS:
            raise Refusal(400, "Sampler not found")
        call.model = str(wish.overrides.get("sd_model_checkpoint") or self.machine.loaded.name)
        call.answer.one_shot = True
        if self.machine.is_busy:
            self._note(call, "wait", "slot")
        ending = _Ending()
        self._spawn(self._work(call, wish, ending))
        await ending.over.wait()
        if ending.failure is not None:
            raise ending.failure
        assert ending.result is not None
        body = encode(_answer(ending.result, call.body))
        await call.answer.reach("before_done", body)
        call.is_done = True
        await call.answer.finish(body)

    async def _work(self, call: Call, wish: Wish, ending: _Ending) -> None:
        """The job, which goes on whether or not somebody still waits for it."""

        def note(kind: EntryKind) -> None:
            self._note(call, kind)

        async def reach(step: int) -> None:
            if step == 1:
                self._note(call, "first_token")
            try:
                with suppress(ConnectionError):  # the client has left; the job does not mind
                    await call.answer.reach(step)
            except Ended as ended:
                if ended.fault.kind != "reset":
                    raise

        try:
            ending.result = await self.machine.do(wish, reach, note)
            self._note(call, "done")
        except Exception as error:  # noqa: BLE001 - raised again where the request is answered
            ending.failure = error
        finally:
            ending.over.set()

    async def _interrupt(self, call: Call) -> None:
        self.machine.state.interrupted = True
        await call.exchange.send(200, b"{}")

    # --- progress ---

    async def _global_progress(self, call: Call) -> None:
        state = self.machine.state
        is_running = state.job_count != 0
        progress = min(1.0, 0.01 + state.share) if is_running else 0.0
        eta = self._eta(progress) if is_running else 0.0
        told = {name: value for name, value in asdict(state).items() if name != "started_at"}
        body = {"progress": progress, "eta_relative": eta, "state": told, "current_image": None, "textinfo": None}
        await call.exchange.send(200, encode(body))

    async def _own_progress(self, call: Call) -> None:
        task, machine = str(call.body.get("id_task")), self.machine
        is_active, is_queued = task == machine.current, task in machine.pending
        told: dict[str, Any] = {
            "active": is_active,
            "queued": is_queued,
            "completed": task in machine.finished,
            "progress": None,
            "eta": None,
            "live_preview": None,
            "id_live_preview": -1,
            "textinfo": None,
        }
        if is_active:
            share = machine.state.share
            told |= {"progress": share, "eta": self._eta(share) if share else None, **self._preview(call.body)}
        elif is_queued:
            told["textinfo"] = f"In queue: {list(machine.pending).index(task) + 1}/{len(machine.pending)}"
        else:
            told["textinfo"] = "Waiting..."
        await call.exchange.send(200, encode(told))

    def _eta(self, share: float) -> float:
        passed = self.clock.monotonic() - self.machine.state.started_at
        return passed / share - passed

    def _preview(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A small picture, where previews are on and another one is there than the client has."""
        state, every = self.machine.state, self.options["show_progress_every_n_steps"]
        newest = state.sampling_step // every if every > 0 else 0
        is_wanted = asked.get("live_preview", True) and self.options["live_previews_enable"]
        if not is_wanted or not newest or asked.get("id_live_preview") == newest:
            return {"id_live_preview": asked.get("id_live_preview", -1)}
        small = draw(f"preview {newest}", PREVIEW_SIDE, PREVIEW_SIDE)
        return {"id_live_preview": newest, "live_preview": f"data:image/png;base64,{_text_of(small)}"}

    async def _pending(self, call: Call) -> None:
        tasks = list(self.machine.pending)
        await call.exchange.send(200, encode({"size": len(tasks), "tasks": tasks}))

    # --- lists and settings ---

    async def _options(self, call: Call) -> None:
        body = self.options | {"sd_model_checkpoint": self.machine.loaded.title}
        await call.exchange.send(200, encode(body))

    async def _set_options(self, call: Call) -> None:
        wanted = dict(call.body)
        if name := wanted.pop("sd_model_checkpoint", None):
            found = self.machine.find(str(name))
            if found is None:
                raise Refusal(500, f"model {name!r} not found")

            def note(kind: EntryKind) -> None:
                self._note(call, kind)

            await self.machine.load(found, note)
        self.options |= wanted
        await call.exchange.send(200, b"null")

    async def _list_models(self, call: Call) -> None:
        rows = [
            {
                "title": model.title,
                "model_name": model.name,
                "hash": model.hash,
                "sha256": model.sha256,
                "filename": f"/models/Stable-diffusion/{model.name}.safetensors",
                "config": None,
            }
            for model in self.models
        ]
        await call.exchange.send(200, encode(rows))

    async def _samplers(self, call: Call) -> None:
        rows = [{"name": name, "aliases": [f"k_{name.lower().replace(' ', '_')}"], "options": {}} for name in SAMPLERS]
        await call.exchange.send(200, encode(rows))

    async def _modules(self, call: Call) -> None:
        await call.exchange.send(200, b"[]")

    async def _memory(self, call: Call) -> None:
        side = {"free": 6 * GIB, "used": 2 * GIB, "total": 8 * GIB}
        events = {"retries": 0, "oom": self.machine.out_of_memory}
        await call.exchange.send(200, encode({"ram": side, "cuda": {"system": side, "events": events}}))

    async def _png_info(self, call: Call) -> None:
        try:
            texts = texts_of(base64.b64decode(str(call.body.get("image")).rpartition(",")[2]))
        except ValueError:
            raise Refusal(500, "Invalid encoded image") from None
        body = {"info": texts.get("parameters", ""), "items": texts, "parameters": {}}
        await call.exchange.send(200, encode(body))


def encode(value: Any) -> bytes:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def _text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _answer(result: Result, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a finished job; `info` is a JSON text inside the JSON."""
    wish, used, painted = result.wish, result.checkpoint, result.painted
    images = [_text_of(each.png) for each in painted]
    has_grid = bool(asked.get("save_images")) and len(painted) > 1
    if has_grid:
        images.insert(0, _text_of(draw("grid", wish.width * 2, wish.height)))
    info = {
        "prompt": wish.prompt,
        "all_prompts": [wish.prompt] * len(painted),
        "negative_prompt": wish.negative,
        "seed": painted[0].seed if painted else wish.seed,
        "all_seeds": [each.seed for each in painted],
        "width": wish.width,
        "height": wish.height,
        "sampler_name": wish.sampler,
        "cfg_scale": wish.cfg,
        "steps": wish.steps,
        "sd_model_name": used.name,
        "sd_model_hash": used.hash,
        "infotexts": [each.infotext for each in painted],
        "index_of_first_image": 1 if has_grid else 0,
        "version": "v1.10.1",
    }
    return {"images": images if asked.get("send_images", True) else [], "parameters": asked, "info": json.dumps(info)}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one until Ctrl-C or SIGTERM."""
    parser = shared_parser("halext.testing.automatic1111", "A fake Stable Diffusion web UI for tests.", port=7860)
    parser.add_argument("--step", type=float, default=0.2, help="seconds of one step at 512×512 (default: 0.2)")
    parser.add_argument("--load", type=float, default=3, help="seconds to load a model (default: 3)")
    parser.add_argument("--flavour", choices=["a1111", "forge"], default="a1111")
    parser.add_argument("--nowebui", action="store_true", help="without progress of one's own")
    args = parser.parse_args(argv)
    models = [FakeCheckpoint(name, load_s=args.load) for name in args.model or ["dreamshaper_8"]]
    return run(
        lambda: FakeAutomatic1111(
            models,
            flavour=args.flavour,
            nowebui=args.nowebui,
            step_s=args.step,
            clock=ScaledClock(args.scale),
            seed=args.seed,
            port=args.port,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
