"""Pictures side by side: `halext.grid`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from halext.client.sheet import Sheet, import_pil, png_of
from halext.errors import InvalidInput

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

GAP = 8
"""Pixels between two pictures."""
LINE = 22
"""Pixels for a caption."""
FONT_SIZE = 15
MOST = 64
SIDES = range(16, 1025)


class Grid(Sheet):
    """Pictures side by side in one PNG."""

    def __init__(self, png: bytes, count: int, cols: int) -> None:
        super().__init__(png)
        self._words = f"<Grid: {count} pictures in {cols} columns>"

    def __repr__(self) -> str:
        return self._words


def grid(
    imgs: Sequence[Sheet | PilImage],
    cols: int | None = None,
    *,
    captions: str | Sequence[str] | None = None,
    side: int = 512,
) -> Grid:
    """One PNG with all of them, each at most `side` pixels wide and high; without `cols` about as wide as high.

    `captions` are texts, or the name of a field of their recipes: `"seed"`. Raises `MissingExtra` without Pillow and
    `InvalidInput`.
    """
    if not 1 <= len(imgs) <= MOST:
        raise InvalidInput(f"A grid has from 1 to {MOST} pictures, not {len(imgs)}.")
    if side not in SIDES or (cols is not None and cols < 1):
        raise InvalidInput(f"A grid has at least one column, and a `side` from {SIDES[0]} to {SIDES[-1]} pixels.")
    words = _captions(imgs, captions)
    columns = min(cols or math.ceil(math.sqrt(len(imgs))), len(imgs))
    return Grid(png_of(_drawn([_fitted(each, side) for each in imgs], words, columns)), len(imgs), columns)


def _captions(imgs: Sequence[Sheet | PilImage], wanted: str | Sequence[str] | None) -> Sequence[str]:
    if wanted is None:
        return ()
    if isinstance(wanted, str):
        try:
            return [f"{wanted} {getattr(each.recipe, wanted)}" for each in imgs]  # type: ignore[union-attr]  # asked for
        except AttributeError:
            raise InvalidInput(f"`captions` names {wanted!r}, which is no field of these pictures' recipes.") from None
    if len(wanted) != len(imgs):
        raise InvalidInput(f"There are {len(wanted)} captions for {len(imgs)} pictures.")
    return wanted


def _fitted(picture: Any, side: int) -> PilImage:
    """A copy that is no larger; the picture stays as it is."""
    copy: PilImage = (picture.pil if isinstance(picture, Sheet) else picture).convert("RGB")
    copy.thumbnail((side, side))
    return copy


def _drawn(pictures: Sequence[PilImage], captions: Sequence[str], cols: int) -> PilImage:
    from PIL import ImageDraw

    width, height = (max(each.size[axis] for each in pictures) + GAP for axis in (0, 1))
    height += LINE if captions else 0
    rows = math.ceil(len(pictures) / cols)
    sheet: PilImage = import_pil().new("RGB", (cols * width + GAP, rows * height + GAP), "white")
    pen = ImageDraw.Draw(sheet)
    for at, picture in enumerate(pictures):
        x, y = GAP + at % cols * width, GAP + at // cols * height
        sheet.paste(picture, (x, y))
        if captions:
            pen.text((x, y + picture.height + 2), captions[at], fill="black", font_size=FONT_SIZE)
    return sheet
