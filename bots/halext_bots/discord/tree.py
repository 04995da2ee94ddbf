"""The commands as Discord's slash commands, with their options and what is offered while somebody types."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal

import discord
from discord import app_commands

from halext.accounts.types import Caller
from halext.commands.registry import Registry
from halext.commands.types import Command, Option
from halext.runtime.app import App

FILE = "file"
"""The option for what comes along; no command of ours may call an option so."""
VALUE_MAX = 100
"""Discord takes no longer choice."""

Invoke = Callable[[discord.Interaction, Command, dict[str, str], list[discord.Attachment]], Awaitable[None]]
Choices = list[app_commands.Choice[str]]
Complete = Callable[[discord.Interaction[Any], str], Coroutine[Any, Any, Choices]]
CallerOf = Callable[[discord.Interaction], Awaitable[Caller | None]]


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
