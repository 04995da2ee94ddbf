"""Coming in and going out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from halext_web.credentials import COOKIE

if TYPE_CHECKING:
    from tests.web.conftest import House, OpenHouse

MIA = {"name": "Mia", "password": "battery staple"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def cookie_of(answer: httpx.Response) -> dict[str, str]:
    """The attributes of the session's cookie, in lower case."""
    for header in answer.headers.get_list("set-cookie"):
        name, *attributes = [part.strip() for part in header.split(";")]
        if name.startswith(f"{COOKIE}="):
            pairs = [attribute.lower().partition("=") for attribute in attributes]
            return {key: value for key, _, value in pairs} | {"value": name.partition("=")[2]}
    return {}


async def test_a_session_is_a_cookie_that_scripts_do_not_see(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.post("/hx/session", json=MIA)
    assert answer.json() == {"name": "Mia", "role": "member", "credential": "session"}
    cookie = cookie_of(answer)
    assert cookie["value"] not in answer.text
    assert {"httponly", "path", "samesite", "max-age"} <= set(cookie)
    assert (cookie["path"], cookie["samesite"]) == ("/", "lax")
    assert "secure" not in cookie  # over plain http it would never come back
    assert (await stranger.get("/hx/me")).json()["credential"] == "session"


async def test_over_https_the_cookie_stays_on_https(open_house: OpenHouse) -> None:
    house = await open_house(trusted_proxies="127.0.0.1/32")
    async with house.client(headers={}) as client:
        answer = await client.post("/hx/session", json=MIA, headers={"X-Forwarded-Proto": "https"})
    assert "secure" in cookie_of(answer)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (MIA | {"password": "wrong"}, 401),
        (MIA | {"name": "nobody"}, 401),
        (MIA | {"role": "admin"}, 422),
        ({"name": "Mia"}, 422),
    ],
)
async def test_what_does_not_open(stranger: httpx.AsyncClient, body: dict[str, Any], status: int) -> None:
    answer = await stranger.post("/hx/session", json=body)
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers


async def test_wrong_name_and_wrong_password_look_the_same(stranger: httpx.AsyncClient) -> None:
    answers = [await stranger.post("/hx/session", json=MIA | change) for change in ({"name": "x"}, {"password": "x"})]
    one, other = [{key: value for key, value in a.json().items() if key != "request_id"} for a in answers]
    assert one == other


async def test_guessing_is_slowed_down(stranger: httpx.AsyncClient) -> None:
    for _ in range(5):
        assert (await stranger.post("/hx/session", json=MIA | {"password": "x"})).status_code == 401
    answer = await stranger.post("/hx/session", json=MIA)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


async def test_signing_out_ends_it_at_once(stranger: httpx.AsyncClient) -> None:
    signed_in = await stranger.post("/hx/session", json=MIA)
    kept = {"Cookie": f"{COOKIE}={signed_in.cookies[COOKIE]}"}
    own = {"Origin": str(stranger.base_url).rstrip("/")}
    answer = await stranger.delete("/hx/session", headers=own)
    assert answer.status_code == 200
    assert cookie_of(answer)["max-age"] == "0"
    stranger.cookies.clear()
    assert (await stranger.get("/hx/me", headers=kept)).status_code == 401


async def test_the_pages_button_signs_out_too(stranger: httpx.AsyncClient) -> None:
    await stranger.post("/hx/session", json=MIA)
    answer = await stranger.post("/sign-out", headers=FORM | {"Origin": str(stranger.base_url).rstrip("/")})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert (await stranger.get("/hx/me")).status_code == 401


async def test_a_form_leads_to_the_chat(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.post("/hx/session", data=MIA)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert cookie_of(answer)


async def test_there_is_one_first_admin(house: House, stranger: httpx.AsyncClient) -> None:
    body = {"code": "hxc_" + "a" * 43, "name": "Eve", "password": "long enough to be taken"}
    answer = await stranger.post("/hx/first-admin", json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert {user.name for user in await house.app.people.list_users()} == {"Ada", "Mia"}


async def test_the_first_admin_comes_in_with_the_code(open_house: OpenHouse) -> None:
    house = await open_house(people=False)
    async with house.client(headers={}) as client:
        code = await house.app.people.first_admin_code()
        short = await client.post("/hx/first-admin", json={"code": code, "name": "Ada", "password": "short"})
        assert short.status_code == 422
        body = {"code": code, "name": "Ada", "password": "correct horse"}
        answer = await client.post("/hx/first-admin", json=body)
        assert answer.json() == {"name": "Ada", "role": "admin", "credential": "session"}
        assert (await client.get("/hx/admin/users")).status_code == 200
        client.cookies.clear()
        again = await client.post("/hx/first-admin", json=body | {"name": "Eve"})
        assert again.status_code == 403
