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
from halext_web.credentials import COOKIE, Credential, check_origin, check_type, find

if TYPE_CHECKING:
    from tests.web.conftest import House, OpenHouse

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


@pytest.mark.parametrize(
    ("kind", "passes"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("application/x-www-form-urlencoded", True),
        ("", True),
        ("text/plain", False),
        ("text/plain; application/json", False),
        ("multipart/form-data; boundary=x", False),
        ("application/xml", False),
    ],
)
def test_a_page_sends_json_or_a_form(kind: str, *, passes: bool) -> None:
    if passes:
        check_type(headers(("content-type", kind)))
        return
    with pytest.raises(Forbidden):
        check_type(headers(("content-type", kind)))


async def test_admins_administer_from_their_networks_only(open_house: OpenHouse) -> None:
    house = await open_house(admin_cidrs="192.0.2.0/24", trusted_proxies="127.0.0.1")
    session, _ = await house.app.people.sign_in("Ada", "correct horse")
    for forwarded, inside in [("192.0.2.9", True), ("203.0.113.9", False), (None, True)]:
        extra = {"X-Forwarded-For": forwarded} if forwarded else {}
        async with house.client(headers={"Authorization": f"Bearer {session}"} | extra) as ada:
            assert (await ada.get("/hx/me")).status_code == 200
            answer = await ada.get("/hx/admin/users")
            assert answer.status_code == (200 if inside else 403)
            if not inside:
                assert "HALEXT_ADMIN_CIDRS" in answer.json()["message"]
            # Not through an operation either that everyone may use, and that gives administrators more.
            others = await ada.post("/hx/tokens", json={"name": "x", "user": "Mia"})
            assert others.status_code == (200 if inside else 403)


async def test_a_stranger_learns_nothing_of_the_networks(open_house: OpenHouse) -> None:
    house = await open_house(admin_cidrs="192.0.2.0/24", trusted_proxies="127.0.0.1")
    async with house.client(headers={"X-Forwarded-For": "203.0.113.9"}) as stranger:
        assert (await stranger.get("/hx/admin/users")).status_code == 401


async def test_wrong_tokens_are_counted_and_right_ones_never_turned_away(house: House) -> None:
    wrong = {"Authorization": "Bearer hx_" + "A" * 43}
    async with house.client(headers={}) as client:
        statuses = [(await client.get("/hx/me", headers=wrong)).status_code for _ in range(22)]
        assert statuses == [401] * 20 + [429] * 2
        limited = await client.get("/hx/me", headers=wrong)
        assert limited.headers["retry-after"] == "60"
        assert (await client.get("/hx/me", headers=house.auth)).status_code == 200
        assert (await client.get("/sign-in", headers=wrong)).status_code == 200


# --- on whose account ---


async def named(house: House, workspace: bytes) -> httpx.Response:
    async with house.client() as client:
        return await client.get("/hx/me", headers=[(b"X-Halext-Workspace", workspace)])


async def test_a_workspace_is_named_by_a_header_and_counted(house: House) -> None:
    mia = await house.app.people.caller_for(house.token)
    await house.app.workspaces.create(mia, "Köln")
    body = {"model": "llama3.2:3b", "prompt": "hi", "stream": False}
    async with house.client() as client:
        for number, header in enumerate(("KÖLN".encode(), "köln".encode(), b"")):
            answer = await client.post("/api/generate", json=body, headers=[(b"X-Halext-Workspace", header)])
            assert answer.status_code == 200, number
        (row,) = (await client.get("/hx/usage", params={"workspace": "köln"})).json()
        assert (row["user"], row["requests"]) == ("Mia", 2)
        (row,) = (await client.get("/hx/usage")).json()
        assert row["requests"] == 3


async def test_a_workspace_that_is_not_theirs_is_not_there_on_any_door(house: House) -> None:
    session, _ = await house.app.people.sign_in("Ada", "correct horse")
    await house.app.workspaces.create(await house.app.people.caller_for(session), "home")
    for name in (b"home", b"nowhere", b"\xff\xfe"):
        answer = await named(house, name)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_workspace")
    async with house.client() as client:
        for path in ("/v1/models", "/api/tags"):
            answer = await client.get(path, headers={"X-Halext-Workspace": "home"})
            assert answer.status_code == 404
            assert "unknown_workspace" in answer.text


async def test_one_workspace_at_a_time(house: House) -> None:
    async with house.client() as client:
        headers = [("X-Halext-Workspace", "a"), ("X-Halext-Workspace", "b")]
        assert (await client.get("/hx/me", headers=headers)).status_code == 400


async def test_who_is_nobody_has_no_workspace(house: House) -> None:
    local = {"Authorization": f"Bearer {house.app.local_token}", "X-Halext-Workspace": "home"}
    async with house.client(local) as client:
        assert (await client.get("/hx/me")).json()["code"] == "unknown_workspace"
    async with house.client({"X-Halext-Workspace": "home"}) as client:
        assert (await client.get("/hx/me")).status_code == 401
