"""The pages for who is not in yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from tests.web.conftest import OpenHouse


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
