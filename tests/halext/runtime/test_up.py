from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable

import pytest

from halext.alerts.watch import Watch
from halext.errors import MissingExtra, PortInUse
from halext.hosts.lock import is_locked
from halext.runtime import service, up
from halext.runtime.app import App
from halext.runtime.settings import Settings


class Part:
    """A service that does what the test wants."""

    extra = "web"

    def __init__(self, name: str, *, fails: Exception | None = None, url: str = "") -> None:
        self.name = name
        self._fails = fails
        self._url = url
        self.drained = False

    async def run(self, app: App, ready: Callable[[str], None]) -> None:
        if self._fails:
            raise self._fails
        app.base_url = self._url or app.base_url
        ready("is open")
        try:
            await asyncio.Event().wait()
        finally:
            self.drained = True


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Part]:
    found: dict[str, Part] = {}
    monkeypatch.setattr(service, "load", lambda name: found[name])
    return found


async def run_until(settings: Settings, parts: dict[str, Part], line: str) -> tuple[list[str], asyncio.Task[None]]:
    """Start, and wait until this has been said."""
    said: list[str] = []
    heard = asyncio.Event()

    def say(text: str) -> None:
        said.append(text)
        if line in text:
            heard.set()

    task = asyncio.get_running_loop().create_task(up.run_up(settings, tuple(parts), say))
    async with asyncio.timeout(30):
        await heard.wait()
    return said, task


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
async def test_parts_run_until_a_signal_and_are_drained(
    settings: Settings, parts: dict[str, Part], name: signal.Signals
) -> None:
    parts |= {"web": Part("web", url="http://127.0.0.1:7"), "fax": Part("fax")}
    said, task = await run_until(settings, parts, "is ready")
    told = json.loads((settings.data_dir / "run.json").read_text())
    assert told["url"] == "http://127.0.0.1:7"
    assert (settings.data_dir / "run.json").stat().st_mode & 0o777 == 0o600
    link = next(line for line in said if "/welcome?code=hxc_" in line)
    assert "http://127.0.0.1:7/welcome" in link
    os.kill(os.getpid(), name)
    await task
    assert all(part.drained for part in parts.values())
    assert not is_locked(settings.data_dir)
    assert not (settings.data_dir / "run.json").exists()
    assert said[-1] == "halext has stopped."


async def test_an_alert_that_is_under_way_at_the_end_comes_to_its_record(
    settings: Settings, parts: dict[str, Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_open_at_the_end: list[bool] = []

    async def settle(_watch: Watch) -> None:
        is_open_at_the_end.append(is_locked(settings.data_dir) and parts["web"].drained)

    monkeypatch.setattr(Watch, "settle", settle)
    parts["web"] = Part("web")
    _, task = await run_until(settings, parts, "is ready")
    os.kill(os.getpid(), signal.SIGINT)
    await task
    assert is_open_at_the_end == [True]


async def test_the_link_is_for_where_people_come_from(settings: Settings, parts: dict[str, Part]) -> None:
    parts["web"] = Part("web", url="http://127.0.0.1:7")
    public = settings.model_copy(update={"public_url": "https://ai.example.org/"})
    said, task = await run_until(public, parts, "is ready")
    assert any("https://ai.example.org/welcome?code=" in line for line in said)
    os.kill(os.getpid(), signal.SIGINT)
    await task


async def test_a_part_that_cannot_run_stops_the_rest_and_says_why(settings: Settings, parts: dict[str, Part]) -> None:
    parts |= {"fine": Part("fine"), "web": Part("web", fails=PortInUse("port 7 is taken"))}
    with pytest.raises(PortInUse, match="port 7"):
        await up.run_up(settings, tuple(parts), lambda _line: None)
    assert not is_locked(settings.data_dir)


async def test_a_bug_is_not_dressed_up(settings: Settings, parts: dict[str, Part]) -> None:
    parts["web"] = Part("web", fails=ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await up.run_up(settings, tuple(parts), lambda _line: None)
    assert not is_locked(settings.data_dir)


def test_the_loop_is_uvloop_where_there_is_one() -> None:
    loop = up.new_loop()
    try:
        assert "uvloop" in type(loop).__module__ or os.name == "nt"
    finally:
        loop.close()


async def test_a_part_without_its_libraries_is_merely_off_unless_it_was_asked_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = Part("web")

    def load(name: str) -> Part:
        if name == "fax":
            raise MissingExtra("pip install 'halext[fax]'")
        return web

    monkeypatch.setattr(service, "load", load)
    monkeypatch.setattr(service, "known", lambda: ["fax", "web"])
    said: list[str] = []
    assert up._parts((), said.append) == [web]
    assert said == ["  fax         off: pip install 'halext[fax]'"]
    with pytest.raises(MissingExtra):
        up._parts(("fax",), said.append)
    monkeypatch.setattr(service, "known", lambda: ["fax"])
    with pytest.raises(MissingExtra):
        up._parts((), said.append)
