"""`imagine`, both ways, against a fake Stable Diffusion on a real socket."""

from __future__ import annotations

import asyncio
import io
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import halext
from halext.client import notebook
from halext.client.aio import AsyncClient
from halext.client.painting import Cell, Terminal, summary, watching, wish_of
from halext.client.sync import Client
from halext.errors import Interrupted, InvalidInput, NoNodeMakesPictures, UnknownModel, UnknownNode
from halext.images.inscription import recipe_of
from halext.runtime.shapes_images import ImageFailure, ImageJob, PictureInfo, RecipeInfo
from halext.testing.automatic1111 import FakeAutomatic1111
from halext.testing.clock import ManualClock
from halext.testing.ollama import FakeOllama
from tests.halext.client.conftest import MODELS, Place, open_coordinator

SMALL: dict[str, Any] = {"size": (64, 64), "steps": 4, "seed": 7}


@pytest.fixture
async def pc(fake_automatic1111: Callable[..., Awaitable[FakeAutomatic1111]]) -> FakeAutomatic1111:
    return await fake_automatic1111(["dreamshaper_8", "second"])


@pytest.fixture(params=["fleet", "coordinator"])
async def place(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    pc: FakeAutomatic1111,
    fake_ollama: Callable[..., Awaitable[FakeOllama]],
) -> AsyncIterator[Place]:
    """A computer that chats and one that paints, straight and through a coordinator."""
    mac = await fake_ollama(MODELS)
    if request.param == "fleet":
        yield Place((mac.url, pc.url), None, (), (mac, pc))
        return
    async with open_coordinator(tmp_path / "data", (mac, pc)) as found:
        yield found


async def test_pictures_with_what_was_used(hx: Client) -> None:
    images = await asyncio.to_thread(hx.imagine, "a lighthouse", n=2, model="second", negative="fog", **SMALL)
    assert [image.seed for image in images] == [7, 8]
    first = images[0]
    assert (first.model, first.size, first.pil.size) == ("second", (64, 64), (64, 64))
    assert (first.recipe.prompt, first.recipe.negative, first.recipe.sampler) == ("a lighthouse", "fog", "DPM++ 2M")
    assert recipe_of(first.png) == first.recipe
    assert halext.grid(images, cols=2).pil.width > 128


async def test_one_node_by_its_name(place: Place, hx: Client) -> None:
    (image,) = await asyncio.to_thread(hx.imagine, "a lighthouse", **SMALL)
    assert (await asyncio.to_thread(hx.imagine, "x", node=image.node, **SMALL))[0].node == image.node
    with pytest.raises(UnknownNode, match="nowhere"):
        await asyncio.to_thread(hx.imagine, "x", node="nowhere", **SMALL)


async def test_awaited(place: Place) -> None:
    async with AsyncClient(*place.urls, token=place.token) as hx:
        (image,) = await hx.imagine("a lighthouse", **SMALL)
        assert (image.seed, image.model) == (7, "dreamshaper_8")


async def test_a_single_server_by_its_url(client: Callable[..., Client], pc: FakeAutomatic1111) -> None:
    (image,) = await asyncio.to_thread(client(pc.url).imagine, "a lighthouse", **SMALL)
    assert image.node == "127.0.0.1"


async def test_what_can_not_be_made_is_raised_as_what_it_is(hx: Client, pc: FakeAutomatic1111) -> None:
    with pytest.raises(InvalidInput, match="multiples of 8"):
        await asyncio.to_thread(hx.imagine, "x", size=(63, 64))
    with pytest.raises(UnknownModel, match="dreamshaper_8; second"):
        await asyncio.to_thread(hx.imagine, "x", model="third")
    pc.faults.at(1, "oom")
    with pytest.raises(halext.HalextError, match="ran out of memory; ask for a smaller picture"):
        await asyncio.to_thread(hx.imagine, "x", **SMALL)


async def test_nobody_makes_pictures(
    client: Callable[..., Client], fake_ollama: Callable[..., Awaitable[FakeOllama]]
) -> None:
    hx = client((await fake_ollama(MODELS)).url)
    with pytest.raises(NoNodeMakesPictures):
        await asyncio.to_thread(hx.imagine, "x")


