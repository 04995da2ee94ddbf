"""In a notebook: an answer grows in one place of the cell's output, and is not shown twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core import displaypub
from IPython.core.interactiveshell import InteractiveShell

from halext.client import notebook

if TYPE_CHECKING:
    from halext.client.sync import Client

PUBLISHER: Any = displaypub.CapturingDisplayPublisher  # IPython is typed in parts only


class Kernel:
    """A shell like that of a notebook, whose output can be read."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        shell.kernel = object()
        shell.display_pub = PUBLISHER(parent=shell)

    @property
    def outputs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.shell.display_pub.outputs
        return found

    def run(self, code: str, **names: object) -> Any:
        """Run a cell; its value."""
        self.shell.push(names)
        result = self.shell.run_cell(code, store_history=True, silent=False)
        result.raise_error()
        return result.result

    def shown(self, value: Any) -> dict[str, str]:
        """How the value would be shown under the cell that runs now."""
        data, _ = self.shell.display_formatter.format(value)
        return dict(data)


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    shell: Any = InteractiveShell.instance(history_length=0)
    shell.history_manager.enabled = False
    yield Kernel(shell)
    InteractiveShell.clear_instance()


def test_outside_a_notebook_there_is_no_shell() -> None:
    assert notebook.shell() is None
    assert notebook.cell() is None


def test_ipythons_own_terminal_is_no_notebook() -> None:
    InteractiveShell.instance(history_length=0)
    try:
        assert notebook.shell() is None
    finally:
        InteractiveShell.clear_instance()


async def test_an_answer_grows_in_one_place(hx: Client, kernel: Kernel) -> None:
    reply = await asyncio.to_thread(kernel.run, "hx.ask('hi', model='llama3.2:3b')", hx=hx)
    first, *later = kernel.outputs
    assert first["data"] == {"text/plain": "…"}
    assert {output["transient"]["display_id"] for output in later} == {first["transient"]["display_id"]}
    assert later[-1]["data"] == {"text/plain": "Hello there", "text/markdown": "Hello there"}
    assert reply.text == "Hello there"


async def test_the_cell_that_showed_the_text_adds_one_line_only(hx: Client, kernel: Kernel) -> None:
    code = "import halext.client.notebook\nreply = hx.ask('hi', model='llama3.2:3b')\nshow(reply)"
    shown: list[dict[str, str]] = []
    await asyncio.to_thread(kernel.run, code, hx=hx, show=lambda value: shown.append(kernel.shown(value)))
    await asyncio.to_thread(kernel.run, "show(reply)", show=lambda value: shown.append(kernel.shown(value)))
    assert "tokens/s" in shown[0]["text/plain"]
    assert "text/markdown" not in shown[0]
    assert shown[1]["text/markdown"] == "Hello there"


async def test_quiet_when_told(hx: Client, kernel: Kernel) -> None:
    await asyncio.to_thread(kernel.run, "hx.ask('hi', model='llama3.2:3b', stream=False)", hx=hx)
    assert kernel.outputs == []
