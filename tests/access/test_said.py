"""Every command of chats, for everybody, with every kind of id, on both databases. `test_matrix` tells how to go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from halext.storage.engine import Database

from . import commands, walk
from .house import opened


@pytest.mark.timeout(120)
async def test_everybody_says_what_they_may_and_reaches_nothing_else(database: Database, tmp_path: Path) -> None:
    wrong: list[str] = []
    sayings = commands.entries()
    async with opened(database._url.render_as_string(hide_password=False), tmp_path) as house:
        await walk.furnish(house, {said.key for said in sayings if said.key})
        for said in sayings:
            wrong += await commands.refused(house, said)
        for said in sayings:
            wrong += await commands.done(house, said)
    assert not wrong, "\n".join([*wrong[:40], f"{len(wrong)} in all"])
