"""Attack 16: let a browser carry out what another site wants with its sign-in, or sign it in as somebody else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from halext_web.app import all_routes

if TYPE_CHECKING:
    from tests.web.conftest import House, OpenHouse

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain"}
FILES = {"Content-Type": "multipart/form-data; boundary=x"}
EVIL = {"Origin": "https://evil.example"}

FOREIGN: list[tuple[str, dict[str, str]]] = [
    ("a form", FORM | EVIL | {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}),
    ("a form in an old browser", FORM | EVIL),
    ("a form that says nothing of where it is from", FORM),
    ("a form in a sandboxed frame", FORM | {"Origin": "null"}),
    ("a sister site", FORM | {"Origin": "https://other.example.org", "Sec-Fetch-Site": "same-site"}),
    ("fetch", JSON | EVIL | {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}),
    ("fetch without cors", TEXT | EVIL | {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}),
    ("a beacon", TEXT | EVIL),
    ("only its site is told", JSON | {"Sec-Fetch-Site": "cross-site"}),
    ("a lie about its site", JSON | EVIL | {"Sec-Fetch-Site": "same-origin"}),
    ("a host that only begins like ours", JSON | {"Origin": "http://127.0.0.1.evil.example"}),
    ("another port", JSON | {"Origin": "http://127.0.0.1:1"}),
    ("text that is JSON", TEXT | {"Sec-Fetch-Site": "same-origin"}),
    ("files", FILES | {"Sec-Fetch-Site": "same-origin"}),
]


@pytest.fixture
async def session(house: House) -> str:
    return (await house.app.people.sign_in("Mia", "battery staple"))[0]


async def test_nothing_changes_for_a_page_of_another_site(house: House, session: str) -> None:
    cookie = {"Cookie": f"hx_session={session}"}
    routes = [(method, entry.path) for entry in all_routes() for method in entry.methods if method != "GET"]
    wrong = []
    async with house.client(headers=cookie) as browser:
        for method, path in routes:
            for kind, headers in FOREIGN:
                answer = await browser.request(method, re.sub(r"\{[^}]*\}", "1", path), headers=headers)
                if answer.status_code != 403 or "set-cookie" in answer.headers:
                    wrong.append((method, path, kind, answer.status_code))
        assert wrong == []
        assert len(routes) > 25
        assert (await browser.get("/hx/tasks")).json() == []
        assert (await browser.get("/hx/me")).json()["name"] == "Mia"


@pytest.mark.parametrize(("kind", "headers"), [case for case in FOREIGN if EVIL.items() <= case[1].items()])
@pytest.mark.parametrize("path", ["/hx/session", "/hx/first-admin"])
async def test_nobody_is_signed_in_from_elsewhere(
    stranger: httpx.AsyncClient, path: str, kind: str, headers: dict[str, str]
) -> None:
    for body in (b"name=Mia&password=battery+staple&code=x", b'{"name":"Mia","password":"battery staple"}'):
        answer = await stranger.post(path, content=body, headers=headers)
        assert answer.status_code == 403, kind
        assert "set-cookie" not in answer.headers


async def test_credentials_of_a_password_window_are_no_better(house: House) -> None:
    async with house.client(headers={}) as browser:
        for kind, headers in FOREIGN:
            if EVIL.items() <= headers.items():
                answer = await browser.post("/hx/tasks", auth=("", house.token), headers=headers, content=b"{}")
                assert answer.status_code == 403, kind


async def test_our_own_page_and_programs_are_served(house: House, session: str) -> None:
    own = urlsplit(house.url)
    cookie = {"Cookie": f"hx_session={session}"}
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": f"http://{own.netloc}"}):
        async with house.client(headers=cookie | headers) as browser:
            assert (await browser.post("/hx/tasks", json={"title": "a"})).status_code == 200
            assert (await browser.post("/tasks", data={"do": "add", "title": "a"})).status_code == 303
    async with house.client() as program:  # no browser adds this header by itself
        answer = await program.post("/hx/tasks", content=b'{"title":"b"}', headers=TEXT | EVIL)
        assert answer.status_code == 200


@pytest.mark.parametrize(("public_url", "secure"), [(None, False), ("https://ai.example.org", True)])
async def test_the_cookie_is_out_of_reach(open_house: OpenHouse, public_url: str | None, *, secure: bool) -> None:
    house = await open_house(public_url=public_url)
    host = {"Host": "ai.example.org"} if public_url else {}
    async with house.client(headers=host) as browser:
        answer = await browser.post("/hx/session", json={"name": "Mia", "password": "battery staple"})
    flags = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/"} <= flags
    assert ("secure" in flags) is secure
    assert not any(flag.startswith("domain") for flag in flags)
    assert answer.headers["cache-control"] == "no-store"
