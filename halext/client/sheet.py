"""A PNG file that people look at, with Pillow or without it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from halext.errors import MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

PREVIEW_SIDES = (512, 384, 256, 128)
"""Pixels. A notebook keeps what it shows for ever, so that it gets the largest of these that is small as a file."""
PREVIEW_BYTES = 100_000
PNG_SUFFIXES = frozenset({"", ".png"})
BROKEN = (MissingExtra, OSError, SyntaxError)
"""What keeps a picture from being shown: no Pillow, or no PNG file inside. It then shows itself in words."""


def import_pil() -> Any:
    """Pillow, which only those need who look at pictures or change them."""
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise MissingExtra("To open pictures Pillow is needed: pip install 'halext[notebook]'") from error
    return Image


class Sheet:
    """A PNG file that can be opened, saved and looked at. In a notebook it shows a small preview of itself."""

    def __init__(self, png: bytes) -> None:
        self.png = png
        """The whole file."""

    @cached_property
    def pil(self) -> PilImage:
        """It as a PIL image, opened when it is first used. Raises `MissingExtra` without Pillow."""
        opened: PilImage = import_pil().open(io.BytesIO(self.png))
        opened.load()
        return opened

    def save(self, path: str | Path) -> Path:
        """Write the file, as it is where the name ends in `.png`; else as what the name says, by Pillow."""
        file = Path(path)
        if file.suffix.lower() in PNG_SUFFIXES:
            file.write_bytes(self.png)
        else:
            self.pil.convert("RGB").save(file)
        return file

    def preview(self) -> bytes:
        """A small PNG of it. Raises `MissingExtra` without Pillow."""
        return small(self.pil)

    def _repr_png_(self) -> bytes | None:
        try:
            return self.preview()
        except BROKEN:
            return None

    def _repr_mimebundle_(self, **_options: object) -> Mapping[str, object]:
        preview = self._repr_png_()
        return {"text/plain": repr(self)} | ({"image/png": preview} if preview else {})


def small(picture: PilImage, sides: Sequence[int] = PREVIEW_SIDES) -> bytes:
    """The largest preview whose file is small: at most 256 colours, at most 512 pixels a side."""
    file = b""
    for side in sides:
        thumbnail = picture.convert("RGB")
        thumbnail.thumbnail((side, side))
        file = png_of(thumbnail.quantize(256))
        if len(file) <= PREVIEW_BYTES:
            break
    return file


def png_of(picture: PilImage) -> bytes:
    """The picture as a PNG file."""
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()
