"""The audit log as administrators see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from halext.accounts.types import LOCAL, Caller, Role
from halext_web.pages import audit

if TYPE_CHECKING:
    from tests.web.conftest import House

ADA = {"name": "Ada", "password": "correct horse"}


@pytest.fixture
async def admin(stranger: httpx.AsyncClient) -> httpx.AsyncClient:
    await stranger.post("/hx/session", json=ADA)
    return stranger


async def test_what_was_done_is_shown_and_is_no_markup(house: House, admin: httpx.AsyncClient) -> None:
    evil = Caller("<script>x</script>", Role.MEMBER, "token")
    await house.app.audit.write("nodes.drain-node", evil, "<img src=x>", "denied", why="<b>")
    page = (await admin.get("/admin/audit")).text
    assert "people.sign-in" in page
    assert "&lt;script&gt;" in page
    assert not any(tag in page for tag in ("<script>x", "<img src=x>", "<b>"))


async def test_pages_follow_one_another(
    house: House, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "SHOWN", 2)
    for subject in ("one", "two", "three"):
        await house.app.audit.write("nodes.drain-node", LOCAL, subject)
    page = (await admin.get("/admin/audit", params={"action": "nodes", "who": "owner"})).text
    assert "three" in page
    assert "<td>one" not in page
    older = page.split('href="/admin/audit?after=')[1].split('"')[0].replace("&amp;", "&")
    page = (await admin.get("/admin/audit?after=" + older)).text
    assert "<td>one" in page
    assert "<td>two" not in page
    assert "Older" not in page
    assert "Nothing of this" in (await admin.get("/admin/audit?who=nobody")).text


async def test_members_and_nonsense_are_turned_away(member: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    assert (await member.get("/admin/audit")).status_code == 403
    for after in ("x", "-1", "1" * 30, "٣"):
        assert (await admin.get("/admin/audit", params={"after": after})).status_code == 422
