from __future__ import annotations

import pytest

from halext.errors import AlreadyRunning
from halext.runtime import upkeep
from halext.runtime.settings import Settings
from halext.runtime.wiring import open_app


async def test_upgrading_and_checking(settings: Settings) -> None:
    before = await upkeep.check_database(settings)
    assert (before.state, before.is_current) == ("empty", False)
    done = await upkeep.upgrade_database(settings)
    assert done.before is None
    after = await upkeep.check_database(settings)
    assert (after.state, after.is_current, after.differences) == ("current", True, [])
    assert (await upkeep.upgrade_database(settings)).before == done.after


async def test_nothing_is_done_to_a_house_that_is_open(settings: Settings) -> None:
    async with open_app(settings):
        for work in (upkeep.upgrade_database, upkeep.check_database):
            with pytest.raises(AlreadyRunning):
                await work(settings)
