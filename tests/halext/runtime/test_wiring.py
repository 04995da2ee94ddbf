from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from pydantic import SecretStr

from halext.errors import (
    AlreadyRunning,
    DatabaseUnavailable,
    DataDirUnusable,
    InvalidSetting,
    SchemaMismatch,
)
from halext.nodes.types import Node
from halext.runtime.settings import Settings
from halext.runtime.wiring import LAST_TRIES, open_app, open_database_only, written
from halext.testing.clock import ScaledClock
from halext.types import EndpointId, NodeName, SecretRef
from halext.upstream import Endpoint
from halext.vault.cipher import new_key


def node(name: str) -> Node:
    url = f"http://127.0.0.1:{9000 + len(name)}"
    return Node(NodeName(name), (Endpoint(EndpointId(name), NodeName(name), "ollama", url),))


async def test_what_is_put_in_is_there_the_next_time(settings: Settings) -> None:
    async with open_app(settings) as app:
        await app.registry.add(node("mac"))
        await app.vault.set(SecretRef("discord"), "a secret")
    async with open_app(settings) as app:
        assert [known.name for known in app.registry.nodes()] == ["mac"]
        assert await app.vault.reveal(SecretRef("discord"), purpose="a test") == "a secret"


async def test_one_house_per_data_directory(settings: Settings) -> None:
    async with open_app(settings):
        with pytest.raises(AlreadyRunning) as failure:
            async with open_app(settings):
                pass
        assert str(settings.data_dir) in failure.value.message
        assert "--data" in failure.value.message
        with pytest.raises(AlreadyRunning):
            async with open_database_only(settings):
                pass
    async with open_app(settings):
        pass


async def test_a_data_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirUnusable) as failure:
        async with open_app(Settings(data_dir=tmp_path / "file" / "data")):
            pass
    assert "--data" in failure.value.message


async def test_everything_in_the_data_directory_is_private(settings: Settings) -> None:
    async with open_app(settings):
        modes = {path.name: path.stat().st_mode & 0o777 for path in settings.data_dir.iterdir()}
    assert settings.data_dir.stat().st_mode & 0o777 == 0o700
    assert set(modes.values()) == {0o600}, modes


async def test_a_newer_database_is_left_alone(settings: Settings) -> None:
    async with open_app(settings):
        pass
    with sqlite3.connect(settings.data_dir / "halext.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(SchemaMismatch, match="newer"):
        async with open_app(settings):
            pass


async def test_a_key_that_is_none_stops_the_start(settings: Settings) -> None:
    weak = Settings(data_dir=settings.data_dir, master_key=SecretStr("password"))
    with pytest.raises(InvalidSetting) as failure:
        async with open_app(weak):
            pass
    assert "password" not in failure.value.message


async def test_a_failed_start_lets_go_of_the_lock(settings: Settings) -> None:
    with pytest.raises(InvalidSetting):
        async with open_app(Settings(data_dir=settings.data_dir, master_key=SecretStr("x"))):
            pass
    async with open_app(Settings(data_dir=settings.data_dir, master_key=SecretStr(new_key()))):
        pass


async def test_the_last_is_written_over_a_bad_moment_of_the_database(caplog: pytest.LogCaptureFixture) -> None:
    tries: list[int] = []

    async def write() -> None:
        tries.append(1)
        if len(tries) < LAST_TRIES:
            raise DatabaseUnavailable

    await written("everything", write, ScaledClock(1000.0))
    assert (len(tries), caplog.records) == (LAST_TRIES, [])
    tries.clear()

    async def fail() -> None:
        tries.append(1)
        raise DatabaseUnavailable

    await written("everything", fail, ScaledClock(1000.0))
    assert len(tries) == LAST_TRIES
    assert "the last of everything could not be written" in caplog.text
