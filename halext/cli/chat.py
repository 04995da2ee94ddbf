"""`halext chat`: talk with a model."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from halext.cli import house
from halext.cli.ask import Model, System

if TYPE_CHECKING:
    from halext.runtime.control import Control


def chat(ctx: typer.Context, model: Model = "", system: System = "") -> None:
    """Talk with a model. /model NAME changes it, /why explains the choice, /quit or Ctrl-D leaves."""
    from halext.cli.conversation import Conversation

    with suppress(ImportError):  # not on Windows; lines can't be edited there
        import readline

        readline.set_auto_history(True)

    async def work(control: Control) -> None:
        await Conversation(control, model, system, input).run()

    house.run(ctx, work)
