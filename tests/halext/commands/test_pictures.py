"""/imagine, and what can be said wrong with it."""

from __future__ import annotations

import pytest

from halext.accounts.links.types import ChatAccount
from halext.accounts.types import LOCAL, Caller, Role
from halext.commands.pictures import TOLD, models, recipe
from halext.commands.types import Painting, Said, Speaker
from halext.errors import InvalidInput
from halext.images.types import JobState
from halext.runtime.control import LocalControl
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from halext.testing.automatic1111 import FakeAutomatic1111

from .conftest import Chat

ADA = Caller("Ada", Role.MEMBER, "link")


def said(**values: str) -> Said:
    return Said(Speaker(ChatAccount("discord", "1"), ADA, "discord:1"), ADA, {"prompt": "a prism", **values})


def test_what_is_left_out_is_the_usual() -> None:
    plain = recipe(said())
    assert (plain.prompt, plain.width, plain.height, plain.steps, plain.seed, plain.n) == (
        "a prism", 512, 512, 20, None, 1,
    )  # fmt: skip


def test_everything_can_be_said() -> None:
    full = recipe(said(negative="fog", size="768X512", steps="30", seed="#7", count="2", model="dream"))
    assert (full.negative, full.width, full.height, full.steps, full.seed, full.n, full.model) == (
        "fog", 768, 512, 30, 7, 2, "dream",
    )  # fmt: skip


@pytest.mark.parametrize(
    "values", [{"size": "big"}, {"size": "768"}, {"steps": "many"}, {"seed": "-1"}, {"count": "x"}]
)
def test_what_is_no_size_and_no_number_is_said(values: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        recipe(said(**values))


def test_every_outcome_of_a_stop_has_its_words() -> None:
    assert set(TOLD) == {"dequeued", "stopping", "too_late"}


async def test_nobody_paints(chat: Chat) -> None:
    assert "picture" in await chat.refusal(chat.mia, "imagine a prism")


async def test_a_picture_is_made_and_belongs_to_who_asked(chat: Chat) -> None:
    async with FakeAutomatic1111(["dreamshaper_8"]) as server:
        await LocalControl(chat.app, LOCAL).call(add_node, AddNode(name="pc", urls=[server.url]))
        assert list(models(chat.app, LOCAL, "DREAM")) == ["dreamshaper_8"]
        reply = await chat.talk.line(chat.mia, "imagine size=256x256 steps=2 seed=7 a prism")
        assert isinstance(reply, Painting)
        assert chat.mia.caller is not None
        job = await chat.app.studio.finished(chat.mia.caller, reply.job)
        assert (job.state, job.pictures[0].recipe.seed) == (JobState.DONE, 7)
        assert (await chat.text(chat.mia, f"cancel {reply.job}")).markdown.startswith("It had ended already")
        assert await chat.refusal(chat.ada, f"cancel {reply.job}")
        assert "cancel" not in (await chat.text(chat.mia, "help")).markdown