INTERRUPTED = {
    "sync": "halext.Client(*URLS, token=TOKEN).imagine('x', size=(2048, 2048), steps=150)",
    "awaited": "asyncio.run(halext.AsyncClient(*URLS, token=TOKEN).imagine('x', size=(2048, 2048), steps=150))",
}


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT can't be sent to a child there")
@pytest.mark.parametrize("way", INTERRUPTED)
@pytest.mark.parametrize("moment", ["arrival", "first_token"])
async def test_ctrl_c_stops_the_job_at_its_node(place: Place, pc: FakeAutomatic1111, way: str, moment: Any) -> None:
    code = f"import asyncio, halext; URLS = {place.urls!r}; TOKEN = {place.token!r}; {INTERRUPTED[way]}"
    quiet, pipe = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=quiet, stderr=pipe)
    try:
        await pc.timeline.wait_for(moment, timeout_s=30)
        child.send_signal(signal.SIGINT)
        await pc.timeline.wait_for("done")
        async with asyncio.timeout(10):
            _, said = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    assert pc.machine.state.interrupted
    assert b"KeyboardInterrupt" in said
    assert b"Exception ignored" not in said
    assert b"never" not in said


async def test_cancelling_the_caller_stops_the_job(place: Place, pc: FakeAutomatic1111) -> None:
    async with AsyncClient(*place.urls, token=place.token) as hx:
        working = asyncio.ensure_future(hx.imagine("x", size=(2048, 2048), steps=150))
        await pc.timeline.wait_for("first_token")
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
        await pc.timeline.wait_for("done")
        assert pc.machine.state.interrupted


# --- showing ---


def job(state: Any, step: int = 0, error: ImageFailure | None = None, *seeds: int) -> ImageJob:
    recipes = [RecipeInfo("x", "", "m", 64, 64, 4, 7.0, "Euler", seed) for seed in seeds]
    pictures = [PictureInfo(b"", recipe, "pc") for recipe in recipes]
    return ImageJob("j", state, step, None, step, 4, None, "pc", "m", pictures, error)


DONE = job("done", 4, None, 7, 8)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (None, "not begun"),
        (job("running", 2), "stopped"),
        (job("failed", 2, ImageFailure("bad_answer", "pc ran out of memory.")), "pc ran out of memory."),
        (DONE, "2 pictures · pc · m · seed 7, 8"),
        (job("done", 4, None, 7), "1 picture · pc · m · seed 7"),
    ],
)
def test_the_end_in_one_line(seen: ImageJob | None, words: str) -> None:
    assert summary(seen) == words


class Slot:
    """What a notebook would show."""

    updates: list[str]

    def __init__(self, content: dict[str, str]) -> None:
        type(self).updates = [content["text/plain"]]

    def update(self, content: dict[str, str]) -> None:
        self.updates.append(content["text/plain"])


async def test_a_cell_has_one_line_that_is_not_updated_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "Slot", Slot)
    monkeypatch.setattr(notebook, "shell", object)
    clock = ManualClock()
    with watching(None, clock) as watch:
        for step in range(100):
            watch.see(job("running", step % 4 + 1))
            await clock.advance(0.01)
        watch.see(DONE)
        assert [image.seed for image in watch.images()] == [7, 8]
    assert "step 4 of 4" in "".join(Slot.updates)
    assert len(Slot.updates) <= 1 + 10 + 1
    assert Slot.updates[-1] == summary(DONE)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_one_line_that_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", screen := Screen())
    with suppress(KeyboardInterrupt), watching(True) as watch:
        watch.see(job("running", 1))
        raise KeyboardInterrupt
    assert screen.getvalue().startswith("\r\x1b[Km on pc: █████░░░░░░░░░░░░░░░ step 1 of 4")
    assert screen.getvalue().endswith("\r\x1b[Kstopped\n")


def test_no_text_of_a_node_commands_a_terminal() -> None:
    terminal = Terminal(screen := Screen())
    terminal.end("a\x1b[31mb\nc")
    assert screen.getvalue() == "\r\x1b[Ka [31mb c\n"


def test_a_file_gets_the_end_only(capsys: pytest.CaptureFixture[str]) -> None:
    with watching(True) as watch:
        watch.see(job("running", 1))
        watch.see(DONE)
    assert capsys.readouterr().out == f"{summary(DONE)}\n"


@pytest.mark.parametrize("stream", [None, False])
def test_quiet_unless_told(stream: bool | None, capsys: pytest.CaptureFixture[str]) -> None:
    with watching(stream) as watch:
        watch.see(DONE)
    assert capsys.readouterr().out == ""


def test_an_end_that_never_came_is_no_empty_list() -> None:
    with watching(False) as watch:
        watch.see(job("running", 1))
        with pytest.raises(Interrupted):
            watch.images()


def test_a_wish_is_followed_and_not_waited_for() -> None:
    wish = wish_of("a", 2, 7, (768, 512), "m", "fog", 30, 5.0, "Euler", "pc")
    assert (wish.width, wish.height, wish.n, wish.wait, wish.negative, wish.node) == (768, 512, 2, False, "fog", "pc")


def test_the_cell_shows_nothing_before_a_tenth_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "Slot", Slot)
    Cell(ManualClock()).show("too soon")
    assert Slot.updates == ["…"]
