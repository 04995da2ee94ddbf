"""Coming in and going out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from halext.accounts.audit.types import Query
from halext.accounts.types import LOCAL, Role
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
        (MIA | {"password": "wrong", "token": True}, 401),
        ({"name": "Mia", "token": True}, 422),
        ({"token": True}, 401),
        (MIA | {"token": True, "scopes": ["manage-nodes"]}, 403),
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


# --- JWTs ---


async def jwt_of(client: httpx.AsyncClient, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    answer = await client.post("/hx/session", json={"token": True} | body, headers=headers)
    client.cookies.clear()
    return answer


async def test_name_and_password_for_a_jwt_and_no_cookie(stranger: httpx.AsyncClient) -> None:
    answer = await jwt_of(stranger, name="Mia", password="battery staple")
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert set(answer.json()) == {"access_token", "expires_at", "token_type"}
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await stranger.get("/hx/me", headers=bearer)).json()["credential"] == "jwt"
    assert (await stranger.delete("/hx/session", headers=bearer)).status_code == 200
    assert (await stranger.get("/hx/me", headers=bearer)).status_code == 401


async def test_a_credential_makes_a_jwt_without_the_password(house: House, stranger: httpx.AsyncClient) -> None:
    session, _ = await house.app.people.sign_in("Mia", "battery staple")
    for way in (house.auth, {"Authorization": f"Bearer {session}"}):
        made = (await jwt_of(stranger, way, scopes=["use"])).json()["access_token"]
        bearer = {"Authorization": f"Bearer {made}"}
        assert (await stranger.get("/hx/me", headers=bearer)).status_code == 200
        refused = await stranger.get("/hx/tasks", headers=bearer)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        again = await jwt_of(stranger, bearer)
        assert (again.status_code, again.json()["code"]) == (403, "forbidden")


async def test_a_cookie_makes_a_jwt_for_its_own_page_only(stranger: httpx.AsyncClient) -> None:
    await stranger.post("/hx/session", json=MIA)
    kept = {"Cookie": f"{COOKIE}={stranger.cookies[COOKIE]}"}
    stranger.cookies.clear()
    assert (await jwt_of(stranger, kept)).status_code == 403
    assert (await jwt_of(stranger, kept | {"Origin": "http://evil.example"})).status_code == 403
    own = {"Origin": str(stranger.base_url).rstrip("/")}
    assert (await jwt_of(stranger, kept | own)).status_code == 200


async def test_signing_in_again_ends_the_sign_in_before(house: House, stranger: httpx.AsyncClient) -> None:
    await stranger.post("/hx/session", json=MIA)
    before = stranger.cookies[COOKIE]
    own = {"Origin": str(stranger.base_url).rstrip("/")}
    assert (await stranger.post("/hx/session", json=MIA, headers=own)).status_code == 200
    assert stranger.cookies[COOKIE] != before
    stranger.cookies.clear()
    assert (await stranger.get("/hx/me", headers={"Cookie": f"{COOKIE}={before}"})).status_code == 401


# --- invites ---


async def test_an_invite_makes_an_account_once(house: House, stranger: httpx.AsyncClient) -> None:
    made = await house.app.invites.make(LOCAL, Role.GUEST)
    body = {"code": made.code, "name": "Gus", "password": "correct horse"}
    answer = await stranger.post("/hx/invites/claim", json=body)
    assert answer.json() == {"name": "Gus", "role": "guest", "credential": "session"}
    assert (await stranger.get("/hx/me")).json()["name"] == "Gus"
    stranger.cookies.clear()
    again = await stranger.post("/hx/invites/claim", json=body | {"name": "Eve"})
    assert (again.status_code, again.json()["code"]) == (403, "forbidden")
    assert {user.name for user in await house.app.people.list_users()} == {"Ada", "Gus", "Mia"}
    (entry,) = await house.app.audit.page(LOCAL, Query(action="invites.claim"))
    assert (entry.name, entry.subject, entry.details) == ("Gus", "Gus", {"role": "guest"})
    assert made.code not in repr(entry)


async def test_guessing_invites_is_slowed_down(stranger: httpx.AsyncClient) -> None:
    body = {"code": "hxi_" + "a" * 43, "name": "Eve", "password": "correct horse"}
    seen = [(await stranger.post("/hx/invites/claim", json=body)).status_code for _ in range(11)]
    assert seen == [403] * 10 + [429]
