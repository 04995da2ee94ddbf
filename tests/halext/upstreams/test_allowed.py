"""No spelling of a path leads a node to anything that halext does not mean to ask."""

from __future__ import annotations

import re
from typing import get_args
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.types import Kind
from halext.upstreams.allowed import ALLOWED, ONCE, is_allowed, is_repeatable

KINDS: tuple[Kind, ...] = get_args(Kind)


@pytest.mark.parametrize("kind", KINDS)
def test_what_changes_a_node_is_on_no_list(kind: Kind) -> None:
    for path in ("/api/pull", "/api/delete", "/api/create", "/api/push", "/api/copy", "/api/blobs/x", "/v1/files"):
        for method in ("GET", "POST", "PUT", "DELETE"):
            assert not is_allowed(kind, method, path)
    assert all(is_allowed(kind, method, path) for method, path in ALLOWED[kind])


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/hx/me", True),
        ("/hx/answers/12/log", True),
        ("/hx/nodes/gaming-pc.lan", True),
        ("/hx/models/llama3.2:3b?node=mac&n=1", True),
        ("/hx", False),
        ("/hx/", False),
        ("/hx//me", False),
        ("/hx/../api/delete", False),
        ("/hx/./me", False),
        ("/hx/a/..", False),
        ("/hx/..?x", False),
        ("/hx/%2e%2e/api/delete", False),
        ("/hx/%2E%2E/api/delete", False),
        ("/hx/..%2Fapi", True),
        ("/hx/keys/webhook%2Fslack", True),
        ("/hx/keys/webhook%2fslack", False),
        ("/hx/admin/users/Ann%20%C3%85%2F%3F/role", True),
        ("/hx/keys/%61", False),
        ("/hx/keys/a%0Ab", False),
        ("/hx/keys/a%00b", False),
        ("/hx/keys/a%7Fb", False),
        ("/hx/keys/a%2", False),
        ("/hx/keys/100%", False),
        ("/hx/me#x", False),
        ("/hx/me?x\r\nY: z", False),
        ("/hx/me\n", False),
        ("/hx/me ", False),
        ("//evil/hx/me", False),
        ("http://evil/hx/me", False),
    ],
)
def test_paths_of_another_halext(path: str, allowed: bool) -> None:
    assert is_allowed("halext", "GET", path) is allowed
    assert not is_allowed("ollama", "GET", path)
    assert not is_allowed("halext", "TRACE", path)


@pytest.mark.parametrize(
    ("call", "allowed"),
    [
        ("POST /services/T0/B0/x9", True),
        ("GET /services/T0/B0/x9", False),
        ("POST /services/T0/B0", False),
        ("POST /services/T0/B0/..", False),
        ("POST /services/T0/B0/x9?a=1", False),
        ("POST /api/webhooks/1/a_b-C?wait=true", True),
        ("POST /api/v10/webhooks/1/a_b-C?wait=true", True),
        ("POST /api/webhooks/1/a_b-C", False),
        ("PATCH /api/webhooks/1/a_b-C/messages/5", True),
        ("PATCH /api/webhooks/1/a_b-C/messages/../../x", False),
        ("PATCH /api/webhooks/1/a_b-C/messages/%35", False),
        ("DELETE /api/webhooks/1/a_b-C", False),
        ("GET /api/webhooks/1/a_b-C", False),
        ("POST /api/chat", False),
        ("POST /services/T0/B0/x9\n", False),
    ],
)
def test_what_webhooks_are_asked(call: str, allowed: bool) -> None:
    method, _, path = call.partition(" ")
    assert is_allowed("webhook", method, path) is allowed
    if allowed:
        assert not any(is_allowed(kind, method, path) for kind in KINDS if kind != "webhook")


@given(st.text(alphabet="/.%2efFEhx\\:?#@ \r\nabc0", max_size=20))
def test_an_allowed_path_has_one_meaning(tail: str) -> None:
    path = "/hx/" + tail
    if is_allowed("halext", "POST", path):
        bare = path.partition("?")[0]
        assert not re.search(r"//|/\.{1,2}(/|$)|[\\#\s]", bare)
        for part in bare.split("/"):
            assert re.sub("[:@+,]", lambda char: quote(char[0]), part) == quote(unquote_to_bytes(part), safe="")
        assert not re.search(r"[\s#\\]", path)


def test_what_is_sent_once_is_what_a_server_would_do_twice() -> None:
    assert ALLOWED["automatic1111"] >= ONCE
    assert not is_repeatable("automatic1111", "POST", "/sdapi/v1/txt2img")
    assert is_repeatable("automatic1111", "POST", "/internal/progress")
    assert is_repeatable("ollama", "POST", "/api/chat")
    assert is_repeatable("halext", "POST", "/api/chat")
    assert is_repeatable("halext", "GET", "/hx/images/r-1?seen=3")
    assert not any(is_repeatable("halext", method, "/hx/images") for method in ("POST", "PUT", "PATCH", "DELETE"))
    assert not is_repeatable("webhook", "POST", "/services/T/B/X")
    assert is_repeatable("webhook", "PATCH", "/api/webhooks/1/x/messages/2")


@given(st.text(min_size=1).filter(str.isprintable))
def test_every_name_can_be_asked_for(name: str) -> None:
    if name not in {".", ".."}:
        assert is_allowed("halext", "PUT", f"/hx/keys/{quote(name, safe='')}")
