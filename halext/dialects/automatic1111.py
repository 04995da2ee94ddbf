"""What halext says to a Stable Diffusion web UI (AUTOMATIC1111, Forge), and how its answers read."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from typing import Any, Literal

import msgspec

from halext.dialects import failures, reading
from halext.errors import BadAnswer, ModelMissing, UpstreamError
from halext.pictures import Picture, Progress, Recipe, Started, Step, Waiting
from halext.types import ModelName, NodeName, RequestId
from halext.upstream import ModelInfo

PNG = b"\x89PNG\r\n\x1a\n"
_PLACE = re.compile(r"In queue: (\d{1,6})/\d{1,6}")
_NOT_FOUND = 404
_FAILED = 500

_encode = msgspec.json.encode


class Checkpoint(msgspec.Struct, frozen=True):
    """A model as the server lists it. `title` is the one name that it takes without guessing; hashes may be missing."""

    title: str
    model_name: str
    hash: str | None = None
    sha256: str | None = None

    def made(self, name: str | None, digest: str | None) -> bool:
        """Whether this is what an answer says made its pictures."""
        if digest and self.hash:
            return self.hash.startswith(digest) or digest.startswith(self.hash)
        return name is None or name == self.model_name


class _Options(msgspec.Struct):
    sd_model_checkpoint: str | None


class _State(msgspec.Struct):
    job_count: int = 0


class _GlobalProgress(msgspec.Struct):
    state: _State


class _OwnProgress(msgspec.Struct):
    active: bool
    queued: bool
    progress: float | None = None
    eta: float | None = None
    textinfo: str | None = None


class _Answer(msgspec.Struct):
    images: list[str]
    info: str


class _Info(msgspec.Struct):
    all_prompts: list[str] = []
    all_seeds: list[int] = []
    sampler_name: str | None = None
    steps: int | None = None
    cfg_scale: float | None = None
    width: int | None = None
    height: int | None = None
    sd_model_name: str | None = None
    sd_model_hash: str | None = None
    index_of_first_image: int = 0


class _Failure(msgspec.Struct):
    errors: Any = None
    detail: Any = None
    error: Any = None


_CHECKPOINTS = msgspec.json.Decoder(list[Checkpoint])
_OPTIONS = msgspec.json.Decoder(_Options)
_GLOBAL = msgspec.json.Decoder(_GlobalProgress)
_OWN = msgspec.json.Decoder(_OwnProgress)
_ANSWER = msgspec.json.Decoder(_Answer)
_INFO = msgspec.json.Decoder(_Info)
_FAILURE = msgspec.json.Decoder(_Failure)


def task_of(job: RequestId) -> str:
    """How the server knows a job of ours."""
    return f"halext-{job}"


def txt2img_body(recipe: Recipe, checkpoint: Checkpoint, job: RequestId) -> bytes:
    """The body of POST /sdapi/v1/txt2img. The server goes back to its own checkpoint afterwards."""
    body: dict[str, Any] = {
        "prompt": recipe.prompt,
        "negative_prompt": recipe.negative,
        "width": recipe.width,
        "height": recipe.height,
        "steps": recipe.steps,
        "cfg_scale": recipe.cfg,
        "seed": -1 if recipe.seed is None else recipe.seed,
        "batch_size": 1,
        "n_iter": recipe.n,
        "send_images": True,
        "save_images": False,
        "override_settings": {"sd_model_checkpoint": checkpoint.title},
        "force_task_id": task_of(job),
    }
    if recipe.sampler:
        body["sampler_name"] = recipe.sampler
    return _encode(body)


def progress_body(job: RequestId) -> bytes:
    """The body of POST /internal/progress; a preview is not asked for."""
    return _encode({"id_task": task_of(job), "id_live_preview": -1, "live_preview": False})


def parse_checkpoints(body: bytes) -> list[Checkpoint]:
    """The answer of /sdapi/v1/sd-models."""
    return reading.from_node(_CHECKPOINTS, body)


def model_info(checkpoint: Checkpoint) -> ModelInfo:
    """A checkpoint as a model."""
    return ModelInfo(
        ModelName(checkpoint.model_name),
        digest=checkpoint.sha256 or checkpoint.hash or "",
        family="stable-diffusion",
        capabilities=frozenset({"image"}),
    )


def parse_options(body: bytes) -> str | None:
    """The title of the checkpoint in memory, from the answer of /sdapi/v1/options."""
    return reading.from_node(_OPTIONS, body).sd_model_checkpoint


def parse_busy(body: bytes) -> bool:
    """Whether any job runs, whoever's it is, from the answer of /sdapi/v1/progress."""
    return reading.from_node(_GLOBAL, body).state.job_count != 0


