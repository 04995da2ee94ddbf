"""What the pages show, and the scene in which it is tried out.

Commands and examples run as a reader would run them: against a real `halext up`, in a home of their own, with `URL` and
`TOKEN` in the environment. The computers that the pages speak of are fakes; their addresses are put in where a page
names them, and taken out again from what is printed.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from halext.testing.automatic1111 import FakeAutomatic1111
from halext.testing.clock import ScaledClock
from halext.testing.fake import Fake
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "benchmarks/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
PATIENCE_S = 60
ANSWER = ["Because", " air", " scatters", " short", " waves", " more", " than", " long", " ones", "."]
SPEEDS = {"http://mac.local:11434": 30.0, "http://gaming-pc:11434": 75.0, "http://nas.local:11434": 5.0}
"""The computers of the pages, and how many tokens a second their model writes."""
PAINTER = "http://gaming-pc:7860"
"""The Stable Diffusion of the pages."""
T = TypeVar("T")


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Shown:
    """A command as a page shows it, and what the page says that it prints."""

    page: str
    command: str
    prints: str


def shown(page: Path) -> Iterator[Shown]:
    """Every command of a page, in order: lines that begin with `$`, and below each what it prints, if that is shown."""
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, prints = part.partition("\n")
            yield Shown(page.name, command, prints)


def shape(text: str) -> str:
    """A text without what differs from run to run: numbers, units of time, and how columns are filled up."""
    text = re.sub(r"\d+(?:\.\d+)*", "N", text)
    text = re.sub(r"\bN (?:ms|s|min)\b", "N s", text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines() if line.strip())


def is_like(printed: str, expected: str) -> bool:
    """Whether what was printed is what a page shows; `…` on the page stands for anything."""
    pattern = ".*".join(re.escape(part) for part in shape(expected).split("…"))
    return re.fullmatch(pattern, shape(printed), re.DOTALL) is not None


@dataclass(frozen=True)
class Scene:
    """Where commands and examples run."""

    home: Path
    environment: dict[str, str]
    places: dict[str, str]
    """Where the computers of the pages are in this test."""

    def run(self, command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command of a page; both of its outputs are in `stdout`, in the pages' own words."""
        for written, place in self.places.items():
            command = command.replace(written, place)
        done = subprocess.run(
            ["bash", "-c", command],
            env=self.environment,
            cwd=self.home,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
        )
        for written, place in self.places.items():
            done.stdout = done.stdout.replace(place, written)
        return done

    def python(self, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run an example of a page, with `URL` and `TOKEN` there; with arguments, `python ARGUMENTS FILE`."""
        names = "".join(f"{name} = {self.environment[name]!r}\n" for name in ("URL", "TOKEN"))
        for written, place in self.places.items():
            code = code.replace(written, place)
        file = self.home / "test_example.py"
        file.write_text(names + code)
        return self.run(" ".join(["python", *arguments, str(file)]))


@contextmanager
def computers(scale: float = 100.0) -> Iterator[dict[str, str]]:
    """Fake servers for the computers of the pages, `scale` times as fast as life: where each of them is."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def there(work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(PATIENCE_S)

    with ExitStack() as stack:
        stack.callback(loop.close)
        stack.callback(thread.join, PATIENCE_S)
        stack.callback(loop.call_soon_threadsafe, loop.stop)
        fakes: dict[str, Fake] = {PAINTER: FakeAutomatic1111(clock=ScaledClock(scale=scale))}
        for written, speed in SPEEDS.items():
            model = FakeModel("llama3.2:3b", script=ANSWER, tokens_per_s=speed)
            fakes[written] = FakeOllama([model], keep_alive_s=1e7, clock=ScaledClock(scale=scale))
        for fake in fakes.values():
            there(fake.start())
            stack.callback(lambda closing: there(closing.close()), fake)
        yield {written: fake.url for written, fake in fakes.items()}


@contextmanager
def halext_up(home: Path, environment: dict[str, str], *arguments: str) -> Iterator[str]:
    """A real `halext up` on `home`/data: what it said until it was ready."""
    command = ["halext", "--data", str(home / "data"), "up", "--port", "0", *arguments]
    with (
        (home / "log").open("w") as log,
        subprocess.Popen(command, env=environment, cwd=home, text=True, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        try:
            assert process.stdout is not None
            said = ""
            while "is ready" not in said:
                line = process.stdout.readline()
                assert line, said + (home / "log").read_text()
                said += line
            yield said
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE_S)


def environment_of(home: Path) -> dict[str, str]:
    """This process's environment in another home, without settings of halext and with its commands at hand.

    The pages' token of a bot is no real one, and the real Discord shall not be asked about it.
    """
    ours = ("HALEXT_", "CREDENTIALS_", "XDG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    tunnel = {"HALEXT_TUNNEL_HOST": "127.0.0.1", "HALEXT_TUNNEL_PORT": free_port()}
    nowhere = {"HALEXT_DISCORD_API_BASE": "http://127.0.0.1:9/api", "HALEXT_DISCORD_GATEWAY": "ws://127.0.0.1:9"}
    return kept | tunnel | nowhere | {"HOME": str(home), "PATH": path, "HALEXT_DATA_DIR": str(home / "data")}


def free_port() -> str:
    """A port that nobody has now: a house names its port to computers before it opens it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A running halext with the Mac as its node, and an administrator's token."""
    home = tmp_path_factory.mktemp("reader")
    with at_home(home) as made:
        yield made


@contextmanager
def at_home(home: Path, scale: float = 100.0) -> Iterator[Scene]:
    """The scene in a home."""
    environment = environment_of(home)
    with computers(scale) as places, halext_up(home, environment, "--no-demo"):
        made = Scene(home, environment, places)
        made.run("halext user add Writer --role admin --no-password").check_returncode()
        token = made.run(
            "halext token create docs --user Writer --scope use --scope own --scope account 2>/dev/null"
        ).stdout.strip()
        environment |= {"TOKEN": token, "URL": json.loads((home / "data" / "run.json").read_text())["url"]}
        made.run("halext node add mac http://mac.local:11434").check_returncode()
        yield made
