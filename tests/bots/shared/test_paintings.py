from __future__ import annotations

from dataclasses import replace

import pytest

from halext.accounts.types import LOCAL
from halext.errors import Cancelled
from halext.images.types import Job, JobState
from halext.pictures import Picture, Recipe
from halext.types import ModelName, NodeName, RequestId
from halext_bots.shared import paintings

JOB = Job(RequestId("hx-1"), LOCAL, Recipe("a lighthouse"), 0.0)
RUNNING = replace(JOB, state=JobState.RUNNING, node=NodeName("pc"), of=20)


@pytest.mark.parametrize(
    ("job", "says"),
    [
        (JOB, "Waiting for a free node."),
        (replace(JOB, place=3), "Waiting for a free node, place 3 in line."),
        (replace(RUNNING, of=0), "Preparing on pc …"),
        (replace(RUNNING, step=5), f"`{'█' * 5}{'░' * 15}` step 5 of 20 on pc"),
        (replace(RUNNING, step=20, eta_s=0.4), f"`{'█' * 20}` step 20 of 20 on pc, about 0 s left"),
    ],
)
def test_how_far_it_is(job: Job, says: str) -> None:
    assert paintings.progress(job).startswith(says.split(", about", maxsplit=1)[0])
    assert ("about" in paintings.progress(job)) == ("about" in says)
    assert [button.says for button in paintings.stop_button(job)] == ["cancel hx-1"]


def test_what_stands_below_is_enough_to_make_it_again() -> None:
    used = Recipe("a lighthouse", model=ModelName("dream_*8*"), width=512, height=768, steps=20, seed=7)
    done = replace(JOB, state=JobState.DONE, pictures=(Picture(b"png", used, NodeName("pc")),))
    assert paintings.ended(done) == r"*dream\_\*8\* on pc · 512×768 · 20 steps · seed 7*"
    assert [(file.name, file.data) for file in paintings.files(done)] == [("picture-7.png", b"png")]


def test_why_there_is_none() -> None:
    failed = replace(JOB, state=JobState.CANCELLED, error=Cancelled())
    assert "cancelled" in paintings.ended(failed)
    assert paintings.files(failed) == ()
