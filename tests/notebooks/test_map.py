"""`map` in a real kernel: the bar in its cell, Ctrl-C as a notebook sends it, and going on by running it again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager, start_new_async_kernel

from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama

MODEL = FakeModel("llama3.2:3b", script=["Hel", "lo"], load_s=0.1)
PATIENCE_S = 60


@dataclass
class Seen:
    """What a reader of the notebook sees of one run of a cell."""

    shown: list[dict[str, str]] = field(default_factory=list)
    """What was shown and what it was replaced with, in order."""
    ids: set[str] = field(default_factory=set)
    result: dict[str, str] = field(default_factory=dict)
    error: str = ""

    def take(self, message: dict[str, Any]) -> None:
        content = message["content"]
        match message["msg_type"]:
            case "display_data" | "update_display_data":
                self.shown.append(content["data"])
                self.ids.add(content["transient"]["display_id"])
            case "execute_result":
                self.result = content["data"]
            case "error":
                self.error = f"{content['ename']}: {content['evalue']}"
            case _:
                pass


@dataclass
class Notebook:
    manager: AsyncKernelManager
    client: AsyncKernelClient

    async def run(self, code: str) -> Seen:
        seen = Seen()
        await self.client.execute_interactive(code, output_hook=seen.take, timeout=PATIENCE_S)
        return seen


@pytest.fixture
async def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Notebook]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("HALEXT_DATA_DIR", str(tmp_path / "data"))
    manager, client = await start_new_async_kernel(kernel_name="python3")
    try:
        yield Notebook(manager, client)
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)


pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::ResourceWarning"
)


async def test_the_bar_is_in_one_place_and_reads_well_when_saved(notebook: Notebook) -> None:
    async with FakeOllama([MODEL], slots=2) as mac, FakeOllama([MODEL]) as pc:
        await notebook.run(f"import halext; hx = halext.connect({mac.url!r}, {pc.url!r})")
        cell = "job = hx.map([f'r{n}' for n in range(300)], 'Say {}', job='x'); values = job.result(); job"
        seen = await notebook.run(cell)
        later = await notebook.run("job")
        values = await notebook.run("len(values), values[0]")
    assert seen.error == ""
    assert len(seen.ids) == 1
    assert 2 <= len(seen.shown) <= 60
    assert "300 of 300 done" in seen.shown[-1]["text/plain"]
    assert seen.shown[-1]["text/html"].startswith("<p><progress")
    assert "text/html" not in seen.result, "the same cell shows it already"
    assert later.result["text/html"] == seen.shown[-1]["text/html"]
    assert values.result["text/plain"] == "(300, 'Hello')"


@pytest.mark.parametrize("cell", ["job.result()", "await hx.aio.map(ITEMS, 'Say {}', job='x').result()"])
async def test_ctrl_c_and_running_the_cell_again(cell: str, notebook: Notebook) -> None:
    async with FakeOllama([MODEL], slots=2) as mac:
        await notebook.run(f"import halext; hx = halext.connect({mac.url!r}); ITEMS = [f'r{{n}}' for n in range(300)]")
        cell = cell if "await" in cell else f"job = hx.map(ITEMS, 'Say {{}}', job='x'); {cell}"
        running = asyncio.get_running_loop().create_task(notebook.run(cell))
        await mac.timeline.wait_for("done", count=40, timeout_s=PATIENCE_S)
        mac.faults.at(2, "stall", times=None)
        begun = len(mac.timeline.of("first_token"))
        await mac.timeline.wait_for("first_token", count=begun + 1, timeout_s=PATIENCE_S)
        await notebook.manager.interrupt_kernel()
        seen = await running
        await mac.timeline.wait_for("cancelled")
        mac.faults.clear()
        assert seen.error.startswith(("KeyboardInterrupt", "CancelledError"))
        assert "run it again to go on" in seen.shown[-1]["text/plain"]
        done = len(mac.timeline.of("done"))
        again = await notebook.run(cell)
        asked_again = len(mac.timeline.of("done")) - done
    assert again.error == ""
    assert "300 of 300 done" in again.shown[-1]["text/plain"]
    assert f"{done} known before" in again.shown[-1]["text/plain"]
    assert asked_again == 300 - done
