"""A whole halext with a fake Ollama as its only node, and Debian's Chromium to look at it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, ConsoleMessage, Page, async_playwright, expect

from halext.accounts.types import LOCAL
from halext.runtime.app import App
from halext.runtime.settings import Settings
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from halext.runtime.wiring import open_app
from halext.testing.clock import ScaledClock
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext_web.service import WebService

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_S = 20.0
expect.set_options(timeout=PATIENCE_S * 1000)

LIGHTHOUSE = [
    *("A", " lighthouse", " lens", " is", " a", " **ring**", " of", " prisms", ".", "\n\n"),
    *(f" <b>{number}</b>" for number in range(20)),
    *("\n\n", "- [more](https://example.org)\n", "- ![a picture](https://example.org/?q=secret)", "\n\n"),
    *(f" <b>{number}</b>" for number in range(20, 40)),
]
"""Markdown, and what would show as HTML, were it ever taken for that."""
SHOWN = "".join(
    [
        "A lighthouse lens is a ring of prisms.",
        "".join(f" <b>{number}</b>" for number in range(20)).strip(),
        "morea picture",
        "".join(f" <b>{number}</b>" for number in range(20, 40)).strip(),
    ]
)
"""What a reader sees of it in the end, without the ends of lines."""


@dataclass
class Site:
    """The house as a browser finds it."""

    app: App
    ollama: FakeOllama

    async def first_link(self) -> str:
        """The one-time link that `halext up` would print."""
        return f"{self.app.base_url}/welcome?code={await self.app.people.first_admin_code()}"


@pytest.fixture
async def site(tmp_path: Path, fake_ollama: Callable[..., Awaitable[FakeOllama]]) -> AsyncIterator[Site]:
    """A house without people, one node, and a door."""
    model = FakeModel(script=LIGHTHOUSE, tokens_per_s=25.0, load_s=1.0)
    ollama = await fake_ollama([model], slots=2, clock=ScaledClock(scale=1.0))
    ready = asyncio.Event()
    async with open_app(Settings(data_dir=tmp_path / "data", port=0)) as app:
        await add_node(app, LOCAL, AddNode(name="attic", urls=[ollama.url]))
        door = asyncio.get_running_loop().create_task(WebService().run(app, lambda line: ready.set()))
        async with asyncio.timeout(PATIENCE_S):
            await ready.wait()
        yield Site(app, ollama)
        door.cancel()
        await asyncio.gather(door, return_exceptions=True)


@dataclass
class Tab:
    """A page, and everything that a reader of its console would complain about."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    """Requests to other places than the site."""

    def hear(self, message: ConsoleMessage) -> None:
        """A line of the console. Chromium also writes one for every status from 400 on, which is no fault of ours."""
        if message.type in {"error", "warning"} and "the server responded with a status of" not in message.text:
            self.complaints.append(message.text)


@pytest.fixture
async def context() -> AsyncIterator[BrowserContext]:
    """A fresh browser."""
    chromium = shutil.which("chromium")
    if chromium is None:
        reason = "Debian's chromium is not installed: apt-get install chromium"
        if os.environ.get("TEST_REQUIRE_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        made = await browser.new_context()
        made.set_default_timeout(PATIENCE_S * 1000)
        yield made
        await browser.close()


@pytest.fixture
async def tab(context: BrowserContext, site: Site) -> AsyncIterator[Tab]:
    """A tab; whatever its console complains about fails the test."""
    page = await context.new_page()
    tab = Tab(page)

    def note(url: str) -> None:
        if not url.startswith((site.app.base_url, "data:", "blob:")):
            tab.foreign.append(url)

    page.on("console", tab.hear)
    page.on("pageerror", lambda error: tab.complaints.append(str(error)))
    page.on("request", lambda request: note(request.url))
    yield tab
    assert tab.complaints == []
    assert tab.foreign == []
