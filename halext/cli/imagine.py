"""`halext imagine`: pictures from words."""

from __future__ import annotations

import sys
from contextlib import aclosing
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from halext.cli import house, output
from halext.runtime.units import parse_picture_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from halext.runtime.control import Control
    from halext.runtime.shapes_images import ImageJob, Imagine, PictureInfo

EXAMPLES = (
    "Examples: `halext imagine 'a lighthouse at dawn'`; "
    "`halext imagine 'a lighthouse at dawn' -n 4 --size 768x512 --seed 7 -o lighthouse.png`."
)
STDOUT = Path("-")


def imagine(
    ctx: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="PROMPT", help="What the picture should show.")],
    file: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where it goes; - for standard output.")
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="Without it, one that is in memory.")] = "",
    size: Annotated[str, typer.Option(metavar="WxH", help="Width and height in pixels.")] = "512x512",
    steps: Annotated[int, typer.Option(min=1, help="More take longer; 20 is usual.")] = 20,
    seed: Annotated[int | None, typer.Option(min=0, help="The same one makes the same picture again.")] = None,
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="How many; each has the next seed.")] = 1,
    node: Annotated[str | None, typer.Option(metavar="NODE", help="Only this node.")] = None,
    negative: Annotated[str, typer.Option(help="What it should not show.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print files and recipes as JSON.")] = False,
) -> None:
    """Make pictures; each file holds the recipe that was really used."""
    from halext.runtime.shapes_images import Imagine

    _check(file, number, as_json=as_json)
    width, height = _size(size)
    wish = Imagine(
        prompt=" ".join(words),
        negative=negative,
        model=model,
        width=width,
        height=height,
        steps=steps,
        seed=seed,
        n=number,
        node=node,
        wait=False,
    )
    pictures = house.run(ctx, lambda control: _made(control, wish)).pictures
    if file == STDOUT:
        sys.stdout.buffer.write(pictures[0].png)
        sys.stdout.flush()
        return
    files = [_saved(picture, path) for picture, path in zip(pictures, _paths(file, pictures), strict=True)]
    if as_json:
        from msgspec import to_builtins

        told = [
            {"file": str(path), "node": picture.node, "recipe": to_builtins(picture.recipe)}
            for path, picture in zip(files, pictures, strict=True)
        ]
        output.json(told)
        return
    for path, picture in zip(files, pictures, strict=True):
        output.out(f"{path} ({picture.recipe.model} on {picture.node}, seed {picture.recipe.seed})")


def _check(file: Path | None, number: int, *, as_json: bool) -> None:
    """Complain before any work is done, and not when the pictures are there and have nowhere to go."""
    if file is None:
        return
    if file == STDOUT and (number > 1 or as_json):
        raise typer.BadParameter("Standard output takes one picture, and nothing beside it.", param_hint="-o")
    if not file.parent.is_dir():
        raise typer.BadParameter(f"There is no folder {str(file.parent)!r}.", param_hint="-o")


def _size(text: str) -> tuple[int, int]:
    try:
        return parse_picture_size(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--size") from None


async def _made(control: Control, wish: Imagine) -> ImageJob:
    """The job at its good end. Interrupted by Ctrl-C, it is stopped. Raises what it failed with."""
    from halext.runtime.imagining import imagining, told

    line = ProgressLine()
    jobs: list[ImageJob] = []
    try:
        async with aclosing(imagining(control, wish)) as coming:
            async for job in coming:
                line.show(told(job))
                jobs[:] = [job]
    finally:
        line.clear()
    return jobs[0]


class ProgressLine:
    """One line on standard error that is written over; where nobody watches there is none."""

    def __init__(self) -> None:
        self._is_watched = sys.stderr.isatty()

    def show(self, text: str) -> None:
        """Put this in place of what stood there."""
        if self._is_watched:
            sys.stderr.write(f"\r\x1b[K{output.one_line(text)}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Leave nothing behind."""
        self.show("")


def _paths(file: Path | None, pictures: Sequence[PictureInfo]) -> Iterator[Path]:
    """A file for each picture: as said, numbered where there are several, and else named after its seed."""
    for at, picture in enumerate(pictures, 1):
        if file is None:
            yield _free(f"halext-{picture.recipe.seed}")
        else:
            yield file if len(pictures) == 1 else file.with_stem(f"{file.stem}-{at}")


def _free(stem: str) -> Path:
    """A name in this folder that no file has: nothing is overwritten unless it was named."""
    names = (Path(f"{stem}.png" if number == 1 else f"{stem}-{number}.png") for number in count(1))
    return next(path for path in names if not path.exists())


def _saved(picture: PictureInfo, path: Path) -> Path:
    try:
        path.write_bytes(picture.png)
    except OSError as error:
        raise typer.BadParameter(f"{path} can't be written: {error.strerror}.", param_hint="-o") from None
    return path
