"""The commands as Discord's slash commands, with their options and what is offered while somebody types."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Literal

import discord
from discord import app_commands

from halext.accounts.types import Caller
from halext.commands.registry import Registry
from halext.commands.types import Command, Option
from halext.errors import Internal
from halext.runtime.app import App
from halext_bots.discord.failures import FAILURES, translated

FILE = "file"
"""The option for what comes along; no command of ours may call an option so."""
VALUE_MAX = 100
"""Discord takes no longer choice."""

Invoke = Callable[[discord.Interaction, Command, dict[str, str], list[discord.Attachment]], Awaitable[None]]
Choices = list[app_commands.Choice[str]]
Complete = Callable[[discord.Interaction[Any], str], Coroutine[Any, Any, Choices]]
CallerOf = Callable[[discord.Interaction], Awaitable[Caller | None]]

DIRECT = app_commands.AppCommandContext(guild=False, dm_channel=True, private_channel=True)
STALE = "Discord showed you a command as it was before; it has just been told of the new ones. Try again in a minute."
_log = logging.getLogger("halext.discord")


class Tree(app_commands.CommandTree[Any]):
    """Finds the command that somebody gave, and has `answer` say so when there is none."""

    def __init__(self, client: discord.Client, answer: Callable[[discord.Interaction, str], None]) -> None:
        super().__init__(client)
        self._answer = answer

    async def on_error(self, interaction: discord.Interaction[Any], error: app_commands.AppCommandError, /) -> None:
        """A command is gone or has other options than Discord remembers; anything else is a fault of ours."""
        is_stale = isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch)
        if not is_stale:
            _log.error("a command failed", exc_info=error)
        if interaction.type is discord.InteractionType.application_command:
            self._answer(interaction, STALE if is_stale else Internal().message)


async def offer(tree: app_commands.CommandTree[Any], guilds: Sequence[str]) -> None:
    """Tell Discord what there is: to these servers at once and to direct chats, or to all in its own time.

    A server that can't be told keeps none of the others from it.
    """
    for guild in (discord.Object(int(number)) for number in guilds):
        tree.copy_global_to(guild=guild)
        await _told(tree, guild)
    if guilds:  # a server would show what it is told twice, once for itself and once for all
        for command in tree.get_commands():
            if not isinstance(command, app_commands.ContextMenu):
                command.allowed_contexts = DIRECT
    await _told(tree, None)


async def _told(tree: app_commands.CommandTree[Any], guild: discord.Object | None) -> None:
    try:
        await tree.sync(guild=guild)
    except FAILURES as error:
        where = f"in the server {guild.id}" if guild else "everywhere"
        _log.warning("the commands can't be offered %s: %s", where, translated(error).message)


def build(tree: app_commands.CommandTree[Any], registry: Registry, app: App, invoke: Invoke, caller: CallerOf) -> None:
    """Put all commands that are listed on Discord's tree."""
    groups: dict[str, app_commands.Group] = {}
    for command in registry.all():
        if not command.is_listed:
            continue
        first, _, second = command.name.partition(" ")
        made = _slash(command, second or first, app, invoke, caller)
        if not second:
            tree.add_command(made)
            continue
        if first not in groups:
            groups[first] = app_commands.Group(name=first, description=f"Commands about {first}")
            tree.add_command(groups[first])
        groups[first].add_command(made)


def _slash(
    command: Command, name: str, app: App, invoke: Invoke, caller: CallerOf
) -> app_commands.Command[Any, ..., Any]:
    async def callback(interaction: discord.Interaction, **values: Any) -> None:
        said = {key.removeprefix("o_"): str(value) for key, value in values.items() if value is not None}
        file = values.get(f"o_{FILE}")
        said.pop(FILE, None)
        await invoke(interaction, command, said, [file] if isinstance(file, discord.Attachment) else [])

    # The library reads options from the signature, and names like "for" can't stand in a real one.
    callback.__signature__ = _signature(command)  # type: ignore[attr-defined]
    names = {f"o_{option.name}": option for option in _options(command)}
    app_commands.rename(**{key: option.name for key, option in names.items()})(callback)
    app_commands.describe(**{key: option.description[:VALUE_MAX] for key, option in names.items()})(callback)
    made: app_commands.Command[Any, ..., Any] = app_commands.Command(
        name=name, description=command.description, callback=callback
    )
    for option in command.options:
        if option.complete is not None:
            made.autocomplete(f"o_{option.name}")(_completer(option, app, caller))
    return made


def _options(command: Command) -> tuple[Option, ...]:
    return (*command.options, Option(FILE, "A picture or a text file")) if command.takes_files else command.options


def _signature(command: Command) -> inspect.Signature:
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("interaction", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    for option in _options(command):
        plain: Any = Literal[option.choices] if option.choices else str
        if option.name == FILE:
            plain = discord.Attachment
        if option.required:
            parameters.append(inspect.Parameter(f"o_{option.name}", kind, annotation=plain))
        else:
            parameters.append(inspect.Parameter(f"o_{option.name}", kind, default=None, annotation=plain | None))
    return inspect.Signature(parameters)


def _completer(option: Option, app: App, caller: CallerOf) -> Complete:
    async def complete(interaction: discord.Interaction, current: str) -> Choices:
        person = await caller(interaction)
        if person is None or option.complete is None:
            return []
        values = [value for value in option.complete(app, person, current) if len(value) <= VALUE_MAX]
        return [app_commands.Choice(name=value, value=value) for value in values[:25]]

    return complete
