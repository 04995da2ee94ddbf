"""Errors in plain words."""

from __future__ import annotations

import httpx

HTML = {"Accept": "text/html"}


async def test_the_page_has_the_sentence_and_the_way_back(member: httpx.AsyncClient) -> None:
    page = await member.get("/nowhere", headers=HTML)
    assert page.status_code == 404
    assert "There is nothing here" in page.text
    assert page.headers["x-halext-request"] in page.text
    assert 'href="/"' in page.text


async def test_a_wrong_method_is_a_page_too(member: httpx.AsyncClient) -> None:
    page = await member.get("/ask", headers=HTML)
    assert page.status_code == 405
    assert "That address works differently" in page.text
