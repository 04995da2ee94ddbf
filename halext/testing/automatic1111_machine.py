"""What a Stable Diffusion web UI does inside: one job at a time, a global state, checkpoints in and out of memory."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from halext.testing.pictures import draw
from halext.types import Clock

REMEMBERED = 16
"""Finished tasks that can still be asked about."""
ONE_UNIT = 512 * 512
"""The pixels that take `step_s` a step; more take longer."""
TYPES: Mapping[str, type | tuple[type, ...]] = {
    "prompt": str,
    "negative_prompt": str,
    "seed": int,
    "steps": int,
    "cfg_scale": (int, float),
    "width": int,
    "height": int,
    "batch_size": int,
    "n_iter": int,
    "sampler_name": str,
    "override_settings": dict,
    "override_settings_restore_afterwards": bool,
    "force_task_id": str,
}
SAMPLERS = ("DPM++ 2M", "Euler a", "Euler", "Heun", "DDIM", "UniPC")


@dataclass(frozen=True)
class FakeCheckpoint:
    """One model file. Its hashes follow from its name unless given."""

    name: str = "dreamshaper_8"
    load_s: float = 3.0
    sha256: str = ""

    def __post_init__(self) -> None:
        if not self.sha256:
            object.__setattr__(self, "sha256", hashlib.sha256(self.name.encode()).hexdigest())

    @property
    def hash(self) -> str:
        """The short hash that stands in titles and pictures."""
        return self.sha256[:10]

    @property
    def title(self) -> str:
        """How lists and options call it."""
        return f"{self.name}.safetensors [{self.hash}]"

    def is_called(self, name: str) -> bool:
        """Whether one of its names is this."""
        return name in {self.name, self.title, f"{self.name}.safetensors", self.hash, self.sha256}


class WrongField(Exception):
    """A request's field has a value that can't be used."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


@dataclass(frozen=True, slots=True)
class Wish:
    """A request for pictures, with the defaults of the real one."""

    task: str
    prompt: str = ""
    negative: str = ""
    seed: int = -1
    steps: int = 50
    cfg: float = 7.0
    width: int = 512
    height: int = 512
    count: int = 1
    sampler: str = SAMPLERS[0]
    overrides: Mapping[str, Any] = field(default_factory=dict)
    restores: bool = True

    @classmethod
    def read(cls, body: Mapping[str, Any], task: str) -> Wish:
        """The wish in a request's body. Raises WrongField."""
        for name, kind in TYPES.items():
            if body.get(name) is not None and not isinstance(body[name], kind):
                raise WrongField(name, f"Input should be a valid {getattr(kind, '__name__', 'number')}")
        default = cls(task)
        return cls(
            task=body.get("force_task_id") or task,
            prompt=body.get("prompt") or "",
            negative=body.get("negative_prompt") or "",
            seed=body.get("seed", default.seed),
            steps=body.get("steps") or default.steps,
            cfg=body.get("cfg_scale") or default.cfg,
            width=body.get("width") or default.width,
            height=body.get("height") or default.height,
            count=(body.get("batch_size") or 1) * (body.get("n_iter") or 1),
            sampler=body.get("sampler_name") or default.sampler,
            overrides=body.get("override_settings") or {},
            restores=body.get("override_settings_restore_afterwards", True),
        )


@dataclass(slots=True)
class State:
    """What the global progress tells; it never says whose job it is about."""

    job: str = ""
    job_count: int = 0
    job_no: int = 0
    sampling_step: int = 0
    sampling_steps: int = 0
    interrupted: bool = False
    started_at: float = 0.0

    @property
    def share(self) -> float:
        """How much is done, from 0 to 1."""
        if self.job_count <= 0:
            return 0.0
        steps = self.sampling_step / self.sampling_steps if self.sampling_steps else 0.0
        return min(1.0, (self.job_no + steps) / self.job_count)


@dataclass(frozen=True, slots=True)
class Painted:
    """One finished picture, or an unfinished one of a job that was interrupted."""

    png: bytes
    seed: int
    infotext: str


@dataclass(frozen=True, slots=True)
class Result:
    """All pictures of a job, and the checkpoint that made them."""

    painted: Sequence[Painted]
    wish: Wish
    checkpoint: FakeCheckpoint


