"""Who is asking: every way to say it, and every way to say it wrongly."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers, QueryParams

from halext.errors import BadRequest, Forbidden, Unauthenticated
from halext_web.credentials import COOKIE, Credential, check_origin, find

if TYPE_CHECKING:
    from tests.web.conftest import House

TOKEN = "hx_" + "a" * 43
SESSION = "hxs_" + "b" * 43
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmF0dXJl"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def headers(*pairs: tuple[str, str]) -> Headers:
    return Headers(raw=[(name.encode(), value.encode()) for name, value in pairs])


NOTHING = QueryParams("")


@pytest.mark.parametrize(
    ("given_headers", "expected"),
    [
        ([], None),
        ([("authorization", f"Bearer {TOKEN}")], Credential("bearer", TOKEN)),
        ([("authorization", f"bearer   {TOKEN} ")], Credential("bearer", TOKEN)),
        ([("authorization", basic("any", TOKEN))], Credential("basic", TOKEN)),
        ([("authorization", basic("", TOKEN))], Credential("basic", TOKEN)),
        ([("cookie", f"a=b; {COOKIE}={SESSION}; c=d")], Credential("cookie", SESSION)),
        ([("cookie", "a=b")], None),
        ([("cookie", f"{COOKIE}=")], None),
        ([("x-api-key", TOKEN)], None),
        ([("authorization", f"Bearer {TOKEN}"), ("cookie", f"{COOKIE}={TOKEN}")], Credential("bearer", TOKEN)),
    ],
)
def test_the_one_credential(given_headers: list[tuple[str, str]], expected: Credential | None) -> None:
    assert find(headers(*given_headers), NOTHING) == expected


@pytest.mark.parametrize(
    ("given_headers", "query", "error"),
    [
        ([("authorization", f"Bearer {TOKEN}"), ("cookie", f"{COOKIE}={SESSION}")], "", BadRequest),
        ([("authorization", f"Bearer {TOKEN}"), ("authorization", f"Bearer {TOKEN}x")], "", BadRequest),
        ([("cookie", f"{COOKIE}={SESSION}"), ("cookie", f"{COOKIE}={SESSION}x")], "", BadRequest),
        ([("authorization", "Bearer")], "", Unauthenticated),
        ([("authorization", TOKEN)], "", Unauthenticated),
        ([("authorization", "Digest x")], "", Unauthenticated),
        ([("authorization", "Basic !!!")], "", Unauthenticated),
        ([("authorization", "Basic " + base64.b64encode(b"\xff:x").decode())], "", Unauthenticated),
        ([], f"token={TOKEN}", BadRequest),
        ([], "access_token=x", BadRequest),
        ([], "API_KEY=x", BadRequest),
        ([], f"whatever={TOKEN}", BadRequest),
        ([], f"whatever={SESSION}", BadRequest),
        ([], f"whatever={JWT}", BadRequest),
        ([], "jwt=x", BadRequest),
        ([("authorization", f"Bearer {TOKEN}")], f"key={TOKEN}", BadRequest),
    ],
)
def test_what_is_refused(given_headers: list[tuple[str, str]], query: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        find(headers(*given_headers), QueryParams(query))
    assert TOKEN not in str(caught.value)


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_header_breaks_it(authorization: str, cookie: str) -> None:
    raw = [(b"authorization", authorization.encode()), (b"cookie", cookie.encode())]
    try:
        found = find(Headers(raw=raw), NOTHING)
    except (BadRequest, Unauthenticated):
        return
    assert found is None or found.value


def test_a_credential_does_not_show_itself() -> None:
    assert TOKEN not in repr(Credential("bearer", TOKEN))


OURS = "http://house:8484"


@pytest.mark.parametrize(
    ("site", "origin", "required", "is_ours"),
    [
        (None, None, False, True),
        (None, None, True, False),
        ("same-origin", None, True, True),
        ("none", None, True, True),
        ("same-site", None, True, False),
        ("cross-site", None, False, False),
        ("cross-site", OURS, True, False),
        (None, OURS, True, True),
        ("same-origin", OURS, True, True),
        ("same-origin", "http://evil", True, False),
        (None, "http://evil", False, False),
        (None, "null", False, False),
        (None, "http://house:8485", False, False),
        (None, "http://house", False, False),
        (None, "http://house:8484.evil", False, False),
        (None, "http://evil@house:8485", False, False),
        (None, "https://ai.example.org", True, True),
        (None, "http://ai.example.org", True, False),
        (None, "", True, False),
    ],
)
def test_where_a_request_may_come_from(site: str | None, origin: str | None, required: bool, is_ours: bool) -> None:
    given_headers = [("host", "house:8484")]
    if site is not None:
        given_headers.append(("sec-fetch-site", site))
    if origin is not None:
        given_headers.append(("origin", origin))
    if is_ours:
        check_origin(headers(*given_headers), "https://ai.example.org", required=required)
    else:
        with pytest.raises(Forbidden):
            check_origin(headers(*given_headers), "https://ai.example.org", required=required)


# --- through the door ---


async def sign_in(client: httpx.AsyncClient) -> str:
    answer = await client.post("/hx/session", json={"name": "Mia", "password": "battery staple"})
    assert answer.status_code == 200
    session = answer.cookies[COOKIE]
    client.cookies.clear()
    return session


async def test_every_credential_gives_the_same_person_the_same_rights(
    house: House, stranger: httpx.AsyncClient
) -> None:
    session = await sign_in(stranger)
    ways = [
        {"Authorization": f"Bearer {house.token}"},
        {"Authorization": basic("any", house.token)},
        {"Cookie": f"{COOKIE}={session}"},
        {"Authorization": f"Bearer {session}"},
    ]
    for way in ways:
        me = await stranger.get("/hx/me", headers=way)
        assert (me.status_code, me.json()["name"], me.json()["role"]) == (200, "Mia", "member"), way
        refused = await stranger.get("/hx/admin/users", headers=way)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), way


async def test_the_owner_of_this_machine_comes_in_but_not_through_a_proxy(
    house: House, stranger: httpx.AsyncClient
) -> None:
    secret = house.app.local_token or ""
    local = {"Authorization": f"Bearer {secret}"}
    assert (await stranger.get("/hx/me", headers=local)).json()["credential"] == "local"
    for forwarded in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        answer = await stranger.get("/hx/me", headers=local | {forwarded: "127.0.0.1"})
        assert answer.status_code == 401, forwarded
    as_password = await stranger.get("/hx/me", headers={"Authorization": basic("x", secret)})
    assert as_password.status_code == 401


@pytest.mark.parametrize(
    "markers", [{}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
async def test_another_site_can_not_use_a_cookie(stranger: httpx.AsyncClient, markers: dict[str, str]) -> None:
    session = await sign_in(stranger)
    cookie = {"Cookie": f"{COOKIE}={session}"}
    refused = await stranger.post("/hx/tokens", json={"name": "theft"}, headers=cookie | markers)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    own = {"Origin": str(stranger.base_url).rstrip("/")}
    assert (await stranger.get("/hx/tokens", headers=cookie)).json() != []
    assert (await stranger.post("/hx/tokens", json={"name": "mine"}, headers=cookie | own)).status_code == 200


@pytest.mark.parametrize("path", ["/hx/session", "/hx/first-admin", "/hx/invites/claim"])
async def test_another_site_can_not_sign_anyone_in(stranger: httpx.AsyncClient, path: str) -> None:
    body = {"name": "Mia", "password": "battery staple"}
    answer = await stranger.post(path, json=body, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_a_browser_with_a_password_of_its_own_is_not_used_either(
    house: House, stranger: httpx.AsyncClient
) -> None:
    way = {"Authorization": basic("any", house.token), "Origin": "http://evil.example"}
    assert (await stranger.post("/hx/tokens", json={"name": "theft"}, headers=way)).status_code == 403


async def test_a_token_in_the_address_is_refused_with_a_sentence(house: House, stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/v1/models", params={"token": house.token})
    assert answer.status_code == 400
    assert "Authorization: Bearer" in answer.json()["error"]["message"]
    assert house.token not in answer.text


async def test_a_session_that_is_over_leads_to_the_sign_in_page(stranger: httpx.AsyncClient) -> None:
    session = await sign_in(stranger)
    cookie = {"Cookie": f"{COOKIE}={session}", "Accept": "text/html"}
    own = {"Origin": str(stranger.base_url).rstrip("/")}
    assert (await stranger.delete("/hx/session", headers=cookie | own)).status_code == 200
    page = await stranger.get("/", headers=cookie)
    assert page.status_code == 401
    assert 'action="/hx/session"' in page.text
    again = await stranger.post("/hx/session", json={"name": "Mia", "password": "battery staple"}, headers=cookie | own)
    assert again.status_code == 200
