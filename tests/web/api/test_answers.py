"""A live answer by server-sent events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from halext.errors import Interrupted

if TYPE_CHECKING:
    from tests.web.conftest import House


async def ask(member: httpx.AsyncClient, text: str = "go", conversation: int | None = None) -> dict[str, Any]:
    path = "/hx/conversations" if conversation is None else f"/hx/conversations/{conversation}/ask"
    answer = await member.post(path, json={"text": text})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def events(member: httpx.AsyncClient, answer: int, after: int | None = None) -> list[tuple[str, str, Any]]:
    """Kind, id and data of each event, to the end."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    async with member.stream("GET", f"/hx/answers/{answer}", headers=headers) as stream:
        assert stream.status_code == 200
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["x-accel-buffering"] == "no"
        text = "".join([part async for part in stream.aiter_text()])
    found = []
    for block in filter(None, text.split("\n\n")):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        found.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
    return found


async def test_an_answer_is_followed_to_its_end(house: House, member: httpx.AsyncClient) -> None:
    house.script.say("one\n\n", "two")
    gate = house.script.hold(1)
    told = await ask(member)
    gate.set()
    seen = await events(member, told["answer"])
    kind, _, turn = seen[-1]
    assert (kind, turn["state"], turn["text"], turn["node"]) == ("done", "done", "one\n\ntwo", "mac")
    assert turn["why"]
    later = await events(member, told["answer"])
    assert [kind for kind, _, _ in later] == ["whole", "done"]
    assert later[0][2] == {"text": "one\n\ntwo"}


async def test_a_page_gets_elements(house: House, member: httpx.AsyncClient) -> None:
    house.script.say("**one**\n\n", "two")
    gate = house.script.hold(1)
    told = await ask(member)
    seen: dict[str, Any] = {}
    kind = ""
    async with member.stream("GET", f"/hx/answers/{told['answer']}?rendered=1") as stream:
        async for line in stream.aiter_lines():
            name, _, value = line.partition(": ")
            kind = value if name == "event" else kind
            if name == "data":
                seen[kind] = json.loads(value)
            if kind == "block":
                gate.set()
    assert seen["block"] == {"text": "**one**\n\n", "nodes": [["p", {}, ["strong", {}, "one"]], "\n"]}
    assert seen["done"]["nodes"] == [*seen["block"]["nodes"], ["p", {}, "two"], "\n"]
    assert "nodes" not in seen["tail"]
    assert "nodes" not in (await events(member, told["answer"]))[-1][2]


async def test_a_reader_goes_on_where_it_was(house: House, member: httpx.AsyncClient) -> None:
    house.script.say("one\n\n", "two\n\n", "three")
    gate = house.script.hold(2)
    told = await ask(member)
    async with member.stream("GET", f"/hx/answers/{told['answer']}") as stream:
        async for line in stream.aiter_lines():
            if line == "id: 2":
                break
    gate.set()
    seen = await events(member, told["answer"], after=2)
    assert "block" not in [kind for kind, _, _ in seen] or seen[0][0] == "whole"
    assert seen[-1][2]["text"] == "one\n\ntwo\n\nthree"


async def test_the_reader_may_leave_and_the_answer_goes_on(house: House, member: httpx.AsyncClient) -> None:
    house.script.say("one", " two")
    gate = house.script.hold(1)
    told = await ask(member)
    async with member.stream("GET", f"/hx/answers/{told['answer']}") as stream:
        async for line in stream.aiter_lines():
            if "one" in line:
                break
    assert not house.script.closed.is_set()
    gate.set()
    assert (await events(member, told["answer"]))[-1][2]["text"] == "one two"


async def test_stop(house: House, member: httpx.AsyncClient) -> None:
    house.script.say("one", " two")
    house.script.hold(1)
    told = await ask(member)
    await house.script.began.wait()
    stopped = (await member.post(f"/hx/answers/{told['answer']}/stop")).json()
    assert stopped["state"] == "stopped"
    assert house.script.closed.is_set()


async def test_a_conversation_goes_on_and_is_listed(house: House, member: httpx.AsyncClient) -> None:
    house.script.say("hello")
    first = await ask(member, "I am Ann")
    await events(member, first["answer"])
    second = await ask(member, "who am I?", first["conversation"]["id"])
    await events(member, second["answer"])
    (listed,) = (await member.get("/hx/conversations")).json()
    assert listed["title"] == "I am Ann"
    whole = (await member.get(f"/hx/conversations/{listed['id']}")).json()
    assert [turn["text"] for turn in whole["turns"]] == ["I am Ann", "hello", "who am I?", "hello"]
    assert (await member.delete(f"/hx/conversations/{listed['id']}")).status_code == 200
    assert (await member.get(f"/hx/conversations/{listed['id']}")).status_code == 404


async def test_a_broken_answer_says_so(house: House, member: httpx.AsyncClient) -> None:
    house.script.say("half", " more")
    house.script.errors[1] = Interrupted("mac stopped", node="mac")
    told = await ask(member)
    turn = (await events(member, told["answer"]))[-1][2]
    assert (turn["state"], turn["text"], turn["error"]) == ("interrupted", "half", "mac stopped")


@pytest.mark.parametrize("path", ["/hx/answers/999999", "/hx/answers/x", "/hx/conversations/999999"])
async def test_what_is_not_there(member: httpx.AsyncClient, path: str) -> None:
    assert (await member.get(path)).status_code in {404, 422}


async def test_an_empty_question_is_refused(member: httpx.AsyncClient) -> None:
    answer = await member.post("/hx/conversations", json={"text": "  "})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
