"""A command of your own for chats: `/warm` tells which models answer without being loaded first.

Put this file into a package of yours, and name it in that package's pyproject.toml:

    [project.entry-points."halext.commands"]
    warm = "bot_command"

Installed beside halext, it is in every chat, in the menus and in `/help`. The first line of its docstring describes it.
"""

from halext.commands import words
from halext.commands.registry import command
from halext.commands.types import Option, Reply, Said, Text
from halext.runtime.app import App


@command("warm", Option("part", "Only models with this in their name"))
async def warm(app: App, said: Said) -> Reply:
    """Which models are in memory now."""
    names = [model.name for model in app.registry.running_models() if said.get("part") in model.name]
    lines = [f"- {words.code(name)}" for name in names]  # names come from outside, so they are quoted
    return Text("\n".join(lines) or "None is; the next answer takes a little longer.")
