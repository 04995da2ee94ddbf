"""The nodes as everyone sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from halext.errors import Unreachable
from halext.nodes.types import Cordon, Status
from halext_web.pages.nodes import WORDS

if TYPE_CHECKING:
    from tests.web.conftest import House


async def test_a_node_with_all_that_matters(member: httpx.AsyncClient) -> None:
    page = (await member.get("/nodes")).text
    for part in ("mac", "online", "0 of 4", "llama3.2:3b", "nomic-embed-text:latest", "ollama 0.30.0"):
        assert part in page


async def test_one_that_is_off_says_why_and_nobody_waits_for_it(house: House, member: httpx.AsyncClient) -> None:
    (state,) = house.app.registry.states()
    for _ in range(5):
        house.app.registry.missed(state.endpoint.id, Unreachable("The <mac> does not answer.", node="mac"))
    page = (await member.get("/nodes")).text
    assert "The &lt;mac&gt; does not answer." in page
    assert "<mac>" not in page
    assert "No computer is online" in (await member.get("/")).text


@pytest.mark.parametrize("status", [*Status, *(cordon for cordon in Cordon if cordon is not Cordon.OPEN)])
def test_every_status_has_a_word_and_a_look(status: str) -> None:
    tone, word = WORDS[status]
    assert tone in {"good", "fair", "bad"}
    assert word


async def test_a_cordoned_node_is_kept_free(house: House, member: httpx.AsyncClient) -> None:
    await house.app.registry.set_cordon("mac", Cordon.CORDONED)
    assert "kept free" in (await member.get("/nodes")).text


async def test_no_node_yet_says_how_to_add_one(house: House, member: httpx.AsyncClient) -> None:
    await house.app.registry.remove("mac")
    assert "halext node add" in (await member.get("/nodes")).text
