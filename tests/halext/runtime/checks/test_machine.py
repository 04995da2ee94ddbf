from __future__ import annotations

import os
import shutil
from types import SimpleNamespace

import pytest

from halext.runtime.app import App
from halext.runtime.checks import machine


@pytest.fixture(autouse=True)
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not root, and with room."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(used=10, total=100))


async def found(app: App) -> list[tuple[str, str]]:
    return [(finding.check, finding.level) for finding in await machine.look(app) if finding.level != "ok"]


async def test_a_machine_in_order(app: App) -> None:
    assert await found(app) == []


async def test_root(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert await found(app) == [("account", "warning")]


@pytest.mark.parametrize(("used", "is_full"), [(90, False), (91, True)])
async def test_a_full_disk(app: App, monkeypatch: pytest.MonkeyPatch, used: int, is_full: bool) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(used=used, total=100))
    assert await found(app) == [("disk", "warning")] * is_full


@pytest.mark.parametrize(("kind", "is_far"), [("nfs4", True), ("cifs", True), ("ext4", False), ("", False)])
async def test_a_network_drive(app: App, monkeypatch: pytest.MonkeyPatch, kind: str, is_far: bool) -> None:
    monkeypatch.setattr(machine, "filesystem", lambda path: kind)
    assert await found(app) == [("network drive", "error")] * is_far
