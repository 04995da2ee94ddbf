"""The pages are true: tables match the code, links lead somewhere, and every command and example runs.

Commands and examples run beside one halext with two fake nodes. They find `URL` and `TOKEN` in their environment, and
the addresses of the documentation's computers lead to the fakes. What can't run here is listed with its reason.
"""

from __future__ import annotations

import asyncio
import os
import re
import runpy
import shlex
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer.main

from halext.accounts.types import LOCAL, Role
from halext.cli.main import app as command_line
from halext.runtime.settings import Settings
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from halext.runtime.wiring import open_app
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext_web.app import all_routes
from halext_web.service import WebService

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "benchmarks/README.md",
]
NOT_RUN = {
    "make run": "it installs and runs for ever; tests/journeys/test_first_day.py runs what it starts",
    "make test": "it is what runs this",
    "make bench": "figures, and minutes",
    "halext user passwd Ann": "asks for a password on a terminal; tests/halext/cli/test_user.py",
}
COMPUTERS = {
    "http://mac.local:11434": "mac",
    "http://gaming-pc:11434": "pc",
    "http://nas.local:11434": "nas",
}


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, str]]:
    """Every command that a page shows, in order."""
    return [
        (page.name, line.removeprefix("$ "))
        for page in PAGES
        for block in blocks(page, "console")
        for line in block.splitlines()
        if line.startswith("$ ")
    ]


@dataclass
class Scene:
    """What commands and examples run against."""

    environment: dict[str, str]
    places: dict[str, str]

    def here(self, text: str) -> str:
        """The same text, with the documentation's computers where they are in this test."""
        for written, place in self.places.items():
            text = text.replace(written, place)
        return text


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A running halext without nodes, and three computers."""
    data = tmp_path_factory.mktemp("docs") / "data"
    with asyncio.Runner() as runner:
        fakes = {
            name: FakeOllama([FakeModel("llama3.2:3b", script=["Hello", "."])], keep_alive_s=1e7)
            for name in COMPUTERS.values()
        }
        for fake in fakes.values():
            runner.run(fake.start())
        stop, ready, told = asyncio.Event(), asyncio.Event(), dict[str, str]()

        async def live() -> None:
            async with open_app(Settings(data_dir=data, port=0)) as app:
                app.local_token = "the-owner-of-this-test"
                user = await app.people.add_user("Writer", Role.ADMIN)
                token, _ = await app.people.create_token(LOCAL, "docs", for_user=user.name)
                door = asyncio.get_running_loop().create_task(WebService().run(app, lambda _line: ready.set()))
                await ready.wait()
                app.lock.publish({"url": app.base_url, "token": app.local_token})
                await add_node(app, LOCAL, AddNode(name="spare", urls=[extra.url]))
                told.update(URL=app.base_url, TOKEN=token)
                stop_waiting.set()
                await stop.wait()
                door.cancel()
                await asyncio.gather(door, return_exceptions=True)

        extra = FakeOllama([FakeModel("llama3.2:3b", script=["Hello", "."])], keep_alive_s=1e7)
        runner.run(extra.start())
        stop_waiting = asyncio.Event()
        loop = runner.get_loop()
        task = loop.create_task(live())
        runner.run(asyncio.wait_for(stop_waiting.wait(), 60))
        thread = _Turning(loop)
        thread.start()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HALEXT_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        yield Scene(
            kept | told | {"PATH": path, "HALEXT_DATA_DIR": str(data)},
            {written: fakes[name].url for written, name in COMPUTERS.items()},
        )
        loop.call_soon_threadsafe(stop.set)
        thread.until(task)
        for fake in [*fakes.values(), extra]:
            runner.run(fake.close())


class _Turning:
    """Turns an event loop in a thread, so that the house lives while the test runs programs."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.Thread(target=loop.run_forever)

    def start(self) -> None:
        self._thread.start()

    def until(self, task: asyncio.Task[None]) -> None:
        asyncio.run_coroutine_threadsafe(_end(task), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)


async def _end(task: asyncio.Task[None]) -> None:
    await asyncio.wait({task})


@pytest.mark.timeout(600)  # some forty programs, one after the other
def test_every_command_of_the_documentation_runs(scene: Scene) -> None:
    """In the order of the pages, from README on: later commands build on earlier ones."""
    failed = []
    run = [(page, command) for page, command in commands() if command not in NOT_RUN]
    assert len(run) > 30
    for page, command in run:
        if command.startswith("halext node add mac"):  # each page begins with the same computer
            subprocess.run(
                [str(Path(sys.executable).parent / "halext"), "node", "remove", "mac"],
                env=scene.environment,
                capture_output=True,
                timeout=60,
            )
        done = subprocess.run(
            ["bash", "-c", scene.here(command)],
            env=scene.environment,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode or '"code":' in done.stdout:  # every error has one, in each dialect
            failed.append(f"{page}: {command}\n{textwrap.indent(done.stdout + done.stderr, '    ')}")
    assert not failed, "\n".join(failed)


def test_what_is_not_run_is_really_there() -> None:
    shown = {command for _, command in commands()}
    assert set(NOT_RUN) <= shown


@pytest.mark.parametrize("page", ["README.md", "docs/library.md"])
def test_every_example_of_the_documentation_runs(scene: Scene, page: str, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    header = f"URL = {scene.environment['URL']!r}\nTOKEN = {scene.environment['TOKEN']!r}\n"
    for block in blocks(ROOT / page, "python"):
        script.write_text(header + scene.here(block))
        done = subprocess.run(
            [sys.executable, str(script)], env=scene.environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, block + done.stderr


def test_the_tables_say_what_the_code_says() -> None:
    pages = runpy.run_path(str(ROOT / "docs" / "generate.py"))["PAGES"]
    for name, page in pages.items():
        assert (ROOT / "docs" / name).read_text() == page(), f"run python docs/generate.py: {name} is out of date"


def test_every_route_for_clients_is_described() -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    for route in all_routes():
        if route.path.startswith(("/v1/", "/api/")):
            stem = route.path.replace("{id:path}", "{id}")
            assert stem in text, f"docs/api.md says nothing of {route.path}"


def test_every_command_is_described_somewhere() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    click = typer.main.get_command(command_line)
    for name in getattr(click, "commands", {}):
        assert re.search(rf"halext {name}\b|`{name}`", text), f"nothing is said of `halext {name}`"


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_make_targets_that_pages_name_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:
        for target in re.findall(r"`make (\w+)`", page.read_text()):
            assert f"\n{target}:" in makefile, f"{page.name} names make {target}"


def test_shell_words_are_quoted() -> None:
    for _, command in commands():
        assert shlex.split(command)
