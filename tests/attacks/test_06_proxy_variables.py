"""Attack 6: a proxy in the environment reads along with everything that halext and its nodes say to each other."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.access.bodies import CHAT
from tests.access.house import EMBEDDER

from .conftest import Sentinel
from .lair import MIA, housed


async def test_no_proxy_of_the_environment_is_used(
    tmp_path: Path, sentinel: Sentinel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY"):
        for each in (name, name.lower()):
            monkeypatch.setenv(each, sentinel.url)
    for each in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(each, raising=False)
    asked = {
        "/v1/chat/completions": CHAT,
        "/api/chat": CHAT,
        "/api/embed": {"model": EMBEDDER, "input": "Hi"},
        "/api/show": {"model": CHAT["model"]},
        "/v1/images/generations": {"prompt": "a lighthouse", "size": "64x64"},
    }
    async with housed(tmp_path) as house:
        for path, body in asked.items():
            answer = await house.ask(MIA, "POST", path, msgspec.json.encode(body))
            assert answer.status == 200, (path, answer)
        assert house.node_requests > len(asked)
    assert sentinel.heard == []
