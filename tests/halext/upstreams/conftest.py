"""The door to nodes that most of these tests go through."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from halext.upstreams.http import Door


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    made = Door()
    yield made
    await made.aclose()
