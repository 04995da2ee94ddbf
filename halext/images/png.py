"""The texts inside a PNG file: read and written without ever unpacking its pixels. Pure."""

from __future__ import annotations

import binascii
import struct
from collections.abc import Iterator

from halext.pictures import check_png

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_AROUND = 12
"""Bytes of a chunk beside its data: length, kind and checksum."""
CHUNKS_MAX = 10_000
"""Pictures of the largest size, in the smallest pieces that programs write, have some thousands."""
_UNCOMPRESSED = b"\0\0"


def texts(png: bytes) -> dict[str, str]:
    """What its `tEXt` and uncompressed `iTXt` chunks say, by their keys. Raises `ValueError` for what is no PNG."""
    found: dict[str, str] = {}
    for kind, data in _chunks(png):
        key, _, rest = data.partition(b"\0")
        name = key.decode("latin-1")
        if kind == b"tEXt":
            found[name] = rest.decode("latin-1")
        elif kind == b"iTXt" and rest.startswith(_UNCOMPRESSED):
            language_and_key_and_text = rest[len(_UNCOMPRESSED) :].split(b"\0", 2)
            found[name] = language_and_key_and_text[-1].decode("utf-8", "replace")
    return found


def with_text(png: bytes, key: str, text: str) -> bytes:
    """The same picture with a text under `key`, in place of one that was there.

    Raises `ValueError` for what is no PNG, is broken, or claims to be too large to be unpacked by anyone.
    """
    head, *others = _chunks(png)
    check_png(png)
    name = key.encode("latin-1")
    kept = (chunk for chunk in others if not (chunk[0] in {b"tEXt", b"iTXt"} and chunk[1].startswith(name + b"\0")))
    said = (b"iTXt", name + b"\0" + _UNCOMPRESSED + b"\0\0" + text.encode())
    return SIGNATURE + b"".join(_packed(kind, data) for kind, data in (head, said, *kept))


def _packed(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", binascii.crc32(kind + data))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data, from the head to the end; what stands behind the end is left out."""
    if not png.startswith(SIGNATURE):
        raise ValueError("this is no PNG file")
    at, kind, number = len(SIGNATURE), b"", 0
    while kind != b"IEND":
        number += 1
        if number > CHUNKS_MAX:
            raise ValueError("this PNG file has too many parts")
        if at + _AROUND > len(png):
            raise ValueError("this PNG file is cut off")
        (length,) = struct.unpack_from(">I", png, at)
        before, kind = kind, png[at + 4 : at + 8]
        end = at + _AROUND + length
        if end > len(png):
            raise ValueError("this PNG file is cut off")
        if not before and kind != b"IHDR":
            raise ValueError("this PNG file has no head")
        yield kind, png[at + 8 : end - 4]
        at = end
