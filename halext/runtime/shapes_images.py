"""The JSON of pictures."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from halext.runtime.shapes import Params


class Imagine(Params, frozen=True):
    """What a picture should show, and how. Without a model any will do; without a seed one is drawn."""

    prompt: str
    negative: str = ""
    model: str = ""
    width: int = 512
    height: int = 512
    steps: int = 20
    cfg: float = 7.0
    sampler: str = ""
    seed: int | None = None
    n: int = 1
    node: str | None = None
    """Only this one."""
    wait: bool = True
    """Answer when the pictures are there; else at once, with the job's id to ask again with."""


class ImageJobRef(Params, frozen=True):
    """One job, by its id."""

    id: str


class FollowImages(ImageJobRef, frozen=True, kw_only=True):
    """One job. The answer waits for a newer revision than the one `seen`, and at most `wait_s` seconds."""

    seen: int = -1
    wait_s: float = 20.0


class RecipeInfo(Struct, frozen=True):
    """What was really used for a picture."""

    prompt: str
    negative: str
    model: str
    width: int
    height: int
    steps: int
    cfg: float
    sampler: str
    seed: int | None


class PictureInfo(Struct, frozen=True):
    """A picture: the bytes of its PNG file (base64 in JSON), which hold the recipe too."""

    png: bytes
    recipe: RecipeInfo
    node: str


class ImageFailure(Struct, frozen=True):
    """Why there are no pictures."""

    code: str
    message: str


class ImageJob(Struct, frozen=True):
    """A job for pictures. `place` is its place in line, `step` of `of` how far it is; pictures come with the end."""

    id: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    revision: int
    place: int | None
    step: int
    of: int
    eta_s: float | None
    node: str | None
    model: str | None
    pictures: list[PictureInfo]
    error: ImageFailure | None


class Cancellation(Struct, frozen=True):
    """What became of a wish to cancel."""

    outcome: Literal["dequeued", "stopping", "too_late"]
    message: str
