"""What is done with a Control, where no server is needed to see it."""

from __future__ import annotations

import sys
from typing import cast

import numpy as np
import pytest

from halext.client.verbs import BATCH, Embedding, embed
from halext.errors import AllBusy, MissingExtra
from halext.messages import EmbedReply, EmbedRequest
from halext.runtime.control import Control
from halext.types import NodeName


class Vectors:
    """Embeds a text as its number and its length; fails at one of them."""

    def __init__(self, fails_at: str | None = None) -> None:
        self.batches: list[int] = []
        self.fails_at = fails_at

    async def embed(self, request: EmbedRequest, node: NodeName | None = None) -> EmbedReply:
        self.batches.append(len(request.inputs))
        if self.fails_at in request.inputs:
            raise AllBusy
        return EmbedReply(tuple((float(text), 3.0, float(node == "mac")) for text in request.inputs))


def wish(count: int, *, normalize: bool = False, node: str | None = None) -> Embedding:
    return Embedding([str(number) for number in range(count)], "m", node, None, normalize)


async def test_long_lists_go_in_batches_and_stay_in_order() -> None:
    control = Vectors()
    rows = await embed(cast("Control", control), wish(BATCH * 2 + 5, node="mac"))
    assert sorted(control.batches) == [5, BATCH, BATCH]
    assert rows[:, 0].tolist() == list(range(BATCH * 2 + 5))
    assert set(rows[:, 2].tolist()) == {1.0}
    assert rows.dtype == np.float32


async def test_nothing_gives_no_rows_of_the_right_length() -> None:
    class Constant(Vectors):
        async def embed(self, request: EmbedRequest, node: NodeName | None = None) -> EmbedReply:
            return EmbedReply(((1.0, 2.0, 3.0),) * len(request.inputs))

    assert (await embed(cast("Control", Constant()), wish(0))).shape == (0, 3)


async def test_rows_of_length_one() -> None:
    rows = await embed(cast("Control", Vectors()), wish(5, normalize=True))
    assert np.allclose(np.linalg.norm(rows, axis=1), 1.0)


async def test_the_first_failure_is_the_error() -> None:
    with pytest.raises(AllBusy):
        await embed(cast("Control", Vectors(fails_at="70")), wish(BATCH * 3))


async def test_without_numpy_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    control = Vectors()
    with pytest.raises(MissingExtra, match=r"pip install 'halext\[notebook\]'"):
        await embed(cast("Control", control), wish(1))
    assert control.batches == []
