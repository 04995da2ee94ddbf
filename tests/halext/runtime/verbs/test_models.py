from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from halext.accounts.types import LOCAL, Caller, Role
from halext.errors import NoNodeOnline, NotFound, UnknownModel, UnknownNode
from halext.messages import ChatRequest, Message
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.shapes import AddNode, Explain, Nothing, RequestRef
from halext.runtime.verbs import models, nodes
from halext.testing.ollama import FakeOllama
from halext.types import ModelName, UserId

Make = Callable[..., Awaitable[FakeOllama]]


@pytest.fixture
async def two(control: LocalControl, fake_ollama: Make) -> None:
    for name, has in (("mac", ["a", "b"]), ("pc", ["a"])):
        fake = await fake_ollama(models=has, keep_alive_s=1e7)
        await control.call(nodes.add_node, AddNode(name=name, urls=[fake.url]))


@pytest.mark.usefixtures("two")
async def test_models_times_nodes(control: LocalControl) -> None:
    rows = await control.call(models.list_models, Nothing())
    assert {row.name: [place.node for place in row.places] for row in rows} == {
        "a:latest": ["mac", "pc"],
        "b:latest": ["mac"],
    }


@pytest.mark.usefixtures("two")
async def test_a_choice_is_explained_without_being_made(app: App, control: LocalControl) -> None:
    told = await control.call(models.explain_route, Explain(model="a", prompt="hello"))
    assert told.chosen in {"mac", "pc"}
    assert {estimate.node for estimate in told.estimates} == {"mac", "pc"}
    assert told.sentence.endswith(f"— chose {told.chosen}")
    assert [app.gateway.in_flight(state.endpoint.id) for state in app.registry.states()] == [0, 0]
    pinned = await control.call(models.explain_route, Explain(model="a", node="pc"))
    assert pinned.chosen == "pc"


@pytest.mark.usefixtures("two")
async def test_what_nobody_can_do_is_explained_by_the_right_error(control: LocalControl) -> None:
    with pytest.raises(UnknownModel):
        await control.call(models.explain_route, Explain(model="nope"))
    with pytest.raises(UnknownModel, match="'pc' does not have"):
        await control.call(models.explain_route, Explain(model="b", node="pc"))
    with pytest.raises(UnknownNode):
        await control.call(models.explain_route, Explain(model="a", node="nobody"))


async def test_without_nodes(control: LocalControl) -> None:
    with pytest.raises(NoNodeOnline, match="halext node add"):
        await control.call(models.explain_route, Explain(model=""))


@pytest.mark.usefixtures("two")
async def test_a_request_is_its_owners_business(app: App) -> None:
    ann = Caller("ann", Role.MEMBER, "token", UserId(1))
    answer = LocalControl(app, ann).generate(ChatRequest(ModelName("a"), (Message("user", "hi"),)))
    async for _ in answer:
        pass
    assert answer.info is not None
    ref = RequestRef(id=answer.info.id)
    assert (await LocalControl(app, replace(ann, credential="session")).call(models.show_request, ref)).id == ref.id
    for stranger in (replace(ann, name="bob", user_id=UserId(2)), LOCAL):
        with pytest.raises(NotFound) as foreign:
            await LocalControl(app, stranger).call(models.show_request, ref)
        with pytest.raises(NotFound) as missing:
            await LocalControl(app, stranger).call(models.show_request, RequestRef(id="nothing"))
        assert foreign.value.message == missing.value.message