def parse_progress(body: bytes, recipe: Recipe) -> Progress | None:
    """How far our own job is, from the answer of /internal/progress; None when the server does not know it (yet)."""
    found = reading.from_node(_OWN, body)
    if found.queued:
        place = _PLACE.fullmatch(found.textinfo or "")
        return Waiting(int(place[1]) if place else None)
    if not found.active:
        return None
    whole = recipe.steps * recipe.n
    eta_s = None if found.eta is None else max(found.eta, 0.0)
    share = min(found.progress or 0.0, 1.0)
    return Step(round(share * whole), whole, eta_s) if share > 0 else Started()


def parse_standing(body: bytes) -> Literal["active", "queued", "unknown"]:
    """Whether the job that was asked about runs, waits, or is not there, from the answer of /internal/progress."""
    found = reading.from_node(_OWN, body)
    if found.active:
        return "active"
    return "queued" if found.queued else "unknown"


def parse_pictures(body: bytes, recipe: Recipe, checkpoint: Checkpoint, node: NodeName) -> tuple[Picture, ...]:
    """The answer of /sdapi/v1/txt2img: each picture with what was really used for it.

    Raises `ModelMissing` when another checkpoint made them: the server drops a name that it does not know in silence.
    """
    answer = reading.from_node(_ANSWER, body)
    info = reading.from_node(_INFO, answer.info.encode())
    if not checkpoint.made(info.sd_model_name, info.sd_model_hash):
        used = failures.clipped(info.sd_model_name or info.sd_model_hash or "another model")
        raise ModelMissing(f"{node} used {used} in place of {checkpoint.model_name}; is that file still there?")
    base = replace(
        recipe,
        model=ModelName(checkpoint.model_name),
        width=info.width or recipe.width,
        height=info.height or recipe.height,
        steps=info.steps or recipe.steps,
        cfg=recipe.cfg if info.cfg_scale is None else info.cfg_scale,
        sampler=info.sampler_name or recipe.sampler,
        n=1,
    )
    first = max(info.index_of_first_image, 0)  # a grid of all may stand before them, and what extensions drew behind
    images = answer.images[first : first + recipe.n]
    return tuple(Picture(_png(image), _used(base, info, at), node) for at, image in enumerate(images))


def _used(base: Recipe, info: _Info, at: int) -> Recipe:
    seed = info.all_seeds[at] if at < len(info.all_seeds) else None
    prompt = info.all_prompts[at] if at < len(info.all_prompts) else base.prompt
    return replace(base, seed=seed, prompt=prompt)


def _png(image: str) -> bytes:
    try:
        data = base64.b64decode(image, validate=True)
    except binascii.Error as error:
        raise BadAnswer("The node sent a picture that is not base64.") from error
    if not data.startswith(PNG):
        raise BadAnswer("The node sends no PNG files; set “File format for images” to png in its settings.")
    return data


def parse_failure(status: int, body: bytes) -> UpstreamError:
    """The error for an answer of another status than 200."""
    text = _reason(body)
    if status == _NOT_FOUND and text == "Not Found":
        return BadAnswer("The node does not offer this address; start Stable Diffusion with --api.")
    if "out of memory" in text.lower():
        return BadAnswer("The node ran out of memory; ask for a smaller picture, or for fewer at once.")
    if status == _FAILED and text:
        return BadAnswer(f"The node failed: {text}")
    return failures.parse_failure(status, body)


def _reason(body: bytes) -> str:
    """The server's own words; its `error` is only the name of a class, so the longer fields come first."""
    try:
        found = _FAILURE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return next((said for value in (found.errors, found.detail, found.error) if (said := failures.said(value))), "")
