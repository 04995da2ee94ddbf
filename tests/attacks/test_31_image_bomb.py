"""Attack 31: a few kilobytes that become gigabytes when somebody unpacks them, sent by a client or by a node.

Nothing here unpacks pixels or compressed texts at all; a claim that would hurt others is refused from the head.
"""

from __future__ import annotations

import base64
import struct
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from halext.errors import BadAnswer
from halext.images import png
from halext.images.inscription import recipe_of
from halext.images.studio import _inscribed
from halext.pictures import Picture, Recipe
from halext.testing import pictures
from halext.types import EndpointId, ModelName, NodeName
from halext.upstream import Endpoint

if TYPE_CHECKING:
    from tests.web.conftest import House

PNG = pictures.draw("a lighthouse", 64, 64)
HEAD_END = 33


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def sized(width: int, height: int) -> bytes:
    return png.SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + PNG[HEAD_END:]


TEXT_BOMB = chunk(b"zTXt", b"halext\0\0" + zlib.compress(b"\0" * 50_000_000, 9))
PIXEL_BOMB = chunk(b"IDAT", zlib.compress(b"\0" * 50_000_000, 9))
FRAMES = chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)) + chunk(b"fcTL", b"\xff" * 26)

CLAIMS = {
    "huge": sized(9000, 9000),
    "wider than numbers": sized(2**32 - 1, 1),
    "without a side": sized(0, 64),
    "only a beginning": PNG[:8],
    "cut in the head": PNG[:30],
    "no head": PNG[:8] + PNG[HEAD_END:],
    "another chunk first": png.SIGNATURE + TEXT_BOMB + PNG[8:],
    "a head of another length": PNG[:8] + struct.pack(">I", 12) + PNG[12:],
}
"""What the first bytes give away."""
BROKEN = {
    "cut in the pixels": PNG[:-20],
    "a length beyond the end": PNG[:HEAD_END] + struct.pack(">I", 2**31) + PNG[HEAD_END + 4 :],
    "crumbs": PNG[:HEAD_END] + chunk(b"teSt", b"") * 20_000 + PNG[HEAD_END:],
}
"""What shows when the whole file is walked through."""
HARMLESS = {
    "a text bomb": PNG[:HEAD_END] + TEXT_BOMB + PNG[HEAD_END:],
    "a pixel bomb": PNG[:HEAD_END] + PIXEL_BOMB + PNG[HEAD_END:],
    "frames without end": PNG[:HEAD_END] + FRAMES + PNG[HEAD_END:],
}
"""What hurts only those who unpack it."""
ENDPOINT = Endpoint(EndpointId("pc/sd"), NodeName("pc"), "automatic1111", "http://127.0.0.1:1")


def requests(file: bytes) -> list[tuple[str, dict[str, Any]]]:
    text = base64.b64encode(file).decode()
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{text}"}}
    base = {"model": "llama3.2:3b", "stream": False}
    return [
        ("/api/chat", base | {"messages": [{"role": "user", "content": "?", "images": [text]}]}),
        ("/api/generate", base | {"prompt": "?", "images": [f"data:image/png;base64,{text}"]}),
        ("/v1/chat/completions", base | {"messages": [{"role": "user", "content": [part]}]}),
        ("/hx/conversations", {"text": "?", "images": [text]}),
    ]


@pytest.mark.parametrize("name", CLAIMS)
async def test_a_client_can_not_send_one_through_us(house: House, member: httpx.AsyncClient, name: str) -> None:
    for path, body in requests(CLAIMS[name]):
        answer = await member.post(path, json=body)
        assert answer.status_code == 422, (path, answer.text)
    assert house.script.requests == []


async def test_what_passes_is_passed_on_as_it_came(house: House, member: httpx.AsyncClient) -> None:
    for file in (PNG, *HARMLESS.values()):
        for path, body in requests(file):
            assert (await member.post(path, json=body)).status_code == 200
    sent = {image for request in house.script.requests for image in request.messages[0].images}  # type: ignore[union-attr]
    assert sent == {base64.b64encode(file).decode() for file in (PNG, *HARMLESS.values())}


def inscribed(file: bytes) -> bytes:
    recipe = Recipe("a lighthouse", model=ModelName("m"))
    return _inscribed(ENDPOINT, recipe, (Picture(file, recipe, NodeName("pc")),))[0].png


@pytest.mark.parametrize("file", [*CLAIMS.values(), *BROKEN.values()], ids=[*CLAIMS, *BROKEN])
def test_a_node_that_sends_one_has_answered_badly(file: bytes) -> None:
    with pytest.raises(BadAnswer, match="broken"):
        inscribed(file)


@pytest.mark.parametrize("name", HARMLESS)
def test_nothing_in_a_nodes_file_is_unpacked(name: str) -> None:
    file = HARMLESS[name]
    tracemalloc.start()
    try:
        written = inscribed(file)
        found = recipe_of(written)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found is not None
    assert found.prompt == "a lighthouse"
    assert peak < 10 * len(file) + 1_000_000
