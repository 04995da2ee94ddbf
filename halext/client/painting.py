"""What `imagine` asks for, shows on the way, and gives."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from halext.client import notebook
from halext.client.image import Image, Images
from halext.client.show import UPDATE_S
from halext.errors import Interrupted
from halext.pictures import Recipe
from halext.runtime.clock import SystemClock
from halext.runtime.imagining import told
from halext.runtime.shapes_images import ImageJob, Imagine, PictureInfo
from halext.types import Clock, ModelName


def wish_of(
    prompt: str,
    n: int,
    seed: int | None,
    size: tuple[int, int],
    model: str,
    negative: str,
    steps: int,
    cfg: float,
    sampler: str,
    node: str | None,
) -> Imagine:
    """The wish as it is sent: its job is followed, not waited for."""
    width, height = size
    return Imagine(
        prompt=prompt,
        negative=negative,
        model=model,
        width=width,
        height=height,
        steps=steps,
        cfg=cfg,
        sampler=sampler,
        seed=seed,
        n=n,
        node=node,
        wait=False,
    )


class Line(Protocol):
    """One line that tells how far it is."""

    def show(self, text: str) -> None:
        """This, in place of what stood there."""

    def end(self, text: str) -> None:
        """This, for good."""


class Cell:
    """The line in the output of a notebook's cell, written anew at most ten times a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._slot = notebook.Slot({"text/plain": "…"})
        self._updated_at = clock.monotonic()

    def show(self, text: str) -> None:
        """Show it, unless something was shown just now."""
        now = self._clock.monotonic()
        if now - self._updated_at >= UPDATE_S:
            self._updated_at = now
            self._slot.update({"text/plain": text})

    def end(self, text: str) -> None:
        """Show it in any case."""
        self._slot.update({"text/plain": text})


class Terminal:
    """The line on a terminal, written over; into a file or a pipe only its end goes."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._is_watched = out.isatty()

    def show(self, text: str) -> None:
        """Write over what stood there, without what a terminal would take for a command."""
        if self._is_watched:
            self._out.write(f"\r\x1b[K{_harmless(text)}")
            self._out.flush()

    def end(self, text: str) -> None:
        """Write it and end the line."""
        self.show("")
        self._out.write(f"{_harmless(text) if self._is_watched else text}\n")
        self._out.flush()


class Silent:
    """No line."""

    def show(self, text: str) -> None:
        """Nothing."""

    def end(self, text: str) -> None:
        """Nothing."""


class Watch:
    """Sees a job on its way; at the end it has the pictures."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.job: ImageJob | None = None

    def see(self, job: ImageJob) -> None:
        """The job has changed."""
        self.job = job
        self._line.show(told(job))

    def images(self) -> Images:
        """The pictures. Raises `Interrupted` when the job never came to its end."""
        if self.job is None or self.job.state != "done":
            raise Interrupted("The pictures' end was never told; ask again.")
        return Images(_image(picture) for picture in self.job.pictures)

    def end(self) -> None:
        """Say what became of it."""
        self._line.end(summary(self.job))


@contextmanager
def watching(stream: bool | None, clock: Clock | None = None) -> Iterator[Watch]:  # noqa: FBT001 - as in imagine
    """Shows how far a job is until the block ends, however it ends. None means: in a notebook, and nowhere else."""
    watch = Watch(_line(stream, clock or SystemClock()))
    try:
        yield watch
    finally:
        watch.end()


def summary(job: ImageJob | None) -> str:
    """What became of a job, in one line."""
    if job is None:
        return "not begun"
    if job.state != "done":
        return job.error.message if job.error else "stopped"
    seeds = ", ".join(str(picture.recipe.seed) for picture in job.pictures)
    what = "1 picture" if len(job.pictures) == 1 else f"{len(job.pictures)} pictures"
    return f"{what} · {job.node} · {job.model} · seed {seeds}"


def _line(stream: bool | None, clock: Clock) -> Line:  # noqa: FBT001
    if stream is False:
        return Silent()
    if notebook.shell() is not None:
        return Cell(clock)
    return Terminal(sys.stdout) if stream else Silent()


def _harmless(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _image(picture: PictureInfo) -> Image:
    used = picture.recipe
    recipe = Recipe(
        prompt=used.prompt,
        negative=used.negative,
        model=ModelName(used.model),
        width=used.width,
        height=used.height,
        steps=used.steps,
        cfg=used.cfg,
        sampler=used.sampler,
        seed=used.seed,
    )
    return Image(picture.png, recipe, picture.node)
