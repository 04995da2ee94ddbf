"""Speaks to Stable Diffusion web UIs: AUTOMATIC1111 and Forge.

The server has one line for all its users, which nothing can be taken out of, and one global switch that stops whoever
runs. So a job carries our id, only what is told of that id counts, and the switch is used only while our job runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from http import HTTPStatus

from halext.dialects import automatic1111 as dialect
from halext.errors import ModelMissing, RequestRefused, TimedOut, Unreachable, UpstreamError
from halext.messages import ChatChunk, EmbedReply, EmbedRequest, TextRequest
from halext.pictures import Picture, Recipe, Tell
from halext.types import Clock, ModelName, RequestId
from halext.upstream import Endpoint, ModelDetails, RunningModel, Sighting, Stopping
from halext.upstreams.http import PROBE, Answer, Deadlines, Door
from halext.upstreams.streaming import at, naming, together

MODELS, OPTIONS = "/sdapi/v1/sd-models", "/sdapi/v1/options"
EVERYONES_PROGRESS = "/sdapi/v1/progress?skip_current_image=true"
OWN_PROGRESS = "/internal/progress"

PAINT = Deadlines(gap_s=60.0, total_s=2 * 3600.0)
"""The answer comes when all is done, behind whatever the server's other users have ordered."""
POLL_S = 0.5
"""Between two looks at our job: a step takes about as long."""
LOST_AFTER_S = 60.0
"""A busy server may answer nothing for a while, above all while it loads a checkpoint; a dead one answers no more."""
UNREACHABLE_AFTER = 3
"""Looks that found nobody there, one after the other: that is a server that is gone, not a busy one."""
BASE64 = 4 / 3
OVERHEAD_BYTES = 1024 * 1024


def largest_answer(recipe: Recipe) -> int:
    """Bytes that the answer may have: pixels that can't be compressed at all, in base64, and the words around them."""
    return round(recipe.n * (recipe.width * 3 + 1) * recipe.height * 1.01 * BASE64) + OVERHEAD_BYTES


class Automatic1111Driver:
    """Fulfils `halext.upstream.Driver` for the kind `automatic1111`: looked at like any other, it never chats."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def look(self, endpoint: Endpoint) -> Sighting:
        """The checkpoints, the one in memory, and whether anybody's job runs."""
        with naming(endpoint):
            paths = (MODELS, OPTIONS, EVERYONES_PROGRESS)
            answers = await together(*(self._door.request(endpoint, "GET", path, deadlines=PROBE) for path in paths))
            listed, options, progress = (_body(answer) for answer in answers)
            checkpoints = dialect.parse_checkpoints(listed)
            title = dialect.parse_options(options)
            loaded = (each for each in checkpoints if each.title == title)
            return Sighting(
                models=tuple(dialect.model_info(each) for each in checkpoints),
                running=tuple(RunningModel(ModelName(each.model_name), digest=each.sha256 or "") for each in loaded),
                slots=1,
                slots_busy=int(dialect.parse_busy(progress)),
            )

    async def show(self, endpoint: Endpoint, model: ModelName) -> ModelDetails:
        """What the list says of the checkpoint."""
        with naming(endpoint):
            return ModelDetails(dialect.model_info(await find(self._door, endpoint, model)))

    def generate(self, endpoint: Endpoint, request: TextRequest) -> AsyncGenerator[ChatChunk, None]:
        """Raises `RequestRefused`: this kind makes pictures."""
        return _refuse(endpoint, request.model)

    async def embed(self, endpoint: Endpoint, request: EmbedRequest) -> EmbedReply:
        """Raises `RequestRefused`: this kind makes pictures."""
        raise _refusal(endpoint, request.model)

    async def unload(self, endpoint: Endpoint, model: ModelName) -> None:
        """Nothing: the server keeps the checkpoint that its own users chose."""


