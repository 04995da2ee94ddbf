"""The page of one's account, with plain forms."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from halext.accounts.links.types import ChatAccount
from halext.accounts.quotas.types import Measure, Subject
from halext.testing.clock import ManualClock
from tests.web.conftest import House, OpenHouse

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


# --- sign-ins, tokens, the password ---


@pytest.fixture
async def browser(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """Mia in a browser."""
    async with house.client(headers={"Origin": house.url, "User-Agent": "Firefox/140 Linux"}) as client:
        await client.post("/hx/session", json={"name": "Mia", "password": "battery staple"})
        yield client


async def test_sign_ins_are_shown_and_ended(house: House, browser: httpx.AsyncClient) -> None:
    other, _ = await house.app.people.sign_in("Mia", "battery staple", user_agent="<b>Chrome</b> on Android")
    page = (await browser.get("/account")).text
    assert 'Firefox on Linux <span class="tag">this one</span>' in page
    assert "Chrome on Android" in page
    assert "from 127.0.0.1" in page
    session = (await house.app.people.caller_for(other)).session
    assert (await act(browser, do="end-session", id=str(session))).status_code == 303
    assert "Android" not in (await browser.get("/account")).text
    assert (await act(browser, do="sign-out-everywhere")).status_code == 303
    assert (await browser.get("/account")).status_code == 401


async def test_tokens_are_shown_with_what_they_may(house: House, browser: httpx.AsyncClient) -> None:
    mia = await house.app.people.caller_for(house.token)
    _, info = await house.app.people.create_token(mia, "<b>laptop</b>")
    page = (await browser.get("/account")).text
    assert "&lt;b&gt;laptop" in page
    assert "May: own, use." in page
    assert "May: all that you may." in page
    assert (await act(browser, do="revoke", id=str(info.id))).status_code == 303
    assert "laptop" not in (await browser.get("/account")).text


async def test_the_password_is_changed_and_this_page_stays_open(house: House, browser: httpx.AsyncClient) -> None:
    wrong = await act(browser, do="password", current="wrong", password="another good one")
    assert (wrong.status_code, "current password is wrong" in wrong.text) == (403, True)
    answer = await act(browser, do="password", current="battery staple", password="another good one")
    assert "another password now" in answer.text
    assert (await browser.get("/account")).status_code == 200
    await house.app.people.sign_in("Mia", "another good one")


@pytest.mark.parametrize("number", ["x", "-1", "9" * 30, "2000000000", "\u00b2"])
async def test_a_number_that_is_none_is_answered_like_one_that_nothing_has(
    member: httpx.AsyncClient, number: str
) -> None:
    assert (await act(member, do="end-session", id="")).status_code == 422
    assert (await act(member, do="end-session", id=number)).status_code == 404


async def test_a_token_for_the_account_alone_opens_its_page(house: House, member: httpx.AsyncClient) -> None:
    token = (await member.post("/hx/tokens", json={"name": "account", "scopes": ["account"]})).json()["token"]
    async with house.client({"Authorization": f"Bearer {token}"}) as limited:
        assert (await limited.get("/account")).status_code == 200


async def test_invites_are_for_those_who_may(member: httpx.AsyncClient) -> None:
    assert "Invites" not in (await member.get("/account")).text
    assert (await act(member, do="invite", role="admin")).status_code == 403
    assert (await act(member, do="end-invite", id="1")).status_code == 403


async def test_an_admin_makes_and_ends_an_invite(house: House) -> None:
    async with house.client(headers={"Origin": house.url}) as admin:
        await admin.post("/hx/session", json={"name": "Ada", "password": "correct horse"})
        made = await act(admin, do="invite", role="guest", note="for <Gus>")
        found = re.search(r'<code class="copy">([^<]+/welcome\?invite=hxi_[^<]+)</code>', made.text)
        assert found
        page = (await admin.get("/account")).text
        assert "for &lt;Gus&gt;" in page
        assert "hxi_" not in page
        number = re.search(r'name="id" value="(\d+)">\s*<button type="submit" name="do" value="end-invite"', page)
        assert number
        assert (await act(admin, do="end-invite", id=number[1])).status_code == 303
        assert "Gus" not in (await admin.get("/account")).text


async def test_an_old_sign_in_is_offered_a_new_one(open_house: OpenHouse) -> None:
    clock = ManualClock()
    house = await open_house(clock=clock)
    async with house.client(headers={"Origin": house.url}) as admin:
        await admin.post("/hx/session", json={"name": "Ada", "password": "correct horse"})
        await clock.advance(3601)
        refused = await act(admin, do="invite", role="member")
        assert refused.status_code == 403
        assert '<a class="button" href="/sign-in?again=1">Sign in again</a>' in refused.text
        over_hx = await admin.post("/hx/admin/invites", json={})
        assert (over_hx.status_code, over_hx.json()["code"]) == (403, "sign_in_again")
        await admin.post("/hx/session", data={"name": "Ada", "password": "correct horse"})
        assert (await act(admin, do="invite", role="member")).status_code == 200


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
