from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from halext.accounts.links.types import ChatAccount
from halext.accounts.types import Caller, Role
from halext.chat.showings.types import Showing
from halext.commands.load import load
from halext.commands.say import Talk
from halext.commands.types import Button, File, Speaker, Text
from halext.runtime.app import App
from halext.runtime.background import Background
from halext.runtime.control import LocalControl
from halext.runtime.settings import Settings
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from halext.runtime.wiring import open_app
from halext.testing.automatic1111 import FakeAutomatic1111
from halext.testing.clock import ScaledClock
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext_bots.shared.host import AGAIN_S, Host
from halext_bots.shared.stage import View
from tests.bots.conftest import LOCAL

QUICK = FakeModel("llama3.2:3b", script=["Because", " air."], load_s=0.0, tokens_per_s=1000.0)
ENDLESS = FakeModel("llama3.2:3b", script=["word "] * 3000, load_s=0.0, tokens_per_s=1.0)


@dataclass
class Page:
    """A view that remembers what it was to show. What it finishes arrives after so many failures."""

    refs: tuple[str, ...] = ()
    failures: int = 0
    shown: list[str] = field(default_factory=list)
    finals: list[tuple[str, list[str], int]] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def show(self, markdown: str, buttons: Sequence[Button]) -> None:
        """As it grows."""
        assert [button.label for button in buttons] == ["Stop"]
        self.shown.append(markdown)
        self.refs = self.refs or ("m1",)
        self.changed.set()

    async def finish(self, markdown: str, buttons: Sequence[Button], files: Sequence[File] = ()) -> None:
        """As it stays."""
        self.finals.append((markdown, [button.label for button in buttons], len(files)))

    async def finished(self) -> bool:
        """Whether it arrived."""
        self.failures -= 1
        if self.failures < 0:
            self.ended.set()
        return self.failures < 0


@dataclass
class Desk:
    """A stage with one page."""

    page: Page = field(default_factory=Page)
    said: list[Text] = field(default_factory=list)
    is_busy: bool = False
    chat: str = "5"

    def say(self, reply: Text) -> None:
        """Here."""
        self.said.append(reply)
        self.page.changed.set()

    def busy(self) -> None:
        """It takes a while."""
        self.is_busy = True

    def view(self) -> View:
        """The one."""
        return self.page


@dataclass
class Bench:
    """A house, a host in it, and Ada."""

    app: App
    host: Host
    node: FakeOllama
    ada: Speaker
    caller: Caller

    async def until_forgotten(self) -> None:
        """Wait until nothing is shown any more."""
        async with asyncio.timeout(15):
            while await self.app.showings("telegram").all():
                await self.app.clock.sleep(0.1)


@pytest.fixture
async def bench(tmp_path: Path, fake_ollama: Callable[..., Awaitable[FakeOllama]]) -> AsyncIterator[Bench]:
    node = await fake_ollama([QUICK], slots=2)
    async with (
        open_app(Settings(data_dir=tmp_path / "data", port=0), ScaledClock(20.0)) as app,
        Background() as work,
    ):
        await LocalControl(app, LOCAL).call(add_node, AddNode(name="mac", urls=[node.url]))
        user = await app.people.add_user("Ada", Role.MEMBER)
        caller = await app.people.caller_of(user.id)
        assert caller is not None
        ada = Speaker(ChatAccount("telegram", "1001"), caller, "telegram:5", is_private=True)
        yield Bench(app, Host(app, Talk(app, load()), "telegram", work.spawn), node, ada, caller)


async def ended(page: Page) -> None:
    async with asyncio.timeout(15):
        await page.ended.wait()


async def test_a_question_is_shown_to_its_end_and_then_forgotten(bench: Bench) -> None:
    desk = Desk()
    await bench.host.ask(desk, bench.ada, "Why?")
    await ended(desk.page)
    ((text, buttons, files),) = desk.page.finals
    assert text.startswith("Because air.\n\n*llama3")
    assert (buttons, files, desk.page.shown[0]) == (["Regenerate", "Why"], 0, "…")
    await bench.until_forgotten()


async def test_where_an_answer_stands_is_on_record_before_its_first_word(bench: Bench) -> None:
    bench.node.add(FakeModel("llama3.2:3b", script=["late"], load_s=3000.0))
    desk = Desk()
    await bench.host.ask(desk, bench.ada, "Why?")
    async with asyncio.timeout(15):
        while not (noted := [showing.refs for showing in await bench.app.showings("telegram").all()])[0]:
            await bench.app.clock.sleep(0.1)
    assert noted == [("m1",)]
    assert desk.page.shown == ["…"]


