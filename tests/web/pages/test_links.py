"""The page of one's account, with plain forms."""

from __future__ import annotations

import re

import httpx
import pytest

from halext.accounts.links.types import ChatAccount
from halext.accounts.quotas.types import Measure, Subject
from tests.web.conftest import House

EVIL = ChatAccount("discord", '1001">', '<b>Mia</b> & "co"')


async def act(member: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await member.post("/account", data=fields)


async def code_of(member: httpx.AsyncClient) -> str:
    answer = await act(member, do="code")
    assert answer.status_code == 200
    found = re.search(r'<code class="copy">/link ([^<]+)</code>', answer.text)
    assert found
    return found[1]


async def test_a_code_is_shown_once_and_links(house: House, member: httpx.AsyncClient) -> None:
    page = await member.get("/account")
    assert page.status_code == 200
    assert "None is linked." in page.text
    code = await code_of(member)
    answer = await member.get("/account")
    assert code not in answer.text
    assert (await house.app.links.claim(ChatAccount("telegram", "77", "Mia M."), code)).name == "Mia"
    page = await member.get("/account")
    assert "None is linked." not in page.text
    assert "Telegram <strong>Mia M.</strong><small>Number 77</small>" in page.text


async def test_pages_with_a_code_are_kept_nowhere(member: httpx.AsyncClient) -> None:
    answer = await act(member, do="code")
    assert "no-store" in answer.headers["cache-control"]


async def test_foreign_names_are_text(house: House, member: httpx.AsyncClient) -> None:
    await house.app.links.claim(EVIL, await code_of(member))
    page = (await member.get("/account")).text
    assert "&lt;b&gt;Mia&lt;/b&gt;" in page
    assert "<b>Mia" not in page
    assert '1001">' not in page


async def test_a_link_is_ended_by_its_button(house: House, member: httpx.AsyncClient) -> None:
    await house.app.links.claim(EVIL, await code_of(member))
    answer = await act(member, do="unlink", platform=EVIL.platform, account=EVIL.id)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert "None is linked." in (await member.get("/account")).text
    assert await house.app.links.caller_for(EVIL) is None


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"do": "unlink", "platform": "discord", "account": "404"}, 404, "no such link"),
        ({"do": "unlink", "platform": "discord"}, 422, "account"),
        ({"do": "explode"}, 422, "button"),
        ({}, 422, "do"),
    ],
)
async def test_what_can_not_be_done_is_said_on_the_page(
    member: httpx.AsyncClient, fields: dict[str, str], status: int, says: str
) -> None:
    answer = await act(member, **fields)
    assert answer.status_code == status
    assert re.search(rf'role="alert">[^<]*{says}', answer.text)
    assert "<h2>Chat accounts</h2>" in answer.text


async def test_strangers_sign_in_first(stranger: httpx.AsyncClient) -> None:
    for answer in (await stranger.get("/account"), await act(stranger, do="code")):
        assert answer.status_code in {303, 401}
        assert "/link" not in answer.text


async def test_the_same_over_hx(house: House, member: httpx.AsyncClient) -> None:
    made = (await member.post("/hx/links/code", json={})).json()
    await house.app.links.claim(ChatAccount("discord", "1001", "Mia"), made["code"])
    (row,) = (await member.get("/hx/links")).json()
    assert (row["platform"], row["account"], row["name"]) == ("discord", "1001", "Mia")
    assert (await member.get("/hx/links?user=Ada")).status_code == 404
    assert (await member.delete("/hx/links/discord/999")).status_code == 404
    assert (await member.delete("/hx/links/discord/1001")).status_code == 200
    assert (await member.get("/hx/links")).json() == []


async def test_what_is_left_is_shown_where_there_is_a_limit(house: House, member: httpx.AsyncClient) -> None:
    assert "Quota" not in (await member.get("/account")).text
    (mia,) = [user for user in await house.app.people.list_users() if user.name == "Mia"]
    await house.app.quotas.set(Subject("user", str(mia.id)), {Measure.TOKENS: 50_000, Measure.GPU_SECONDS: 9})
    page = (await member.get("/account")).text
    assert "50,000 of 50,000 tokens a day left" in page
    assert "9 of 9 GPU seconds a day left" in page
    assert "images" not in page
