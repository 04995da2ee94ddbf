"""Real PNG files drawn from a text: equal for equal texts, different for others, with what should stand in them."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator, Mapping

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TILE = 32
"""Pixels of one square of a drawing."""
BLANK = b"\x80\x80\x80"
"""The grey of what was not painted."""


def draw(text: str, width: int, height: int, *, finished: float = 1.0, texts: Mapping[str, str] | None = None) -> bytes:
    """A PNG of coloured squares that depend on `text`; below the `finished` share of it everything is grey."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chance = random.Random(text)  # noqa: S311 - equal texts must give equal pictures
    pixels = zlib.compress(b"".join(_rows(chance, width, height, round(height * finished))), 1)
    written = b"".join(_text(key, value) for key, value in (texts or {}).items())
    return SIGNATURE + _chunk(b"IHDR", header) + written + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def texts_of(png: bytes) -> dict[str, str]:
    """The texts in a PNG, by their keys. ValueError for what is none."""
    found: dict[str, str] = {}
    for kind, data in _chunks(png):
        key, _, rest = data.partition(b"\0")
        if kind == b"tEXt":
            found[key.decode("latin-1")] = rest.decode("latin-1")
        elif kind == b"iTXt":  # behind the key: two flags, a language and the key in that language
            found[key.decode("latin-1")] = rest[2:].split(b"\0", 2)[2].decode()
    return found


def _rows(chance: random.Random, width: int, height: int, painted: int) -> Iterator[bytes]:
    for top in range(0, height, TILE):
        tiles = (chance.randbytes(3) * TILE for _ in range(0, width, TILE))
        row = b"\0" + b"".join(tiles)[: 3 * width]  # 0: not filtered
        for line in range(top, min(top + TILE, height)):
            yield row if line < painted else b"\0" + BLANK * width


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _text(key: str, value: str) -> bytes:
    """As Pillow does it: Latin-1 where that will do, else UTF-8."""
    try:
        return _chunk(b"tEXt", key.encode("latin-1") + b"\0" + value.encode("latin-1"))
    except UnicodeEncodeError:
        return _chunk(b"iTXt", key.encode("latin-1") + b"\0\0\0\0\0" + value.encode())


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not png.startswith(SIGNATURE):
        raise ValueError("this is no PNG")
    at = len(SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if zlib.crc32(kind + data) != struct.unpack_from(">I", png, at + 8 + length)[0]:
            raise ValueError("a part of this PNG is damaged")
        yield kind, data
        at += length + 12
