from __future__ import annotations

from pathlib import Path

import pytest

from halext.runtime.app import App
from halext.runtime.checks import files


async def found(app: App) -> list[tuple[str, str]]:
    return [(finding.check, finding.fix) for finding in await files.look(app) if finding.level == "error"]


async def test_everything_is_private_as_it_is_made(app: App) -> None:
    assert await found(app) == []
    assert {finding.check for finding in await files.look(app)} == set(files.WHY)


@pytest.mark.parametrize(
    ("check", "name", "mode"),
    [
        ("master key", "master.key", 0o644),
        ("database", "halext.db", 0o640),
        ("database", "halext.db-wal", 0o604),
        ("database", "halext.db-shm", 0o660),
        ("database", "halext.db.before-0009.bak", 0o644),
        ("other secrets", "run.json", 0o644),
        ("other secrets", "ssh_host_key", 0o644),
    ],
)
async def test_a_file_that_others_can_read(app: App, check: str, name: str, mode: int) -> None:
    file = app.settings.data_dir / name
    file.touch()
    file.chmod(mode)
    assert await found(app) == [(check, f"chmod 600 {file}")]


async def test_a_data_directory_that_others_can_enter(app: App) -> None:
    app.settings.data_dir.chmod(0o755)
    assert await found(app) == [("data directory", f"chmod 700 {app.settings.data_dir}")]


@pytest.mark.parametrize(("line", "is_secret"), [('discord_token = "x"', True), ("port = 8484", False)])
async def test_settings_that_hold_a_secret(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, is_secret: bool
) -> None:
    toml = tmp_path / "halext.toml"
    toml.write_text(line)
    toml.chmod(0o644)
    monkeypatch.setenv("HALEXT_CONFIG", str(toml))
    assert await found(app) == ([("other secrets", f"chmod 600 {toml}")] if is_secret else [])


async def test_secrets_files(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    file = folder / "HALEXT_TOKEN"
    file.write_text("x")
    file.chmod(0o644)
    monkeypatch.setenv("HALEXT_SECRETS_DIR", str(folder))
    assert await found(app) == [("other secrets", f"chmod 600 {file}")]
