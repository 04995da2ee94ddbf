"""Attack 1: somebody who is no administrator gives halext an address to speak to, in a field of any request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tests.access.bodies import CHAT
from tests.access.cells import Cell, Entry, entries, target
from tests.access.house import EMBEDDER, MODEL
from tests.access.rights import Whose
from tests.access.walk import ids_for

from .conftest import Sentinel
from .lair import ADA, MIA, housed

FIELDS = ("base_url", "api_base", "model_url", "url", "image_url", "endpoint", "callback", "webhook", "proxy")


def loaded(entry: Entry, fields: Mapping[str, str]) -> Entry:
    """The same request with fields more."""
    return replace(entry, body=replace(entry.body, fields={**entry.body.fields, **fields}))


@pytest.mark.timeout(180)
async def test_no_field_of_any_request_is_an_address(tmp_path: Path, sentinel: Sentinel) -> None:
    asked = 0
    async with housed(tmp_path) as house:
        for entry in entries():
            if entry.path in {"/sign-out", "/hx/session"}:
                continue
            for subject in (MIA, ADA):
                for names in (FIELDS, *((name,) for name in FIELDS)) if subject is MIA else (FIELDS,):
                    one = loaded(entry, dict.fromkeys(names, sentinel.url))
                    whose = Whose.NOTHING if one.kind is None else Whose.OWN if one.kind.is_owned else Whose.HOUSE
                    ids = dict(await ids_for(house, Cell(one, subject, whose), fresh=False))
                    where, query = target(one.path, ids), "&".join(f"{name}={sentinel.url}" for name in names)
                    body, content_type = one.body.made(house, ids)
                    is_read = one.method in {"GET", "DELETE"}
                    answer = await house.ask(
                        subject,
                        one.method,
                        f"{where}?{query}" if is_read else where,
                        b"" if is_read else body,
                        content_type,
                    )
                    assert answer.status < 500 or answer.status in {502, 503}, (entry.name, names, answer)
                    asked += 1
    assert asked > 500
    assert sentinel.heard == []


@pytest.mark.parametrize("url", ["{url}/x.png", "data:image/png;base64,{url}", "//{url}", "file:///etc/passwd"])
async def test_no_picture_is_fetched(tmp_path: Path, sentinel: Sentinel, url: str) -> None:
    told = url.format(url=sentinel.url)
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": told}}]
    bodies = {
        "/v1/chat/completions": {"model": MODEL, "messages": [{"role": "user", "content": parts}]},
        "/api/chat": CHAT | {"messages": [{"role": "user", "content": "Hi", "images": [told]}]},
        "/api/generate": {"model": MODEL, "prompt": "Hi", "images": [told]},
        "/hx/conversations": {"text": "Hi", "images": [told]},
        "/v1/embeddings": {"model": EMBEDDER, "input": [told]},
    }
    async with housed(tmp_path) as house:
        for path, body in bodies.items():
            answer = await house.ask(MIA, "POST", path, msgspec.json.encode(body))
            assert answer.status < 500, (path, answer)
    assert sentinel.heard == []


async def test_only_who_manages_nodes_gives_an_address(tmp_path: Path, sentinel: Sentinel) -> None:
    async with housed(tmp_path) as house:
        body = msgspec.json.encode({"name": "mine", "urls": [sentinel.url]})
        assert (await house.ask(MIA, "POST", "/hx/nodes", body)).status == 403
        assert [node.name for node in house.app.registry.nodes()] == ["mac", "pc"]
        assert sentinel.heard == []
        assert (await house.ask(ADA, "POST", "/hx/nodes", body)).status != 403
    assert sentinel.heard  # it was an address that would have been spoken to
