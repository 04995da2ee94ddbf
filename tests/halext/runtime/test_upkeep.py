from __future__ import annotations

import pytest

from halext.errors import AlreadyRunning
from halext.runtime import upkeep
from halext.runtime.settings import Settings
from halext.runtime.wiring import open_app
from halext.types import SecretRef


async def test_upgrading_and_checking(settings: Settings) -> None:
    before = await upkeep.check_database(settings)
    assert (before.state, before.is_current) == ("empty", False)
    done = await upkeep.upgrade_database(settings)
    assert done.before is None
    after = await upkeep.check_database(settings)
    assert (after.state, after.is_current, after.differences) == ("current", True, [])
    assert (await upkeep.upgrade_database(settings)).before == done.after


async def test_rotation_seals_everything_anew(settings: Settings) -> None:
    async with open_app(settings) as app:
        for name in ("one", "two"):
            await app.vault.set(SecretRef(name), f"secret {name}")
        (first, _) = await app.vault.list()
    assert await upkeep.rotate_keys(settings) == upkeep.Rotation(sealed=2, older_keys=1)
    async with open_app(settings) as app:
        assert [await app.vault.reveal(SecretRef(name)) for name in ("one", "two")] == ["secret one", "secret two"]
        assert {info.key_id for info in await app.vault.list()}.isdisjoint({first.key_id})
    assert len((settings.data_dir / "master.key").read_text().split(",")) == 2


async def test_nothing_is_done_to_a_house_that_is_open(settings: Settings) -> None:
    async with open_app(settings):
        for work in (upkeep.upgrade_database, upkeep.check_database, upkeep.rotate_keys):
            with pytest.raises(AlreadyRunning):
                await work(settings)