Reach = Callable[[int], Awaitable[None]]
"""Told of every step before it begins, counted from 1 over all pictures of a job; what it raises ends the job."""
Note = Callable[[Literal["load_start", "load_end"]], None]
"""Told of loads."""


class Machine:
    """Does one job after the other, in the order they came; nothing takes a job out of that line."""

    def __init__(
        self, checkpoints: Sequence[FakeCheckpoint], clock: Clock, *, step_s: float, prepare_s: float, seed: int
    ) -> None:
        self.checkpoints = checkpoints
        self.loaded = checkpoints[0]
        self.state = State()
        self.current: str | None = None
        """The task that began last. One that failed stays here until the next one begins."""
        self.pending: dict[str, None] = {}
        self.finished: deque[str] = deque(maxlen=REMEMBERED)
        self.out_of_memory = 0
        self._clock = clock
        self._step_s = step_s
        self._prepare_s = prepare_s
        self._chance = random.Random(seed)  # noqa: S311 - equal seeds must give equal pictures
        self._one_at_a_time = asyncio.Lock()  # hands itself on in the order of arrival

    @property
    def is_busy(self) -> bool:
        """Whether a job runs."""
        return self._one_at_a_time.locked()

    async def do(self, wish: Wish, reach: Reach, note: Note) -> Result:
        """Wait for the others, then make the pictures."""
        self.pending[wish.task] = None
        async with self._one_at_a_time:
            self.state = State(job="scripts_txt2img", job_count=-1, started_at=self._clock.monotonic())
            self.current = wish.task
            del self.pending[wish.task]
            try:
                result = await self._make(wish, reach, note)
                self.finished.append(wish.task)
                self.current = None
                return result
            finally:
                self.state = State(interrupted=self.state.interrupted)

    async def load(self, checkpoint: FakeCheckpoint, note: Note) -> None:
        """Put another checkpoint into memory."""
        if checkpoint is not self.loaded:
            note("load_start")
            await self._clock.sleep(checkpoint.load_s)
            self.loaded = checkpoint
            note("load_end")

    def find(self, name: str) -> FakeCheckpoint | None:
        """The checkpoint of this name."""
        return next((each for each in self.checkpoints if each.is_called(name)), None)

    async def _make(self, wish: Wish, reach: Reach, note: Note) -> Result:
        before = self.loaded
        # The real one says nothing about a name that it does not know, and goes on with what it has.
        used = self.find(str(wish.overrides.get("sd_model_checkpoint", ""))) or before
        await self.load(used, note)
        try:
            await self._clock.sleep(self._prepare_s)
            return Result(await self._sample(wish, used, reach), wish, used)
        finally:
            if wish.restores:
                await self.load(before, note)

    async def _sample(self, wish: Wish, used: FakeCheckpoint, reach: Reach) -> list[Painted]:
        state, painted = self.state, list[Painted]()
        seed = self._chance.randrange(2**32) if wish.seed == -1 else wish.seed
        state.job_count, state.sampling_steps = wish.count, wish.steps
        while len(painted) < wish.count and not state.interrupted:
            state.job_no, state.sampling_step = len(painted), 0
            while state.sampling_step < wish.steps and not state.interrupted:
                await reach(state.job_no * wish.steps + state.sampling_step + 1)
                await self._clock.sleep(self._step_s * wish.width * wish.height / ONE_UNIT)
                state.sampling_step += 1
            painted.append(_picture(wish, used, seed + len(painted), state.sampling_step))
        return painted


def _picture(wish: Wish, used: FakeCheckpoint, seed: int, steps_done: int) -> Painted:
    info = infotext(wish, used, seed)
    share = steps_done / wish.steps
    return Painted(draw(info, wish.width, wish.height, finished=share, texts={"parameters": info}), seed, info)


def infotext(wish: Wish, used: FakeCheckpoint, seed: int) -> str:
    """What the real one writes into its pictures."""
    facts = {
        "Steps": wish.steps,
        "Sampler": wish.sampler,
        "CFG scale": f"{wish.cfg:g}",
        "Seed": seed,
        "Size": f"{wish.width}x{wish.height}",
        "Model hash": used.hash,
        "Model": used.name,
    }
    negative = [f"Negative prompt: {wish.negative}"] if wish.negative else []
    return "\n".join([wish.prompt, *negative, ", ".join(f"{name}: {value}" for name, value in facts.items())])
