from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from halext.errors import PortInUse
from halext.runtime import up as runtime_up
from halext.runtime.settings import Settings
from tests.halext.cli.conftest import Run


class Up:
    """Stands in for the running house."""

    def __init__(self) -> None:
        self.settings: Settings | None = None
        self.parts: Sequence[str] = ()
        self.failure: BaseException | None = None

    async def run_up(self, settings: Settings, parts: Sequence[str], say: Callable[[str], None]) -> None:
        self.settings, self.parts = settings, parts
        say("halext is ready.")
        if self.failure is not None:
            raise self.failure


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Up:
    fake = Up()
    monkeypatch.setattr(runtime_up, "run_up", fake.run_up)
    return fake


def test_alone_it_runs_everything_as_set(house: Up, run: Run, tmp_path: Path, log_levels: list[str]) -> None:
    result = run("up")
    assert (result.code, result.out, result.err) == (0, "halext is ready.\n", "")
    assert house.parts == ()
    assert house.settings is not None
    assert (house.settings.host, house.settings.port, house.settings.demo) == ("127.0.0.1", 8484, True)
    assert house.settings.data_dir == tmp_path / "data"
    assert log_levels == ["info"]


def test_the_command_line_wins_over_the_environment(house: Up, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALEXT_PORT", "1")
    assert run("up", "web", "--host", "0.0.0.0", "--port", "9000", "--data", "here", "--no-demo").code == 0
    assert house.settings is not None
    assert (house.settings.host, house.settings.port, house.settings.demo) == ("0.0.0.0", 9000, False)
    assert house.settings.data_dir == Path("here")
    assert house.parts == ("web",)


def test_data_may_stand_before_the_verb_and_the_nearer_one_wins(house: Up, run: Run) -> None:
    run("--data", "far", "up")
    assert house.settings is not None
    assert house.settings.data_dir == Path("far")
    run("--data", "far", "up", "--data", "near")
    assert house.settings.data_dir == Path("near")


@pytest.mark.parametrize(("port", "says"), [("99999", "HALEXT_PORT"), ("x", "--port")])
def test_a_wrong_port_is_wrong_use(house: Up, run: Run, port: str, says: str) -> None:
    result = run("up", "--port", port)
    assert result.code == 2
    assert says in result.err
    assert house.settings is None


def test_what_keeps_it_from_running_is_one_line(house: Up, run: Run) -> None:
    house.failure = PortInUse()
    result = run("up")
    assert result.code == 1
    assert result.err.startswith("halext: Another program listens on this port")


def test_a_second_ctrl_c_stops_at_once_and_quietly(house: Up, run: Run) -> None:
    house.failure = asyncio.CancelledError()
    result = run("up")
    assert (result.code, result.err) == (130, "")