async def test_an_end_that_can_not_be_shown_is_tried_again_and_not_forgotten(bench: Bench) -> None:
    desk = Desk(Page(failures=2))
    began = bench.app.clock.monotonic()
    await bench.host.ask(desk, bench.ada, "Why?")
    await ended(desk.page)
    assert bench.app.clock.monotonic() - began > 2 * AGAIN_S
    assert len(desk.page.finals) == 3
    await bench.until_forgotten()


async def test_after_a_restart_it_goes_on_where_it_stood(bench: Bench) -> None:
    conversation, turn = await bench.app.answers.ask(bench.caller, "Why?")
    assert bench.caller.user_id is not None
    await bench.app.showings("telegram").note(Showing(turn.id, bench.caller.user_id, "5", ("m7",)))
    page = Page()
    asked: list[tuple[str, tuple[str, ...]]] = []

    def restore(chat: str, refs: tuple[str, ...]) -> View:
        asked.append((chat, refs))
        page.refs = refs
        return page

    await bench.host.resume(restore)
    await ended(page)
    assert asked == [("5", ("m7",))]
    assert "…" not in page.shown
    await bench.until_forgotten()
    del conversation


async def test_what_can_not_be_restored_is_forgotten(bench: Bench) -> None:
    _, turn = await bench.app.answers.ask(bench.caller, "Why?")
    assert bench.caller.user_id is not None
    await bench.app.showings("telegram").note(Showing(turn.id, bench.caller.user_id, "5"))
    await bench.host.resume(lambda _chat, _refs: None)
    await bench.until_forgotten()


async def test_an_answer_that_is_deleted_says_so(bench: Bench) -> None:
    bench.node.add(ENDLESS)
    desk = Desk()
    await bench.host.ask(desk, bench.ada, "Why?")
    await asyncio.wait_for(desk.page.changed.wait(), 15)
    (conversation,) = await bench.app.answers.conversations(bench.caller)
    await bench.app.answers.forget(bench.caller, conversation.id)
    await ended(desk.page)
    assert desk.page.finals[-1][1] in ([], ["Regenerate", "Why"], ["Continue", "Regenerate", "Why"])


async def test_a_slow_command_says_that_it_takes_a_while(bench: Bench) -> None:
    desk = Desk()
    await bench.host.line(desk, bench.ada, "task suggest we need milk")
    assert desk.is_busy
    assert desk.said == []
    await asyncio.wait_for(desk.page.changed.wait(), 15)
    assert desk.said[0].markdown.startswith("Suggested:")


async def test_what_is_not_understood_is_said(bench: Bench) -> None:
    desk = Desk()
    await bench.host.line(desk, bench.ada, "frobnicate")
    assert "no command /frobnicate" in desk.said[0].markdown
    await bench.host.ask(desk, Speaker(ChatAccount("telegram", "9"), None, "telegram:9"), "Why?")
    assert "don't know you" in desk.said[1].markdown


async def test_pictures_end_with_their_files(bench: Bench) -> None:
    async with FakeAutomatic1111() as painter:
        await LocalControl(bench.app, LOCAL).call(add_node, AddNode(name="pc", urls=[painter.url]))
        desk = Desk()
        await bench.host.line(desk, bench.ada, "imagine seed=7 a lighthouse")
        await ended(desk.page)
    ((text, buttons, files),) = desk.page.finals
    assert "seed 7" in text
    assert (buttons, files) == ([], 1)


async def test_where_an_answer_stands_is_on_record_when_the_connection_ends(bench: Bench) -> None:
    bench.node.add(FakeModel("llama3.2:3b", script=["late"], load_s=3000.0))
    desk = Desk()
    async with Background() as connection:
        host = Host(bench.app, bench.host.talk, "telegram", connection.spawn)
        await host.ask(desk, bench.ada, "Why?")
        await asyncio.wait_for(desk.page.changed.wait(), 15)
        desk.page.refs = ("m8",)
    assert [showing.refs for showing in await bench.app.showings("telegram").all()] == [("m8",)]


async def test_a_connection_that_ends_right_after_an_answer_leaves_nothing_to_show(bench: Bench) -> None:
    for _ in range(5):
        desk = Desk()
        async with Background() as connection:
            host = Host(bench.app, bench.host.talk, "telegram", connection.spawn)
            await host.ask(desk, bench.ada, "Why?")
            await ended(desk.page)
            await asyncio.sleep(0)
        assert {showing.refs for showing in await bench.app.showings("telegram").all()} <= {("m1",)}
