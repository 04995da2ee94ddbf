"""A job from begin to end, whatever happens between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any, cast

import pytest

from halext.errors import BadAnswer, Cancelled, HalextError, NoNodeMakesPictures, NotFound, TimedOut, Unreachable
from halext.runtime.control import Control
from halext.runtime.imagining import MOST_LOOKS, imagining, told
from halext.runtime.shapes_images import Cancellation, ImageFailure, ImageJob, Imagine
from halext.testing.clock import ScaledClock

WISH = Imagine(prompt="a lighthouse", wait=False)
CLOCK = ScaledClock(1000)


def job(state: Any, revision: int = 0, **known: Any) -> ImageJob:
    usual: dict[str, Any] = {"place": None, "step": 0, "of": 20, "eta_s": None, "node": "pc", "model": "dreamshaper_8"}
    return ImageJob(id="j", state=state, revision=revision, pictures=[], **usual | {"error": None} | known)


class Scripted:
    """Answers each operation by what its name is given here; a list is one answer after the other."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {"cancel_images": Cancellation("stopping", "")} | answers
        self.calls: list[str] = []

    async def call(self, operation: Any, params: Any) -> Any:
        self.calls.append(operation.name)
        answer = self.answers[operation.name]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return await answer() if callable(answer) else answer

    def stops(self) -> int:
        return self.calls.count("cancel_images")


async def states(control: Scripted) -> list[str]:
    return [now.state async for now in imagining(cast("Control", control), WISH, CLOCK)]


async def test_from_begin_to_end() -> None:
    control = Scripted(imagine=job("waiting"), follow_images=[job("running", 1), job("done", 2)])
    assert await states(control) == ["waiting", "running", "done"]
    assert control.stops() == 0


@pytest.mark.parametrize(
    ("code", "error"), [("bad_answer", BadAnswer), ("cancelled", Cancelled), ("of_the_future", HalextError)]
)
async def test_a_failure_is_raised_as_what_it_was(code: str, error: type[HalextError]) -> None:
    control = Scripted(imagine=job("waiting"), follow_images=job("failed", 1, error=ImageFailure(code, "No.")))
    with pytest.raises(error, match=r"^No\.$") as caught:
        await states(control)
    assert type(caught.value) is error
    assert control.stops() == 0


async def test_what_can_not_begin_is_raised_as_it_is() -> None:
    control = Scripted(imagine=NoNodeMakesPictures())
    with pytest.raises(NoNodeMakesPictures):
        await states(control)
    assert control.calls == ["imagine"]


async def test_a_look_may_fail_and_the_job_is_not_lost() -> None:
    broken: list[Any] = [Unreachable(), TimedOut()] * MOST_LOOKS
    control = Scripted(imagine=job("waiting"), follow_images=[*broken[: MOST_LOOKS - 1], job("done", 2)])
    assert await states(control) == ["waiting", "done"]
    control = Scripted(imagine=job("waiting"), follow_images=broken[:MOST_LOOKS])
    with pytest.raises(Unreachable):
        await states(control)
    assert control.stops() == 1


async def test_other_failures_are_not_tried_again() -> None:
    control = Scripted(imagine=job("waiting"), follow_images=NotFound())
    with pytest.raises(NotFound):
        await states(control)
    assert control.calls == ["imagine", "follow_images", "cancel_images"]


async def test_leaving_stops_it_also_where_that_fails() -> None:
    for answer in (Cancellation("stopping", ""), Unreachable()):
        control = Scripted(imagine=job("running"), cancel_images=answer)
        async with aclosing(imagining(cast("Control", control), WISH, CLOCK)) as coming:
            async for _ in coming:
                break
        assert control.stops() == 1


async def cancelled_when(begun: asyncio.Event, work: Callable[[], Any], then: Callable[[], None]) -> None:
    working = asyncio.ensure_future(work())
    await begun.wait()
    working.cancel()
    await asyncio.sleep(0)
    then()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_cancelling_while_it_is_followed_stops_it() -> None:
    begun = asyncio.Event()

    async def never() -> None:
        begun.set()
        await asyncio.Event().wait()

    control = Scripted(imagine=job("running"), follow_images=never)
    await cancelled_when(begun, lambda: states(control), lambda: None)
    assert control.stops() == 1


@pytest.mark.parametrize("answer", [job("waiting"), NoNodeMakesPictures()])
async def test_cancelling_while_it_is_ordered_leaves_none_behind(answer: Any) -> None:
    begun, may_answer = asyncio.Event(), asyncio.Event()

    async def slow() -> Any:
        begun.set()
        await may_answer.wait()
        if isinstance(answer, HalextError):
            raise answer
        return answer

    control = Scripted(imagine=slow)
    await cancelled_when(begun, lambda: states(control), may_answer.set)
    assert control.stops() == int(isinstance(answer, ImageJob))


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (job("waiting", place=3, node=None), "waiting, place 3"),
        (job("waiting", place=2), "waiting at pc, place 2"),
        (job("waiting", node=None), "waiting"),
        (job("running"), "dreamshaper_8 on pc: no step yet"),
        (job("running", step=4, of=0), "dreamshaper_8 on pc: no step yet"),
        (job("running", step=4), "dreamshaper_8 on pc: ████░░░░░░░░░░░░░░░░ step 4 of 20"),
        (job("running", step=20, eta_s=0.2), "dreamshaper_8 on pc: ████████████████████ step 20 of 20, about 0 s left"),
        (
            job("running", step=10, eta_s=300),
            "dreamshaper_8 on pc: ██████████░░░░░░░░░░ step 10 of 20, about 5 min left",
        ),
    ],
)
def test_how_far_it_is_in_words(seen: ImageJob, text: str) -> None:
    assert told(seen) == text
