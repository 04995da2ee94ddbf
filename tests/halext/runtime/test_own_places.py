"""Where no node may be: a table of settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from halext.runtime.own_places import named_places, own_places
from halext.runtime.settings import Settings


@pytest.mark.parametrize(
    ("host", "port", "own"),
    [
        ("127.0.0.1", 8484, {("127.0.0.1", 8484)}),
        ("localhost", 8484, {("127.0.0.1", 8484), ("::1", 8484)}),
        ("0.0.0.0", 8484, {("0.0.0.0", 8484)}),
        ("127.0.0.1", 0, set()),
        ("server.lan", 8484, set()),
    ],
)
def test_our_own_places_are_no_nodes(tmp_path: Path, host: str, port: int, own: set[tuple[str, int]]) -> None:
    assert own_places(Settings(data_dir=tmp_path, host=host, port=port, tunnel_port=0)) == own


@pytest.mark.parametrize(
    ("settings", "own"),
    [
        ({"redis_url": "redis://127.0.0.1/0"}, {("127.0.0.1", 6379)}),
        ({"redis_url": "rediss://:secret@10.0.0.3:7000/0"}, {("10.0.0.3", 7000)}),
        ({"redis_url": "unix:///run/valkey.sock"}, set()),
        ({"database_url": "postgresql+asyncpg://me:secret@localhost/x"}, {("127.0.0.1", 5432), ("::1", 5432)}),
        ({"database_url": "postgresql://me@[fd00::5]:6000/x"}, {("fd00::5", 6000)}),
        ({"database_url": "postgresql:///x?host=/run/postgresql"}, set()),
        ({"database_url": "sqlite:////srv/halext.db"}, set()),
        ({"database_url": "postgresql://db.lan:port/x"}, set()),
        ({"tunnel_host": "10.0.0.1", "tunnel_port": 2222}, {("10.0.0.1", 2222)}),
        ({"tunnel_port": 2222}, {("::", 2222)}),
    ],
)
def test_what_stands_behind_us_is_no_node(tmp_path: Path, settings: dict[str, Any], own: set[tuple[str, int]]) -> None:
    assert own_places(Settings(data_dir=tmp_path, **({"port": 0, "tunnel_port": 0} | settings))) == own


async def test_a_service_called_by_a_name_is_no_node_either(tmp_path: Path) -> None:
    named = Settings(data_dir=tmp_path, redis_url=SecretStr("redis://ip6-localhost/0"), database_url=None)
    away = Settings(data_dir=tmp_path, redis_url=SecretStr("redis://nowhere.invalid/0"))
    assert await named_places(named) <= {("::1", 6379), ("127.0.0.1", 6379)}
    assert await named_places(away) == frozenset()
