"""Reading another's answers out of the cache, or having one's own changed by it: by guessing, by a node, by half."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from halext.accounts.types import LOCAL
from halext.errors import Interrupted
from halext.messages import ChatChunk, Done, Usage
from halext.types import EndpointId
from halext.upstream import ModelInfo
from tests.web.conftest import EMBEDDER, MODEL, SIGHTING, House, OpenHouse, pieces

CHAT: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "my secret question"}],
    "temperature": 0,
}
PATH = "/v1/chat/completions"
ENDPOINT = EndpointId("mac/ollama")


@pytest.fixture
async def house(open_house: OpenHouse) -> House:
    """A house that keeps answers."""
    return await open_house(cache=True)


async def text(client: httpx.AsyncClient, **changes: Any) -> str:
    answer = await client.post(PATH, json=CHAT | changes)
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["choices"][0]["message"]["content"]
    return found


async def eve(house: House) -> dict[str, str]:
    """Somebody else's credential."""
    await house.app.people.add_user("Eve", "member")  # type: ignore[arg-type]
    token, _ = await house.app.people.create_token(LOCAL, "t", for_user="Eve")
    return {"Authorization": f"Bearer {token}"}


async def test_the_same_person_gets_the_same_and_is_told_so(house: House, member: httpx.AsyncClient) -> None:
    house.script.say("se", "cret")
    assert await text(member) == "secret"
    house.script.say("another")
    answer = await member.post(PATH, json=CHAT)
    assert answer.json()["choices"][0]["message"]["content"] == "secret"
    assert (answer.headers["x-halext-cache"], answer.headers.get("x-halext-node")) == ("hit", None)
    told = (await member.get(f"/hx/requests/{answer.headers['x-halext-request']}")).json()
    assert (told["cached"], told["node"], told["outcome"], told["prompt_tokens"]) == (True, None, "done", 0)
    assert "answered from the cache" in told["why"][0]
    streamed = (await member.post(PATH, json=CHAT | {"stream": True})).text
    assert "another" not in streamed
    assert streamed.rstrip().endswith("data: [DONE]")
    assert len(house.script.requests) == 1
    usage = (await member.get("/hx/usage")).json()
    assert [(row["requests"], row["completion_tokens"]) for row in usage] == [(3, 2)], "a hit is a request all the same"


async def test_two_people_with_the_same_question_never_meet(house: House, member: httpx.AsyncClient) -> None:
    house.script.say("for Mia")
    assert await text(member) == "for Mia"
    house.script.say("for Eve")
    async with house.client(headers=await eve(house)) as other:
        answer = await other.post(PATH, json=CHAT)
    assert answer.json()["choices"][0]["message"]["content"] == "for Eve"
    assert "x-halext-cache" not in answer.headers
    assert await text(member) == "for Mia", "what a node told Eve reaches nobody else"


@pytest.mark.parametrize(
    "change",
    [
        {"messages": [{"role": "user", "content": "my secret question "}]},
        {"messages": [{"role": "system", "content": "x"}, *CHAT["messages"]]},
        {"temperature": 0, "seed": 1},
        {"max_tokens": 5},
        {"stop": ["x"]},
        {"top_p": 0.5},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
        {"response_format": {"type": "json_object"}},
        {"messages": [{"role": "user", "content": [
            {"type": "text", "text": "my secret question"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ]}]},
        {"temperature": 0.7},
    ],
    ids=str,
)  # fmt: skip
async def test_whatever_is_changed_is_asked_anew(
    house: House, member: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    house.script.say("first")
    await text(member)
    house.script.say("second")
    answer = await member.post(PATH, json=CHAT | change)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "second"


async def test_other_weights_under_the_same_name_are_another_model(house: House, member: httpx.AsyncClient) -> None:
    house.script.say("old weights")
    await text(member)
    see(house, "f" * 64)
    house.script.say("new weights")
    assert await text(member) == "new weights"
    see(house, "")  # a server that does not say: nobody knows whether it is the same
    house.script.say("unknown weights")
    assert await text(member) == "unknown weights"
    house.script.say("not kept")
    assert await text(member) == "not kept"


def see(house: House, digest: str) -> None:
    """The node says that its model has this digest."""
    models: tuple[ModelInfo, ...] = (replace(SIGHTING.models[0], digest=digest), *SIGHTING.models[1:])
    house.app.registry.saw(ENDPOINT, replace(SIGHTING, models=models), asked_at=house.app.clock.now())


async def test_weights_that_change_while_it_answers_are_not_kept(house: House, member: httpx.AsyncClient) -> None:
    house.script.say("which weights")
    gate = house.script.hold(1)
    async with member.stream("POST", PATH, json=CHAT | {"stream": True}) as answer:
        see(house, "f" * 64)
        gate.set()
        await answer.aread()
    see(house, SIGHTING.models[0].digest)
    house.script.say("asked anew")
    assert await text(member) == "asked anew"


async def test_half_an_answer_is_never_kept(house: House, member: httpx.AsyncClient) -> None:
    house.script.errors[1] = Interrupted("cut", began=True)
    answer = await member.post(PATH, json=CHAT)
    assert answer.status_code == 502
    house.script.errors.clear()
    house.script.answer = [ChatChunk("no end")]
    assert (await member.post(PATH, json=CHAT)).status_code == 502
    house.script.hold(1)
    house.script.answer = pieces("some", "more")
    async with member.stream("POST", PATH, json=CHAT | {"stream": True}) as streamed:
        await anext(streamed.aiter_raw())  # whoever leaves here has had a part
    await house.script.closed.wait()
    house.script.gates.clear()
    house.script.say("whole")
    assert await text(member) == "whole"
    assert await text(member) == "whole"


async def test_cut_off_by_its_length_is_whole_as_asked(house: House, member: httpx.AsyncClient) -> None:
    """The request itself says where to stop, so the same end is right the next time; with another bound it is asked."""
    house.script.answer = [ChatChunk("so far"), ChatChunk(done=Done("length", Usage(3, 1)))]
    for _ in range(2):
        answer = (await member.post(PATH, json=CHAT | {"max_tokens": 1})).json()
        assert answer["choices"][0]["finish_reason"] == "length"
    assert len(house.script.requests) == 1
    house.script.say("to the end")
    assert await text(member) == "to the end"


async def test_vectors_are_kept_per_person_too(house: House, member: httpx.AsyncClient) -> None:
    body = {"model": EMBEDDER, "input": ["my secret"]}
    first, second = [(await member.post("/v1/embeddings", json=body)).json()["data"] for _ in range(2)]
    assert first == second
    assert len(house.script.requests) == 1
    async with house.client(headers=await eve(house)) as other:
        await other.post("/v1/embeddings", json=body)
    assert len(house.script.requests) == 2


async def test_an_endless_answer_is_not_collected(house: House, member: httpx.AsyncClient) -> None:
    house.script.answer = pieces(*["x" * 10_000] * 10)
    for _ in range(2):
        await text(member)
    assert len(house.script.requests) == 2


async def test_who_names_a_node_hears_that_node(house: House, member: httpx.AsyncClient) -> None:
    await text(member)
    house.script.say("from mac, now")
    answer = await member.post(PATH, json=CHAT, headers={"X-Halext-Node": "mac"})
    assert answer.json()["choices"][0]["message"]["content"] == "from mac, now"


async def test_nothing_is_kept_unless_it_is_wanted(open_house: OpenHouse) -> None:
    house = await open_house()
    async with house.client() as client:
        await text(client)
        house.script.say("asked anew")
        assert await text(client) == "asked anew"
