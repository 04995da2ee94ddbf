"""A house in a temporary directory, and fake nodes to put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from halext.accounts.types import LOCAL
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.settings import Settings
from halext.runtime.wiring import open_app


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", demo=False, port=0)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[App]:
    async with open_app(settings) as app:
        yield app


@pytest.fixture
def control(app: App) -> LocalControl:
    return LocalControl(app, LOCAL)
