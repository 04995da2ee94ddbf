from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from halext.accounts.types import Caller, Role
from halext.errors import Cancelled, InvalidInput, NoNodeMakesPictures, NotFound
from halext.images.inscription import recipe_of
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.shapes import AddNode, RequestRef, Since
from halext.runtime.shapes_images import FollowImages, ImageJob, ImageJobRef, Imagine
from halext.runtime.verbs import house, images, models, nodes
from halext.testing.automatic1111 import FakeAutomatic1111

WISH = Imagine(prompt="a lighthouse", width=64, height=64, steps=4, seed=7, n=2)
LONG = Imagine(prompt="a lighthouse", width=2048, height=2048, steps=150, wait=False)


@pytest.fixture
async def pc(
    control: LocalControl, fake_automatic1111: Callable[..., Awaitable[FakeAutomatic1111]]
) -> FakeAutomatic1111:
    fake = await fake_automatic1111(["dreamshaper_8"])
    await control.call(nodes.add_node, AddNode(name="pc", urls=[fake.url]))
    return fake


@pytest.mark.usefixtures("pc")
async def test_pictures_in_one_go(app: App) -> None:
    ann = await app.people.add_user("Ann", Role.MEMBER)
    control = LocalControl(app, Caller(ann.name, ann.role, "token", ann.id))
    job = await control.call(images.imagine, WISH)
    assert (job.state, job.node, job.model, job.error) == ("done", "pc", "dreamshaper_8", None)
    assert [picture.recipe.seed for picture in job.pictures] == [7, 8]
    written = recipe_of(job.pictures[0].png)
    assert written is not None
    assert (written.seed, written.sampler) == (7, job.pictures[0].recipe.sampler)
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(job)), ImageJob) == job
    info = await control.call(models.show_request, RequestRef(id=job.id))
    assert (info.kind, info.node, info.outcome) == ("image", "pc", "done")
    (used,) = await control.call(house.show_usage, Since())
    assert (used.user, used.model, used.requests) == ("Ann", "dreamshaper_8", 1)


async def test_a_job_is_followed_and_cancelled(control: LocalControl, pc: FakeAutomatic1111) -> None:
    job = await control.call(images.imagine, LONG)
    assert (job.state, job.pictures) == ("waiting", [])
    await pc.timeline.wait_for("first_token")
    async with asyncio.timeout(10):
        while not job.step:
            job = await control.call(images.follow_images, FollowImages(id=job.id, seen=job.revision))
    assert (job.state, job.of, job.node) == ("running", 150, "pc")
    told = await control.call(images.cancel_images, ImageJobRef(id=job.id))
    assert (told.outcome, told.message) == ("stopping", "It ends after its next step.")
    async with asyncio.timeout(10):
        while job.state == "running":
            job = await control.call(images.follow_images, FollowImages(id=job.id, seen=job.revision))
    assert job.state == "cancelled"
    assert job.error is not None
    assert job.error.code == Cancelled.code
    assert (await control.call(images.cancel_images, ImageJobRef(id=job.id))).outcome == "too_late"


@pytest.mark.usefixtures("pc")
async def test_a_look_without_patience_is_answered_at_once(control: LocalControl) -> None:
    job = await control.call(images.imagine, LONG)
    async with asyncio.timeout(1):
        await control.call(images.follow_images, FollowImages(id=job.id, seen=10_000, wait_s=-1))
    await control.call(images.cancel_images, ImageJobRef(id=job.id))


async def test_what_can_not_be_made(control: LocalControl) -> None:
    with pytest.raises(NoNodeMakesPictures):
        await control.call(images.imagine, WISH)
    with pytest.raises(InvalidInput, match="multiples of 8"):
        await control.call(images.imagine, Imagine(prompt="x", width=5))
    with pytest.raises(NotFound):
        await control.call(images.follow_images, FollowImages(id="nobody"))
