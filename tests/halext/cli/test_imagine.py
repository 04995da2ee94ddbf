from __future__ import annotations

import asyncio
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from halext.cli.imagine import ProgressLine
from halext.errors import NoNodeMakesPictures
from halext.runtime.shapes_images import (
    Cancellation,
    FollowImages,
    ImageFailure,
    ImageJob,
    ImageJobRef,
    Imagine,
    PictureInfo,
    RecipeInfo,
)
from tests.halext.cli.conftest import FakeControl, Run, Terminal


def picture(seed: int = 7) -> PictureInfo:
    recipe = RecipeInfo("a lighthouse", "", "dreamshaper_8", 512, 512, 20, 7.0, "Euler a", seed)
    return PictureInfo(b"\x89PNG %d" % seed, recipe, "pc")


def job(state: Any = "done", *pictures: PictureInfo, **known: Any) -> ImageJob:
    usual: dict[str, Any] = {"place": None, "step": 0, "of": 20, "eta_s": None, "node": "pc", "model": "dreamshaper_8"}
    return ImageJob(id="j", state=state, revision=3, pictures=list(pictures), **usual | {"error": None} | known)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_picture_is_named_after_its_seed(control: FakeControl, run: Run, here: Path) -> None:
    control.answers |= {"imagine": job("waiting", place=1), "follow_images": job("done", picture())}
    result = run("imagine", "a", "lighthouse", "-m", "dreamshaper_8", "--size", "512x768", "--seed", "7")
    assert (result.code, result.out) == (0, "halext-7.png (dreamshaper_8 on pc, seed 7)\n")
    assert (here / "halext-7.png").read_bytes() == picture().png
    wish = Imagine(prompt="a lighthouse", model="dreamshaper_8", height=768, seed=7, wait=False)
    assert control.calls == [("imagine", wish), ("follow_images", FollowImages(id="j", seen=3))]
    assert result.err == ""


def test_nothing_is_overwritten_that_was_not_named(control: FakeControl, run: Run, here: Path) -> None:
    control.answers["imagine"] = job("done", picture())
    (here / "halext-7.png").write_text("mine")
    assert run("imagine", "x").out.startswith("halext-7-2.png ")
    assert (here / "halext-7.png").read_text() == "mine"
    run("imagine", "x", "-o", "halext-7.png")
    assert (here / "halext-7.png").read_bytes() == picture().png


def test_several_are_numbered(control: FakeControl, run: Run, here: Path) -> None:
    control.answers["imagine"] = job("done", picture(7), picture(8))
    found = json.loads(run("imagine", "x", "-n", "2", "-o", "out.png", "--json").out)
    assert [row["file"] for row in found] == ["out-1.png", "out-2.png"]
    assert [row["recipe"]["seed"] for row in found] == [7, 8]
    assert (here / "out-2.png").read_bytes() == picture(8).png


def test_to_standard_output(control: FakeControl, run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    control.answers["imagine"] = job("done", picture())
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(piped := io.BytesIO()))
    assert run("imagine", "x", "-o", "-").code == 0
    assert piped.getvalue() == picture().png
    assert list(here.glob("*.png")) == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--size", "big"], "512x768"),
        (["-o", "nowhere/x.png"], "no folder"),
        (["-o", "-", "-n", "2"], "one picture"),
        (["-o", "-", "--json"], "one picture"),
        (["--steps", "0"], "steps"),
    ],
)
def test_wrong_use_is_said_before_any_work(control: FakeControl, run: Run, arguments: list[str], word: str) -> None:
    result = run("imagine", "x", *arguments)
    assert result.code == 2
    assert word in result.err
    assert control.calls == []


def test_failures(control: FakeControl, run: Run) -> None:
    control.answers["imagine"] = NoNodeMakesPictures()
    result = run("imagine", "x")
    assert result.code == 1
    assert "halext node add pc http://pc:7860" in result.err
    control.answers["imagine"] = job("failed", error=ImageFailure("bad_answer", "pc ran out of memory."))
    assert run("imagine", "x").err == "halext: pc ran out of memory.\n"


def test_a_file_that_can_not_be_written(control: FakeControl, run: Run, here: Path) -> None:
    control.answers["imagine"] = job("done", picture())
    (here / "out.png").mkdir()
    result = run("imagine", "x", "-o", "out.png")
    assert result.code == 2
    assert "can't be written" in result.err


def test_ctrl_c_cancels_the_job(control: FakeControl, run: Run) -> None:
    control.answers |= {"imagine": job("waiting"), "cancel_images": Cancellation("dequeued", "")}

    async def interrupted(operation: Any, params: Any) -> Any:
        if operation.name == "follow_images":
            raise asyncio.CancelledError
        return await FakeControl.call(control, operation, params)

    control.call = interrupted  # type: ignore[method-assign]  # what Ctrl-C does to the one that waits
    with pytest.raises(asyncio.CancelledError):
        run("imagine", "x")
    assert control.calls[-1] == ("cancel_images", ImageJobRef(id="j"))


def test_progress_is_shown_where_somebody_watches(
    control: FakeControl, run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProgressLine, "__init__", lambda self: setattr(self, "_is_watched", True))
    control.answers |= {"imagine": job("running", step=10), "follow_images": job("done", picture(), step=20)}
    told = run("imagine", "x").err
    assert "dreamshaper_8 on pc: ██████████░░░░░░░░░░ step 10 of 20" in told
    assert told.endswith("\r\x1b[K")


def test_the_progress_line_is_written_over_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    line = ProgressLine()
    line.show("step 1\x1b[2J")
    line.clear()
    assert terminal.getvalue() == "\r\x1b[Kstep 1␛[2J\r\x1b[K"
