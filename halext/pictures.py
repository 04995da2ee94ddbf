"""What people ask of a model that makes pictures, and what comes back, whichever server made it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from halext.types import ModelName, NodeName

PNG = b"\x89PNG\r\n\x1a\n"
"""What every PNG file begins with."""
PNG_HEAD = 33
"""Bytes of it that tell how large the picture is: the beginning and the first chunk."""
SIDE_MAX = 4096
"""Pixels. Some kilobytes can stand for billions of pixels, and whoever unpacks them falls; we never do."""
_FIRST_CHUNK = struct.pack(">I", 13) + b"IHDR"

ANY_MODEL = ModelName("")
"""Whichever model the node has at hand."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides how a picture looks. `width` and `height` are pixels.

    As a wish, an empty `model` or `sampler` and a missing `seed` leave the choice to the node, and `n` is how many
    pictures are wanted: each of them has a seed one higher than the one before. As a record of what was really used,
    nothing is left open and `n` is 1.
    """

    prompt: str
    negative: str = ""
    model: ModelName = ANY_MODEL
    width: int = 512
    height: int = 512
    steps: int = 20
    cfg: float = 7.0
    """How strictly the prompt is followed."""
    sampler: str = ""
    seed: int | None = None
    n: int = 1


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture: the bytes of a PNG file, and the recipe that was really used for it."""

    png: bytes = field(repr=False)
    recipe: Recipe
    node: NodeName

    @property
    def model(self) -> ModelName:
        """The model that made it."""
        return self.recipe.model


@dataclass(frozen=True, slots=True)
class Waiting:
    """Others are served first, by the server itself. `place` 1 is the next one; None where it does not say."""

    place: int | None


@dataclass(frozen=True, slots=True)
class Started:
    """The server works on it: it loads the model or prepares the first step."""


@dataclass(frozen=True, slots=True)
class Step:
    """So many steps of all that the job takes are done."""

    n: int
    of: int
    eta_s: float | None


Progress = Waiting | Started | Step
Tell = Callable[[Progress], None]
"""Hears of a job's progress; never waits and never fails."""


def check_png(head: bytes) -> None:
    """Raise `ValueError` unless these first bytes of a PNG file tell of a picture of some size, and not of a bomb."""
    if len(head) < PNG_HEAD:
        raise ValueError("this PNG file is cut off")
    if not head.startswith(PNG + _FIRST_CHUNK):
        raise ValueError("this PNG file has no head")
    width, height = struct.unpack_from(">II", head, len(PNG + _FIRST_CHUNK))
    if not (0 < width <= SIDE_MAX and 0 < height <= SIDE_MAX):
        raise ValueError(f"this picture is {width} x {height} pixels; a side may have {SIDE_MAX}")
