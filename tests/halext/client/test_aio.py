"""The client that is awaited: the same names, the same signatures, the same answers."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from halext.client.aio import AsyncChat, AsyncClient, AsyncKeptChat, AsyncStream
from halext.client.sync import Chat, Client, KeptChat, Stream
from halext.errors import Interrupted, UsageError
from halext.testing.ollama import FakeModel, FakeOllama

if TYPE_CHECKING:
    from tests.halext.client.conftest import Place

MODEL = "llama3.2:3b"


def public(kind: type) -> dict[str, object]:
    return {
        name: member
        for name, member in vars(kind).items()
        if not name.startswith("_") or name in {"__init__", "__call__"}
    }


@pytest.mark.parametrize(
    ("sync", "awaited"), [(Client, AsyncClient), (Chat, AsyncChat), (KeptChat, AsyncKeptChat), (Stream, AsyncStream)]
)
def test_both_have_the_same_names_and_parameters(sync: type, awaited: type) -> None:
    assert set(public(sync)) == set(public(awaited))
    for name, member in public(sync).items():
        other = public(awaited)[name]
        assert isinstance(member, property) == isinstance(other, property)
        if callable(member) and callable(other):
            assert inspect.signature(member).parameters == inspect.signature(other).parameters, name
            assert member.__doc__ is None or other.__doc__ is not None


async def test_every_verb(place: Place) -> None:
    async with AsyncClient(*place.urls, token=place.token) as hx:
        reply = await hx.ask("hi", model=MODEL)
        assert (reply.text, reply.outcome) == ("Hello there", "done")
        assert [piece async for piece in hx.stream("hi", model=MODEL)] == ["Hel", "lo", " there"]
        chat = hx.chat(model=MODEL)
        await chat("one")
        assert (await chat.fork()("two")).text == "Hello there"
        assert (await hx.embed("a", normalize=True)).shape == (1, 4)
        assert len(await hx.nodes) == 2
        assert len(await hx.models) == 2
        assert (await hx.explain("hi", model=MODEL)).node in place.nodes
    assert hx.is_closed
    with pytest.raises(UsageError, match="is closed"):
        await hx.ask("hi")


async def test_many_at_once(place: Place) -> None:
    async with AsyncClient(*place.urls, token=place.token) as hx:
        replies = await asyncio.gather(*(hx.ask("hi", model=MODEL) for _ in range(12)))
    assert {reply.text for reply in replies} == {"Hello there"}


async def test_one_client_in_several_loops(fleet: Place) -> None:
    hx = AsyncClient(*fleet.urls)
    assert (await hx.ask("hi", model=MODEL)).text == "Hello there"
    again = await asyncio.to_thread(lambda: asyncio.run(hx.ask("hi", model=MODEL)))
    assert again.text == "Hello there"
    await hx.close()
    await hx.close()


async def test_leaving_a_stream_stops_the_work() -> None:
    async with FakeOllama([FakeModel(MODEL, script=["a", "b"])]) as ollama:
        ollama.faults.at(2, "stall")
        async with AsyncClient(ollama.url) as hx:
            async for piece in hx.stream("hi"):
                assert piece == "a"
                break
            await ollama.timeline.wait_for("cancelled")


async def test_cancelling_the_caller_stops_the_work() -> None:
    async with FakeOllama([FakeModel(MODEL, script=["a", "b"])]) as ollama:
        ollama.faults.at(2, "stall")
        async with AsyncClient(ollama.url) as hx:
            task = asyncio.get_running_loop().create_task(hx.ask("hi"))
            await ollama.timeline.wait_for("first_token")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await ollama.timeline.wait_for("cancelled")


async def test_an_answer_that_breaks_off_keeps_its_text() -> None:
    async with FakeOllama([FakeModel(MODEL, script=["a", "b"])]) as ollama:
        ollama.faults.at(2, "reset")
        async with AsyncClient(ollama.url) as hx:
            with pytest.raises(Interrupted) as caught:
                await hx.ask("hi")
    assert caught.value.reply.text == "a"


async def test_looking_at_a_property_asks_nobody(fleet: Place) -> None:
    async with AsyncClient(*fleet.urls) as hx:
        assert hx.nodes is not hx.nodes
    assert not any(server.requests for server in fleet.servers)


async def test_conversations_that_the_server_keeps(coordinator: Place, client: Callable[..., Client]) -> None:
    hx = client(*coordinator.urls, token=coordinator.token).aio
    chat = hx.conversation()
    assert (await chat("hi", stream=False)).text == "Hello there"
    assert [piece async for piece in chat.stream("again")]
    (kept,) = await hx.conversations
    assert len(await hx.conversation(kept.id).refresh()) == 4
