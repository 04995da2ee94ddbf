from __future__ import annotations

from pathlib import Path

import pytest

from halext.runtime.shapes import Nothing
from tests.halext.cli.conftest import FakeControl, Run


def test_data_reaches_the_settings(control: FakeControl, run: Run, tmp_path: Path) -> None:
    control.answers["list_nodes"] = []
    run("--data", str(tmp_path / "other"), "node", "list")
    assert control.settings is not None
    assert control.settings.data_dir == tmp_path / "other"
    assert control.calls == [("list_nodes", Nothing())]


def test_without_data_the_environment_says_where(control: FakeControl, run: Run, tmp_path: Path) -> None:
    control.answers["list_nodes"] = []
    run("node", "list")
    assert control.settings is not None
    assert control.settings.data_dir == tmp_path / "data"


def test_a_short_command_logs_faults_only(control: FakeControl, run: Run, log_levels: list[str]) -> None:
    control.answers["list_nodes"] = []
    run("node", "list")
    assert log_levels == ["error"]


def test_who_asks_for_the_log_gets_it(
    control: FakeControl, run: Run, log_levels: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    control.answers["list_nodes"] = []
    monkeypatch.setenv("HALEXT_LOG_LEVEL", "debug")
    run("node", "list")
    assert log_levels == ["debug"]


def test_an_unknown_setting_is_wrong_use(control: FakeControl, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALEXT_FOO", "1")
    result = run("node", "list")
    assert result.code == 2
    assert result.err.startswith("halext: HALEXT_FOO is no setting of halext.")
    assert result.err.count("\n") == 1
    assert control.calls == []
