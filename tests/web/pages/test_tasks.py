"""One's tasks, with plain forms."""

from __future__ import annotations

import re

import httpx
import pytest

from halext.accounts.workspaces.types import WorkspaceRole
from tests.web.conftest import House


async def act(member: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await member.post("/tasks", data=fields)


async def test_a_tasks_life(member: httpx.AsyncClient) -> None:
    added = await act(member, do="add", title="Call <b>Bob</b>", priority="high")
    assert (added.status_code, added.headers["location"]) == (303, "/tasks")
    page = (await member.get("/tasks")).text
    assert "Call &lt;b&gt;Bob&lt;/b&gt;" in page
    assert "<b>Bob" not in page
    found = re.search(r'name="id" value="(\d+)"', page)
    assert found
    assert (await act(member, do="done", id=found[1])).status_code == 303
    page = (await member.get("/tasks")).text
    assert "Nothing is open." in page
    assert "Reopen" in page


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"do": "add", "title": " "}, 422, "needs a title"),
        ({"do": "add", "title": "x", "priority": "now"}, 422, "no priority"),
        ({"do": "done", "id": "x"}, 422, "number"),
        ({"do": "done", "id": "999999"}, 404, "no such task"),
        ({"do": "explode"}, 422, "button"),
        ({"title": "x"}, 422, "do"),
        ({"do": "suggest", "text": " "}, 422, "no text"),
    ],
)
async def test_what_can_not_be_done_is_said_on_the_page(
    member: httpx.AsyncClient, fields: dict[str, str], status: int, says: str
) -> None:
    answer = await act(member, **fields)
    assert answer.status_code == status
    assert says in answer.text
    assert "<h1>Tasks</h1>" in answer.text


async def test_a_model_that_can_not_suggest_loses_no_text(member: httpx.AsyncClient) -> None:
    answer = await act(member, do="suggest", text="call Bob, soon")
    assert answer.status_code == 502
    assert "call Bob, soon</textarea>" in answer.text


async def test_a_task_is_shared_and_marked(house: House, member: httpx.AsyncClient) -> None:
    session, _ = await house.app.people.sign_in("Ada", "correct horse")
    mia = await house.app.people.caller_for(house.token)
    await act(member, do="add", title="Call Bob")
    assert ">Share<" not in (await member.get("/tasks")).text
    await house.app.workspaces.create(mia, "home")
    await house.app.workspaces.add(mia, "home", "Ada", WorkspaceRole.VIEWER)
    assert (await act(member, do="share", id="1", workspace="home")).status_code == 303
    assert '<span class="tag shared">home</span>' in (await member.get("/tasks")).text
    async with house.client({"Cookie": f"hx_session={session}", "Origin": house.url}) as viewer:
        page = (await viewer.get("/tasks")).text
        assert '<span class="tag shared">home · Mia</span>' in page
        assert 'name="id"' not in page
        refused = await act(viewer, do="done", id="1")
        assert (refused.status_code, "as a viewer" in refused.text) == (403, True)
    assert (await act(member, do="share", id="1", workspace="")).status_code == 303
    assert "tag shared" not in (await member.get("/tasks")).text
