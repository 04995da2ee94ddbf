"""Attack 8: a name or a path that makes a node hear another request than the one that was meant.

The node lists models with such names, so that halext really asks for them.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from halext.types import Kind
from halext.upstreams.allowed import ALLOWED, is_allowed

from .lair import MIA, housed, lair, says

NAMES = (
    "../../api/delete",
    "a/../../../api/pull",
    "%2e%2e%2fapi%2fdelete",
    "//127.0.0.1/x",
    "x HTTP/1.1\r\nHost: evil\r\n\r\nDELETE /api/delete",
    "x\r\nContent-Length: 0\r\n\r\nPOST /api/pull HTTP/1.1\r\n\r\n",
    "x\nX-Evil: 1",
    "x\x00y",
    "?a=b",
    "#frag",
    "\\..\\api",
    "ä\u202emodel",
)
DONE = b'{"model":"x","message":{"role":"assistant","content":"Hi"},"done":true,"done_reason":"stop"}\n'
BODY = b'{"embeddings":[[0.5]],"prompt_eval_count":1,"response":"Hi","done":true,"message":{"content":"Hi"}}\n'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
OUR_HEADERS = {"host", "accept", "accept-encoding", "user-agent", "content-type", "content-length"}


def asks(name: str) -> list[tuple[str, str, object]]:
    """Every request that names a model."""
    chat = [{"role": "user", "content": "Hi"}]
    return [
        ("POST", "/v1/chat/completions", {"model": name, "messages": chat}),
        ("POST", "/v1/completions", {"model": name, "prompt": "Hi"}),
        ("POST", "/v1/embeddings", {"model": name, "input": "Hi"}),
        ("POST", "/api/chat", {"model": name, "messages": chat}),
        ("POST", "/api/generate", {"model": name, "prompt": "Hi"}),
        ("POST", "/api/embed", {"model": name, "input": "Hi"}),
        ("POST", "/api/show", {"model": name}),
        ("POST", "/hx/route", {"model": name}),
        ("GET", f"/v1/models/{quote(name, safe='')}", None),
        ("POST", "/api/pull", {"model": name}),
        ("DELETE", "/api/delete", {"model": name}),
        ("GET", f"/api/blobs/{quote(name, safe='')}", None),
    ]


@pytest.mark.timeout(120)
async def test_a_node_hears_what_is_on_the_list_and_nothing_else(tmp_path: Path) -> None:
    async with lair(says(HEAD % len(BODY), BODY), models=NAMES) as evil, housed(tmp_path, evil) as house:
        looks = len(evil.heads)
        for name in NAMES:
            for method, path, body in asks(name):
                answer = await house.ask(MIA, method, path, msgspec.json.encode(body) if body else b"")
                assert answer.status != 500, (name, path, answer)
        assert len(evil.heads) > looks + len(NAMES)
        assert set(evil.asked) <= ALLOWED["ollama"], set(evil.asked) - ALLOWED["ollama"]
        for head in evil.heads:
            names = {line.split(b":")[0].decode().lower() for line in head.split(b"\r\n")[1:] if line}
            assert names <= OUR_HEADERS, names


@given(
    kind=st.sampled_from(sorted(ALLOWED)),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "CONNECT", "get", "POST /x HTTP/1.1\r\n\r\nGET"]),
    path=st.builds(
        lambda good, cut, bad: good[: cut % (len(good) + 1)] + bad + good[cut % (len(good) + 1) :],
        st.sampled_from(sorted({path for paths in ALLOWED.values() for _, path in paths} | {"/hx/nodes/mac"})),
        st.integers(0, 40),
        st.text(alphabet="./%\\?#:@;\r\n\t \x002eEfF\u2025ｅ", max_size=8),
    ),
)
@example(kind="ollama", method="POST", path="/api/chat/../delete")
@example(kind="ollama", method="POST", path="/api/chat/%2e%2e/delete")
@example(kind="halext", method="GET", path="/hx/../api/delete")
@example(kind="halext", method="GET", path="/hx//nodes")
@example(kind="halext", method="GET", path="/hx/%2e%2e/nodes")
def test_a_path_is_one_of_the_list_letter_by_letter(kind: Kind, method: str, path: str) -> None:
    if not is_allowed(kind, method, path) or (method, path) in ALLOWED[kind]:
        return
    # What is left is another halext's own API: one meaning, and no way out of it.
    assert kind == "halext"
    assert path.startswith("/hx/")
    assert not set(path) & set("\\#\r\n\t \x00")
    steps = path.partition("?")[0].split("/")[1:]
    assert not {"", ".", ".."} & set(steps)
    assert "%2e" not in path.partition("?")[0].lower()
