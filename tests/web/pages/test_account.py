"""The pages for who is not in yet."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import httpx
import pytest

from halext.accounts.types import LOCAL, Role
from halext.runtime.log import QUIET
from halext.runtime.redaction import redact

if TYPE_CHECKING:
    from tests.web.conftest import House, OpenHouse


async def test_the_code_leaves_the_address_at_once(open_house: OpenHouse) -> None:
    house = await open_house(people=False)
    async with house.client(headers={}) as client:
        code = await house.app.people.first_admin_code() or ""
        opened = await client.get("/welcome", params={"code": code})
        assert (opened.status_code, opened.headers["location"]) == (303, "/welcome")
        cookie = opened.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "path=/welcome" in cookie
        page = await client.get("/welcome")
        assert f'<input type="hidden" name="code" value="{code}">' in page.text
        wrong = await client.post("/hx/first-admin", data={"code": code, "name": "Ada", "password": "short"})
        assert wrong.status_code == 422
        assert code in wrong.text  # a typing mistake does not lose it
        done = await client.post("/hx/first-admin", data={"code": code, "name": "Ada", "password": "correct horse"})
        assert (done.status_code, done.headers["location"]) == (303, "/")
        assert (await client.get("/")).status_code == 200
        assert code not in (await client.get("/welcome")).text


async def test_without_the_link_the_code_can_be_typed(stranger: httpx.AsyncClient) -> None:
    page = await stranger.get("/welcome")
    assert '<input name="code" autocomplete="off"' in page.text


async def test_a_code_is_only_text(stranger: httpx.AsyncClient) -> None:
    await stranger.get("/welcome", params={"code": '"><script>alert(1)</script>'})
    page = await stranger.get("/welcome")
    assert "<script>alert" not in page.text


async def test_nobody_yet_is_told_about_the_link(open_house: OpenHouse) -> None:
    house = await open_house(people=False)
    async with house.client(headers={}) as client:
        page = await client.get("/sign-in")
    assert "one-time link" in page.text
    assert 'name="password"' not in page.text


async def test_who_is_in_goes_on_to_the_chat(member: httpx.AsyncClient) -> None:
    answer = await member.get("/sign-in")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_who_wants_to_show_the_password_again_may(member: httpx.AsyncClient) -> None:
    page = await member.get("/sign-in", params={"again": "1"})
    assert 'action="/hx/session"' in page.text


async def test_an_invite_is_opened_and_taken(house: House, stranger: httpx.AsyncClient) -> None:
    code = (await house.app.invites.make(LOCAL, Role.MEMBER)).code
    opened = await stranger.get("/welcome", params={"invite": code})
    assert (opened.status_code, opened.headers["location"]) == (303, "/welcome")
    page = await stranger.get("/welcome")
    assert "You are invited" in page.text
    assert "administrator" not in page.text
    assert 'action="/hx/invites/claim"' in page.text
    taken = await stranger.post("/hx/invites/claim", data={"code": code, "name": "mia", "password": "correct horse"})
    assert taken.status_code == 409
    assert code in taken.text
    done = await stranger.post("/hx/invites/claim", data={"code": code, "name": "Bob", "password": "correct horse"})
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert code not in (await stranger.get("/welcome")).text
    used = await stranger.post(
        "/hx/invites/claim",
        data={"code": code, "name": "Eve", "password": "correct horse"},
        headers={"Origin": str(stranger.base_url).rstrip("/")},
    )
    assert "used or has ended" in used.text


async def test_the_code_of_an_invite_stands_in_no_log(
    house: House, stranger: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    for name in QUIET:  # as `log.configure` does
        caplog.set_level(logging.WARNING, name)
    caplog.set_level(logging.DEBUG)
    code = (await house.app.invites.make(LOCAL, Role.MEMBER)).code
    await stranger.get("/welcome", params={"invite": code})
    await stranger.post("/hx/invites/claim", data={"code": code, "name": "Bob", "password": "correct horse"})
    said = [record.getMessage() for record in caplog.records]
    assert any("/welcome" in line for line in said)
    assert not any(code in line for line in said)
    assert code not in redact(f"GET /welcome?invite={code}")
