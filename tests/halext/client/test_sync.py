"""The synchronous client, both ways, against servers on real sockets."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

import halext
from halext.client.sync import Client
from halext.errors import (
    Interrupted,
    InvalidInput,
    NotOffered,
    Unauthenticated,
    UnknownModel,
    UnknownNode,
    Unreachable,
    UsageError,
)
from halext.testing.ollama import FakeModel, FakeOllama

if TYPE_CHECKING:
    from tests.halext.client.conftest import Place

MODEL = "llama3.2:3b"


async def test_ask(hx: Client, place: Place) -> None:
    reply = await asyncio.to_thread(hx.ask, "Who is there?", model=MODEL)
    assert reply.text == str(reply) == "Hello there"
    assert reply.model == MODEL
    assert reply.node in place.nodes
    assert reply.usage.completion_tokens == 3
    assert reply.tokens_per_s is not None
    assert reply.tokens_per_s > 0
    assert reply.outcome == "done"
    assert reply.finish_reason == "stop"
    assert f"chose {reply.node}" in reply.why
    assert reply.id


async def test_a_question_that_names_no_model_gets_one_that_chats(hx: Client) -> None:
    assert (await asyncio.to_thread(hx.ask, "hi")).model == MODEL


async def test_what_is_sent_is_what_was_said(hx: Client, place: Place) -> None:
    await asyncio.to_thread(hx.ask, "hi", system="Be brief.", seed=7, temperature=0.5, stop="END", images=[b"\x89PNG"])
    (body,) = [r.json() for server in place.servers for r in server.requests if r.path == "/api/chat"]
    assert [(m["role"], m["content"]) for m in body["messages"]] == [("system", "Be brief."), ("user", "hi")]
    assert body["messages"][1]["images"] == ["iVBORw=="]
    assert (body["options"]["seed"], body["options"]["temperature"]) == (7, 0.5)
    assert body["options"]["stop"] == ["END"]


async def test_stream_gives_pieces_and_then_everything_else(hx: Client) -> None:
    stream = hx.stream("hi", model=MODEL)
    assert "running" in repr(stream)
    assert await asyncio.to_thread(list, stream) == ["Hel", "lo", " there"]
    assert stream.reply.text == "Hello there"
    assert stream.reply.outcome == "done"
    with pytest.raises(UsageError, match="read already"):
        next(iter(stream))


async def test_nothing_is_sent_before_the_first_piece_is_asked_for(hx: Client, place: Place) -> None:
    hx.stream("hi")
    hx.chat()
    await asyncio.to_thread(lambda: hx.nodes)
    assert place.asked() == 0


async def test_leaving_the_loop_stops_the_work(hx: Client, place: Place) -> None:
    def first() -> str:
        for piece in hx.stream("hi", model=MODEL):
            return piece
        return ""

    for server in place.servers:
        server.faults.at(2, "stall", times=None)
    assert await asyncio.to_thread(first) == "Hel"
    await place.wait_for("cancelled")


async def test_an_answer_that_breaks_off_keeps_its_text(hx: Client, place: Place) -> None:
    for server in place.servers:
        server.faults.at(3, "reset", times=None)
    with pytest.raises(Interrupted) as caught:
        await asyncio.to_thread(hx.ask, "hi", model=MODEL)
    assert caught.value.reply.text == "Hello"
    assert caught.value.reply.outcome == "interrupted"


async def test_a_node_that_fails_before_its_first_word_is_not_noticed(hx: Client, place: Place) -> None:
    place.servers[0].faults.at("head", "error", times=None)
    texts = [(await asyncio.to_thread(hx.ask, "hi", model=MODEL)).text for _ in range(3)]
    assert texts == ["Hello there"] * 3


async def test_one_node_by_its_name(hx: Client, place: Place) -> None:
    for _ in range(3):
        assert (await asyncio.to_thread(hx.ask, "hi", model=MODEL, node=place.nodes[1])).node == place.nodes[1]
    with pytest.raises(UnknownNode, match="nowhere"):
        await asyncio.to_thread(hx.ask, "hi", model=MODEL, node="nowhere")


async def test_a_model_that_nobody_has(hx: Client) -> None:
    with pytest.raises(UnknownModel, match="gpt-9"):
        await asyncio.to_thread(hx.ask, "hi", model="gpt-9")


async def test_chat_remembers_and_forks(hx: Client, place: Place) -> None:
    chat = hx.chat(system="Be brief.")
    await asyncio.to_thread(chat, "one")
    branch = chat.fork()
    await asyncio.to_thread(branch, "two")
    assert (len(chat), len(branch)) == (1, 2)
    assert chat.model == MODEL
    bodies = [r.json() for server in place.servers for r in server.requests if r.path == "/api/chat"]
    longest = max(bodies, key=lambda body: len(body["messages"]))
    assert [m["content"] for m in longest["messages"]] == ["Be brief.", "one", "Hello there", "two"]


async def test_a_turn_that_failed_leaves_no_trace(hx: Client, place: Place) -> None:
    chat = hx.chat(model=MODEL)
    for server in place.servers:
        server.faults.at(2, "reset")
    with pytest.raises(Interrupted):
        await asyncio.to_thread(chat, "one")
    assert len(chat) == 0


async def test_embed(hx: Client) -> None:
    vectors = await asyncio.to_thread(hx.embed, ["a", "b", "a"])
    assert vectors.shape == (3, 4)
    assert str(vectors.dtype) == "float32"
    assert (vectors[0] == vectors[2]).all()
    assert not (vectors[0] == vectors[1]).all()


async def test_tables(hx: Client, place: Place) -> None:
    nodes = await asyncio.to_thread(lambda: hx.nodes)
    assert [node.name for node in nodes] == sorted(place.nodes)
    models = await asyncio.to_thread(lambda: hx.models)
    assert len(models[MODEL].places) == 2


async def test_explain_sends_nothing(hx: Client, place: Place) -> None:
    explanation = await asyncio.to_thread(hx.explain, "hi", model=MODEL)
    assert explanation.node in place.nodes
    assert "chose" in str(explanation)
    assert place.asked() == 0


async def test_many_threads_share_a_client(hx: Client) -> None:
    replies = await asyncio.gather(*(asyncio.to_thread(hx.ask, "hi", model=MODEL) for _ in range(12)))
    assert {reply.text for reply in replies} == {"Hello there"}


async def test_a_wrong_token(coordinator: Place, client: Callable[..., Client]) -> None:
    with pytest.raises(Unauthenticated):
        await asyncio.to_thread(client(*coordinator.urls, token="hx_wrong").ask, "hi")


async def test_a_coordinator_beside_a_server_and_the_token_for_one_of_them(
    coordinator: Place, client: Callable[..., Client], fake_ollama: Callable[..., Awaitable[FakeOllama]]
) -> None:
    plain = await fake_ollama(["only:here"])
    hx = client(*coordinator.urls, plain.url, token=coordinator.token)
    nodes = await asyncio.to_thread(lambda: hx.nodes)
    assert sorted((endpoint.kind, node.status) for node in nodes for endpoint in node.endpoints) == [
        ("halext", "healthy"),
        ("ollama", "healthy"),
    ]
    assert (await asyncio.to_thread(hx.ask, "hi", model=MODEL)).text == "Hello there"
    assert (await asyncio.to_thread(hx.ask, "hi", model="only:here")).outcome == "done"
    assert plain.requests
    assert not any("authorization" in request.headers for request in plain.requests)


async def test_nobody_there(client: Callable[..., Client]) -> None:
    async with FakeOllama() as gone:
        url = gone.url
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
        await asyncio.to_thread(client(url).ask, "hi")


@pytest.mark.parametrize("url", ["ftp://x", "http://user:secret@host", "http://host/v1", ""])
def test_a_url_that_is_none_is_refused_at_once_and_never_repeated(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Client(url)
    assert "secret" not in str(caught.value)


def test_options_that_there_are_not() -> None:
    with pytest.raises(TypeError, match="did you mean 'temperature'"):
        Client("http://127.0.0.1:9").ask("hi", temprature=1)  # type: ignore[call-arg]  # the mistake is the test
    with pytest.raises(TypeError, match="no option 'tokn'"):
        Client("http://127.0.0.1:9", tokn="x")  # type: ignore[call-arg]  # the mistake is the test


async def test_closing_ends_work_threads_and_use(fleet: Place) -> None:
    for server in fleet.servers:
        server.faults.at(2, "stall", times=None)
    hx = Client(*fleet.urls)
    asking = asyncio.get_running_loop().run_in_executor(None, hx.ask, "hi")
    await fleet.wait_for("first_token")
    await asyncio.to_thread(hx.close)
    with pytest.raises(UsageError, match="closed while it worked"):
        await asking
    await fleet.wait_for("cancelled")
    assert "halext" not in {thread.name for thread in threading.enumerate()}
    assert hx.is_closed
    with pytest.raises(UsageError, match="is closed"):
        await asyncio.to_thread(hx.ask, "hi")
    hx.close()


async def test_with_closes(fleet: Place) -> None:
    def use() -> Client:
        with Client(*fleet.urls) as hx:
            hx.ask("hi")
        return hx

    assert (await asyncio.to_thread(use)).is_closed


async def test_it_works_inside_a_running_loop(fleet: Place) -> None:
    """As in a notebook's cell: the caller's own loop runs, and is blocked by the call."""

    async def cell() -> str:
        with Client(*fleet.urls) as hx:
            return hx.ask("hi", model=MODEL).text

    assert await asyncio.to_thread(asyncio.run, cell()) == "Hello there"


def test_it_says_where_it_goes_and_no_secrets() -> None:
    hx = Client("http://mac:11434", token="hx_secret", headers={"http://mac:11434": {"authorization": "secret"}})
    assert repr(hx) == "<Client of http://mac:11434>"
    assert repr(hx.aio) == "<AsyncClient of http://mac:11434>"


INTERRUPTED = {
    "sync": "halext.Client(URL).ask('hi')",
    "awaited": "asyncio.run(halext.AsyncClient(URL).ask('hi'))",
    "stream": "[print(p, flush=True) for p in halext.Client(URL).stream('hi')]",
}


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT can't be sent to a child there")
@pytest.mark.parametrize("way", INTERRUPTED)
async def test_ctrl_c_stops_the_work_at_the_node(way: str) -> None:
    async with FakeOllama([FakeModel(MODEL, script=["a", "b"])]) as ollama:
        ollama.faults.at(2, "stall", times=None)
        code = f"import asyncio, halext; URL = {ollama.url!r}; {INTERRUPTED[way]}"
        quiet, pipe = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=quiet, stderr=pipe)
        try:
            await ollama.timeline.wait_for("first_token", timeout_s=30)
            child.send_signal(signal.SIGINT)
            await ollama.timeline.wait_for("cancelled")
            async with asyncio.timeout(10):
                _, said = await child.communicate()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        assert b"KeyboardInterrupt" in said
        assert b"Exception ignored" not in said
        assert b"never" not in said


def test_the_front_door_gives_the_same_classes() -> None:
    assert halext.Client is Client


async def test_conversations_that_the_server_keeps(coordinator: Place, client: Callable[..., Client]) -> None:
    def use() -> None:
        hx = client(*coordinator.urls, token=coordinator.token)
        chat = hx.conversation(model=MODEL, system="Be brief.")
        assert chat("hi", stream=False).text == "Hello there"
        assert "".join(chat.stream("again")) == "Hello there"
        assert [turn.text for turn in chat.turns] == ["hi", "Hello there", "again", "Hello there"]
        (kept,) = hx.conversations
        assert (kept.id, kept.title) == (chat.id, "hi")
        same = client(*coordinator.urls, token=coordinator.token).conversation(kept.id).refresh()
        assert (len(same), same.title) == (4, "hi")

    await asyncio.to_thread(use)


async def test_a_fleet_keeps_none(fleet: Place, client: Callable[..., Client]) -> None:
    def use() -> None:
        hx = client(*fleet.urls)
        with pytest.raises(NotOffered, match="takes a halext server"):
            hx.conversation()("hi", stream=False)
        with pytest.raises(NotOffered):
            hx.conversations  # noqa: B018  (a property that asks)

    await asyncio.to_thread(use)
