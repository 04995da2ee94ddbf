"""The whole door: nothing is open that is not meant to be, and every answer is dressed."""

from __future__ import annotations

import re

import httpx
import pytest

from halext.accounts.types import Permission
from halext_web.app import all_routes

PUBLIC = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/sign-in"),
    ("POST", "/hx/session"),
    ("GET", "/welcome"),
    ("POST", "/hx/first-admin"),
    ("POST", "/hx/invites/claim"),
    ("GET", "/static/{name}"),
}
"""All that strangers may reach. A change here is a change of who can come in."""


def places() -> list[tuple[str, str]]:
    return [(method, entry.path) for entry in all_routes() for method in entry.methods]


def concrete(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "x", path)


def test_the_public_list_is_exactly_this() -> None:
    found = {
        (method, entry.path)
        for entry in all_routes()
        if entry.permission is Permission.PUBLIC
        for method in entry.methods
    }
    assert found == PUBLIC


async def test_a_stranger_gets_401_everywhere_else(house: object, stranger: httpx.AsyncClient) -> None:
    wrong = []
    for method, path in places():
        if (method, path) in PUBLIC:
            continue
        for verb in (method, "HEAD") if method == "GET" else (method,):
            answer = await stranger.request(verb, concrete(path))
            if answer.status_code != 401 or not answer.headers["www-authenticate"].startswith("Bearer"):
                wrong.append((verb, path, answer.status_code))
    assert wrong == []


async def test_a_wrong_credential_is_a_stranger_everywhere_else(stranger: httpx.AsyncClient) -> None:
    wrong = []
    headers = {"Authorization": "Bearer hx_" + "A" * 43}
    for method, path in places():
        answer = await stranger.request(method, concrete(path), headers=headers)
        if (method, path) not in PUBLIC and answer.status_code not in {401, 429}:
            wrong.append((method, path, answer.status_code))
    assert wrong == []


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/sign-in", "/welcome"])
async def test_strangers_reach_what_is_public(stranger: httpx.AsyncClient, path: str) -> None:
    assert (await stranger.get(path)).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/sign-in", "/v1/models", "/api/tags", "/hx/me", "/nothing", "/"])
async def test_every_answer_has_an_id_and_is_inert(stranger: httpx.AsyncClient, path: str) -> None:
    answer = await stranger.get(path, headers={"Accept": "text/html"})
    assert answer.headers["x-halext-request"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "access-control-allow-origin" not in answer.headers
    assert "server" not in answer.headers


async def test_ids_and_nonces_are_never_the_same(stranger: httpx.AsyncClient) -> None:
    one, other = await stranger.get("/sign-in"), await stranger.get("/sign-in")
    assert one.headers["x-halext-request"] != other.headers["x-halext-request"]
    assert one.headers["content-security-policy"] != other.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("/v1/nothing", lambda body: body["error"]["code"]),
        ("/api/nothing", lambda body: body["code"] if isinstance(body["error"], str) else ""),
        ("/hx/nothing", lambda body: body["code"]),
        ("/nothing", lambda body: body["code"]),
    ],
)
async def test_each_client_gets_its_own_shape_of_404(stranger: httpx.AsyncClient, path: str, read: object) -> None:
    answer = await stranger.get(path)
    assert answer.status_code == 404
    assert callable(read)
    assert read(answer.json()) == "not_found"
    assert answer.json()["request_id"] == answer.headers["x-halext-request"]


async def test_a_wrong_method_is_405_and_says_which_are_right(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/v1/chat/completions")
    assert answer.status_code == 405
    assert "POST" in answer.json()["error"]["message"]
    assert answer.headers["allow"] == "POST"


async def test_people_get_a_page_for_an_error(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/nothing", headers={"Accept": "text/html,*/*"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["x-halext-request"] in answer.text
