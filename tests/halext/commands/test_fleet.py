from __future__ import annotations

import pytest

from halext.commands import fleet
from halext.nodes.types import Node
from halext.runtime.shapes import ModelPlace
from halext.testing.ollama import FakeOllama
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint

from .conftest import EMBEDDER, MODEL, SLOW, Chat


def plain(text: str) -> str:
    return text.replace("\\", "")


async def test_an_empty_house_says_how_to_begin(chat: Chat) -> None:
    assert "halext node add" in (await chat.text(chat.mia, "nodes")).markdown
    assert "`/nodes`" in (await chat.text(chat.mia, "models")).markdown


async def test_everyone_sees_the_computers_and_their_models(chat: Chat, mac: FakeOllama) -> None:
    nodes = plain((await chat.text(chat.mia, "nodes")).markdown).splitlines()
    assert nodes[0] == "| node | status | busy | in memory |"
    assert nodes[2:] == ["| mac | healthy | 0 of 1 | - |"]
    models = plain((await chat.text(chat.mia, "models")).markdown).splitlines()
    assert [line.split()[1] for line in models] == [f"`{name}`" for name in sorted([MODEL, SLOW, EMBEDDER])]
    assert f"- `{MODEL}` 2.0 GB: mac (cold)" in models
    await chat.ended(chat.mia, f"ask model={MODEL} Why?")
    await chat.app.prober.look(EndpointId("mac"))
    assert f"| mac | healthy | 0 of 1 | {MODEL} |" in plain((await chat.text(chat.mia, "nodes")).markdown)
    warm = plain((await chat.text(chat.mia, "models")).markdown)
    assert f"- `{MODEL}` 2.0 GB: mac (warm" in warm


@pytest.mark.parametrize(
    ("available", "loaded", "speed", "shown"),
    [
        (True, True, 41.6, "mac (warm, 42 tokens/s)"),
        (True, False, 41.6, "mac (cold, 42 tokens/s)"),
        (True, False, None, "mac (cold)"),
        (False, True, 41.6, "mac (away)"),
    ],
)
def test_a_model_is_shown_with_its_speed(available: bool, loaded: bool, speed: float | None, shown: str) -> None:
    assert fleet._place(ModelPlace("mac", "mac", available, loaded, "d", speed)) == shown


async def test_a_computer_that_is_away_keeps_its_row(chat: Chat, mac: FakeOllama) -> None:
    await mac.close()
    for _ in range(3):
        await chat.app.prober.look(EndpointId("mac"))
    assert "| mac | healthy" not in plain((await chat.text(chat.mia, "nodes")).markdown)
    assert "mac (away)" in plain((await chat.text(chat.mia, "models")).markdown)


@pytest.mark.parametrize("line", ["node cordon", "node uncordon", "node drain", "node test"])
async def test_nodes_are_for_administrators(chat: Chat, mac: FakeOllama, line: str) -> None:
    assert await chat.refusal(chat.mia, f"{line} mac") == f"/{line} is for administrators."
    assert "I don't know you yet" in await chat.refusal(chat.stranger, f"{line} mac")
    assert "The node's name is missing" in await chat.refusal(chat.ada, line)
    assert "no node" in await chat.refusal(chat.ada, f"{line} *@everyone*")
    assert "healthy |" in plain((await chat.text(chat.ada, "nodes")).markdown)


async def test_a_node_is_cordoned_drained_and_let_work_again(chat: Chat, mac: FakeOllama) -> None:
    assert (await chat.text(chat.ada, "node cordon mac")).markdown == "`mac` is cordoned now."
    assert "| mac | cordoned |" in plain((await chat.text(chat.mia, "nodes")).markdown)
    assert (await chat.text(chat.ada, "node uncordon mac")).markdown == "`mac` is healthy now."
    before = chat.app.clock.now()
    assert (await chat.text(chat.ada, "node drain mac 2h")).markdown == "`mac` is draining now."
    until = chat.app.registry.node(NodeName("mac")).cordon_until
    assert until is not None
    assert 7200 <= until - before < 7260
    await chat.text(chat.ada, "node drain mac")
    assert chat.app.registry.node(NodeName("mac")).cordon_until is None


async def test_a_time_that_is_none_changes_nothing(chat: Chat, mac: FakeOllama) -> None:
    assert "write it like 90s" in await chat.refusal(chat.ada, "node drain mac soon")
    assert "| healthy |" in plain((await chat.text(chat.ada, "nodes")).markdown)


async def test_a_node_is_tried_step_by_step(chat: Chat, mac: FakeOllama) -> None:
    report = await chat.text(chat.ada, "node test mac")
    head, _, *steps = plain(report.markdown).splitlines()
    assert head == "`mac` works:"
    assert steps[0].startswith("- ✓ name: ")
    assert steps[-1].startswith("- ✓ first token: ")
    assert not report.is_quiet


async def test_the_step_that_fails_is_marked(chat: Chat, mac: FakeOllama) -> None:
    mac.faults.at("head", "error", times=None, path="/api/chat")
    reply = await chat.talk.line(chat.ada, "node test mac")
    assert "`mac` does not work:" in reply.markdown  # type: ignore[union-attr]  # a text
    assert "- ✗ first token:" in plain(reply.markdown)  # type: ignore[union-attr]
    assert reply.is_error  # type: ignore[union-attr]


async def test_a_node_with_nothing_to_try_says_so(chat: Chat) -> None:
    await chat.app.registry.add(Node(NodeName("bare"), ()))
    reply = await chat.talk.line(chat.ada, "node test bare")
    assert reply.markdown == "`bare` has no endpoint that could be tried."  # type: ignore[union-attr]  # a text


async def test_words_of_nodes_are_text(chat: Chat) -> None:
    endpoint = Endpoint(EndpointId("a`b"), NodeName("*a*|b"), "ollama", "http://127.0.0.1:1")
    await chat.app.registry.add(Node(NodeName("*a*|b"), (endpoint,)))
    assert "| \\*a\\*\\|b | " in (await chat.text(chat.mia, "nodes")).markdown


async def test_nodes_are_offered_while_one_types(chat: Chat, mac: FakeOllama) -> None:
    assert fleet.NODE.complete is not None
    assert chat.ada.caller is not None
    assert [list(fleet.NODE.complete(chat.app, chat.ada.caller, typed)) for typed in ("", "MA", "x")] == [
        ["mac"],
        ["mac"],
        [],
    ]