class Automatic1111Painter:
    """Fulfils `halext.upstream.Painter` for the kind `automatic1111`."""

    def __init__(self, door: Door, clock: Clock) -> None:
        self._door = door
        self._clock = clock

    async def paint(self, endpoint: Endpoint, recipe: Recipe, job: RequestId, tell: Tell) -> tuple[Picture, ...]:
        """The pictures, by one blocking call beside which our job is watched."""
        with naming(endpoint):
            checkpoint = await find(self._door, endpoint, recipe.model)
            body = dialect.txt2img_body(recipe, checkpoint, job)
            answer = _body(await self._watched(endpoint, recipe, body, job, tell))
            # Some megabytes of base64 inside JSON: the loop has others to serve meanwhile.
            return await asyncio.to_thread(dialect.parse_pictures, answer, recipe, checkpoint, endpoint.node)

    async def stop(self, endpoint: Endpoint, job: RequestId) -> Stopping:
        """Interrupt the server while it works on our job; without `/internal` nobody can know whose job that is."""
        with naming(endpoint):
            answer = await self._ask_for_progress(endpoint, job)
            if answer.status == HTTPStatus.NOT_FOUND:
                return "cannot"
            standing = dialect.parse_standing(_body(answer))
            if standing != "active":
                return "not_begun" if standing == "queued" else "gone"
            _body(await self._door.request(endpoint, "POST", "/sdapi/v1/interrupt", json=b"{}", deadlines=PROBE))
            return "stopping"

    async def _watched(self, endpoint: Endpoint, recipe: Recipe, body: bytes, job: RequestId, tell: Tell) -> Answer:
        """The answer; its failure, or the watcher's, ends both and is raised as it is."""
        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._watch(endpoint, recipe, job, tell))
                answer = await self._door.request(
                    endpoint,
                    "POST",
                    "/sdapi/v1/txt2img",
                    json=body,
                    deadlines=PAINT,
                    max_body=largest_answer(recipe),
                )
                watching.cancel()
        except ExceptionGroup as failures:
            first = failures.exceptions[0]
            raise first from first.__cause__
        return answer

    async def _watch(self, endpoint: Endpoint, recipe: Recipe, job: RequestId, tell: Tell) -> None:
        """Tell of our job, for as long as the server lives. Raises what shows that it does not."""
        heard_at, refused = self._clock.monotonic(), 0
        while True:
            await self._clock.sleep(POLL_S)
            try:
                await self._look_at_job(endpoint, recipe, job, tell)
            except UpstreamError as error:
                refused = refused + 1 if isinstance(error, Unreachable) else 0
                is_silent = isinstance(error, Unreachable | TimedOut)
                if refused >= UNREACHABLE_AFTER or (is_silent and self._clock.monotonic() - heard_at > LOST_AFTER_S):
                    raise
            else:
                heard_at, refused = self._clock.monotonic(), 0

    async def _look_at_job(self, endpoint: Endpoint, recipe: Recipe, job: RequestId, tell: Tell) -> None:
        answer = await self._ask_for_progress(endpoint, job)
        if (
            answer.status == HTTPStatus.NOT_FOUND
        ):  # its page is off; everyone's progress shows that it lives, not for whom
            _body(await self._door.request(endpoint, "GET", EVERYONES_PROGRESS, deadlines=PROBE))
        elif (progress := dialect.parse_progress(_body(answer), recipe)) is not None:
            tell(progress)

    async def _ask_for_progress(self, endpoint: Endpoint, job: RequestId) -> Answer:
        body = dialect.progress_body(job)
        return await self._door.request(endpoint, "POST", OWN_PROGRESS, json=body, deadlines=PROBE)


async def find(door: Door, endpoint: Endpoint, model: str) -> dialect.Checkpoint:
    """The checkpoint of this name. Raises `ModelMissing`."""
    listed = _body(await door.request(endpoint, "GET", MODELS, deadlines=PROBE))
    found = next((each for each in dialect.parse_checkpoints(listed) if each.model_name == model), None)
    if found is None:
        raise ModelMissing(f"{endpoint.node} does not list a model {model!r}.")
    return found


def _body(answer: Answer) -> bytes:
    if answer.status != HTTPStatus.OK:
        raise dialect.parse_failure(answer.status, answer.body)
    return answer.body


def _refusal(endpoint: Endpoint, model: str) -> UpstreamError:
    what = f"{model} on {endpoint.node} makes pictures and nothing else; `halext imagine` uses it."
    return at(endpoint, RequestRefused(what))


async def _refuse(endpoint: Endpoint, model: str) -> AsyncGenerator[ChatChunk, None]:
    nothing: tuple[ChatChunk, ...] = ()
    for piece in nothing:
        yield piece
    raise _refusal(endpoint, model)
