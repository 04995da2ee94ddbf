"""The chat page, as far as it goes without JavaScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from halext.errors import Interrupted, RequestRefused
from halext.messages import ChatChunk, ChatRequest, Done

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


async def test_a_question_by_form_comes_back_with_its_answer(house: House, member: httpx.AsyncClient) -> None:
    page = await member.post("/ask", data={"model": "llama3.2:3b", "prompt": "What is 1 < 2?"})
    assert page.status_code == 200
    assert "What is 1 &lt; 2?" in page.text
    assert ">Hello<" in page.text
    assert "Why this node?" in page.text
    assert "A 135 M model, here to show" not in page.text.partition("<template")[0]
    (request,) = house.script.requests
    assert isinstance(request, ChatRequest)
    assert request.messages[-1].content == "What is 1 < 2?"


async def test_the_built_in_model_says_what_it_is(open_house: OpenHouse) -> None:
    house = await open_house(builtin=True)
    async with house.client() as client:
        page = await client.post("/ask", data={"prompt": "Hi"})
    assert "A 135 M model, here to show that everything works." in page.text.partition("<template")[0]


async def test_what_a_model_says_is_text(house: House, member: httpx.AsyncClient) -> None:
    hostile = '<script>alert(1)</script><img src="http://evil.example/x">'
    house.script.answer = [ChatChunk(text=hostile, thinking="<b>hm</b>"), ChatChunk(done=Done())]
    page = (await member.post("/ask", data={"prompt": hostile})).text
    assert "<script>alert" not in page
    assert '<img src="http' not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2
    assert "&lt;b&gt;hm&lt;/b&gt;" in page


async def test_a_failure_is_told_on_the_page(house: House, member: httpx.AsyncClient) -> None:
    house.script.errors[0] = RequestRefused("mac refused the request.", node="mac")
    page = await member.post("/ask", data={"prompt": "Hi"})
    assert page.status_code == 400
    assert "mac refused the request." in page.text
    house.script.errors = {1: Interrupted("mac stopped midway.", node="mac")}
    broken = await member.post("/ask", data={"prompt": "Hi"})
    assert "mac stopped midway." in broken.text


async def test_an_empty_question_is_asked_for(member: httpx.AsyncClient) -> None:
    answer = await member.post("/ask", data={"prompt": ""}, headers={"Accept": "text/html"})
    assert answer.status_code == 422
    assert "prompt" in answer.text
