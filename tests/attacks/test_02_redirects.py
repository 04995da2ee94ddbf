"""Attack 2: a node sends halext on to another server, by a redirect or a header that browsers obey."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Sentinel
from .lair import EVIL, MIA, housed, lair, says

TARGETS = ("{url}/", "//127.0.0.1:{port}/x", "/api/version", "{url}/api/chat")
ASK = {
    "/v1/chat/completions": {"model": EVIL, "messages": [{"role": "user", "content": "Hi"}]},
    "/api/chat": {"model": EVIL, "messages": [{"role": "user", "content": "Hi"}], "stream": True},
    "/api/embed": {"model": EVIL, "input": "Hi"},
    "/api/show": {"model": EVIL},
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(tmp_path: Path, sentinel: Sentinel, status: int) -> None:
    for number, target in enumerate(TARGETS):
        to = target.format(url=sentinel.url, port=sentinel.port).encode()
        head = b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, to)
        (folder := tmp_path / str(number)).mkdir()
        path, body = list(ASK.items())[number]
        async with lair(says(head)) as evil, housed(folder, evil) as house:
            before = len(evil.heads)
            answer = await house.ask(MIA, "POST", path, json.dumps(body).encode())
            assert answer.status >= 400 or b'"error"' in answer.body, answer
            assert b"redirect refused" in answer.body
            assert all(asked[1] in {path, "/api/chat"} for asked in evil.asked[before:]), evil.asked
    assert sentinel.heard == []


async def test_a_refresh_and_a_page_that_moves_do_nothing(tmp_path: Path, sentinel: Sentinel) -> None:
    page = b'<meta http-equiv="refresh" content="0;url=%s">' % sentinel.url.encode()
    extra = b"Refresh: 0; url=%s\r\nLink: <%s>; rel=preload\r\nSet-Cookie: a=b\r\n" % (2 * (sentinel.url.encode(),))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n%sContent-Length: %d\r\n\r\n" % (extra, len(page))
    async with lair(says(head, page)) as evil, housed(tmp_path, evil) as house:
        for path, body in ASK.items():
            answer = await house.ask(MIA, "POST", path, json.dumps(body).encode())
            assert answer.status >= 400, answer
        assert not any(b"ookie" in sent for sent in evil.heads)
    assert sentinel.heard == []


async def test_a_node_that_redirects_every_look_is_no_node(tmp_path: Path, sentinel: Sentinel) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: %s/\r\nContent-Length: 0\r\n\r\n" % sentinel.url.encode()
    async with lair(says(head), lists=says(head)) as evil, housed(tmp_path, evil) as house:
        (state,) = [state for state in house.app.registry.states() if state.node.name == "evil-0"]
        assert "redirect refused" in state.health.reason
    assert sentinel.heard == []
