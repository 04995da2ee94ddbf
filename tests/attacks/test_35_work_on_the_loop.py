"""Attack 35: keep the one loop busy with what costs much and looks small, such as Markdown of a certain kind."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest

from halext_web import markdown

if TYPE_CHECKING:
    from tests.web.conftest import House

CPU_S = 5.0
"""Far more than any of these takes on a slow machine, and far less than the attack wants."""
BOMBS = {
    "brackets": "[" * 20_000,
    "pairs of brackets": "[]" * 10_000,
    "links in links": "[a](" * 5_000,
    "pictures in links": "![a](" * 4_000,
    "quotes": ">" * 20_000,
    "quotes and lists": "> - " * 5_000,
    "stars": "*" * 20_000,
    "stars and words": "*a **b " * 3_000,
    "underscores": "_a" * 10_000,
    "backticks": "".join("`" * number + " " for number in range(1, 200)),
    "lists in lists": "".join(" " * number + "- a\n" for number in range(200)),
    "a wide table": "|" + "a|" * 5_000 + "\n|" + "-|" * 5_000 + "\n",
    "a long table": "|a|b|\n|-|-|\n" + "|c|d|\n" * 3_000,
    "references": "".join(f"[a{number}]: /x\n" for number in range(2_000)) + "[a1]" * 400,
    "entities": "&amp" * 8_000,
    "autolinks": "<" * 10_000 + "http://a" * 1_000,
    "html": "<a><b>" * 5_000,
    "escapes": "\\" * 20_000,
    "fences": "```\n~~~\n" * 3_000,
    "titles": "a\n-\n" * 8_000,
    "a mere megabyte": "word " * 200_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_text_costs_much(name: str) -> None:
    text = BOMBS[name]
    began = time.thread_time()
    assert markdown.html(text)
    assert markdown.nodes(text)
    assert time.thread_time() - began < CPU_S


class Held:
    """Takes the place of the renderer, and does not end before it is told to."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.threads: set[int] = set()

    def __call__(self, text: str) -> str:
        self.threads.add(threading.get_ident())
        self.go.wait(30)
        return f"<p>{len(text)}</p>"


@pytest.fixture
async def page(house: House) -> tuple[str, str, dict[str, str]]:
    """The addresses of a conversation and its answer, and what a browser sends."""
    house.script.say(*(f"{text}\n\n" for text in ("**a**", "[" * 3000, "> " * 3000)))
    session, user = await house.app.people.sign_in("Mia", "battery staple")
    caller = await house.app.people.caller_for(session)
    assert user.name == "Mia"
    begun, turn = await house.app.answers.ask(caller, "Hi")
    async for _ in house.app.answers.follow(caller, turn.id):
        pass
    return f"/c/{begun.id}", f"/hx/answers/{turn.id}?rendered=1", {"Cookie": f"hx_session={session}"}


@pytest.mark.parametrize("is_live", [False, True])
async def test_others_are_served_while_something_is_rendered(
    house: House, page: tuple[str, str, dict[str, str]], monkeypatch: pytest.MonkeyPatch, *, is_live: bool
) -> None:
    held = Held()
    monkeypatch.setattr(markdown, "_clean", held)
    markdown.nodes.cache_clear()
    async with house.client(headers=page[2]) as browser, house.client() as member:
        loading = asyncio.get_running_loop().create_task(browser.get(page[1] if is_live else page[0]))
        served = 0
        try:
            while not held.threads or served < 25:
                assert (await member.get("/hx/me")).status_code == 200
                served += 1
            assert not loading.done()
        finally:
            held.go.set()
        answer = await loading
    assert answer.status_code == 200
    assert threading.get_ident() not in held.threads


async def test_a_page_of_bombs_is_a_page(house: House, page: tuple[str, str, dict[str, str]]) -> None:
    async with house.client(headers=page[2]) as browser:
        answer = await browser.get(page[0])
    assert answer.status_code == 200
    assert "<strong>a</strong>" in answer.text or "[[[" in answer.text
