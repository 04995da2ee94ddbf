"""The table of commands: each is written once, and every door renders it."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from halext.accounts.types import Permission
from halext.commands.types import Command, Option, Run
from halext.errors import InvalidInput

WORDS_MAX = 2
"""Discord and Telegram both have a command and one level below it."""
DESCRIPTION_MAX = 100
"""Discord's limit; Telegram has room for more."""


class Registry:
    """Commands by name."""

    def __init__(self) -> None:
        self._commands: dict[str, Command] = {}

    def command(
        self,
        name: str,
        *options: Option,
        permission: Permission = Permission.USE,
        is_slow: bool = False,
        is_listed: bool = True,
        takes_files: bool = False,
    ) -> Callable[[Run], Run]:
        """Put an async function `(app, said) -> Reply` on the table; the first line of its docstring describes it.

        Raises `ValueError` for a name or a set of options that no door could offer.
        """

        def register(run: Run) -> Run:
            description = (run.__doc__ or "").strip().splitlines()[0].rstrip(".")
            self.add(Command(name, description, options, permission, run, is_slow, is_listed, takes_files))
            return run

        return register

    def add(self, command: Command) -> None:
        """Put a command on the table. Raises `ValueError`."""
        problem = _problem(command)
        if command.name in self._commands:
            problem = "there is one of this name"
        if any(taken.split()[0] == command.name or command.name.split()[0] == taken for taken in self._commands):
            problem = "a command and the first word of another can't be the same"
        if problem:
            raise ValueError(f"the command {command.name!r} can't be offered: {problem}")
        self._commands[command.name] = command

    def all(self) -> list[Command]:
        """Every command, by name."""
        return sorted(self._commands.values(), key=lambda command: command.name)

    def get(self, name: str) -> Command:
        """The command of exactly this name. Raises `InvalidInput`, with one that is meant perhaps."""
        if command := self._commands.get(name):
            return command
        near = difflib.get_close_matches(name, self._commands, n=1)
        hint = f"Did you mean /{near[0]}?" if near else "/help lists them all."
        raise InvalidInput(f"There is no command /{name}. {hint}")

    def find(self, line: str) -> tuple[Command, str]:
        """The command that a line without its slash begins with, and the rest of the line. Raises `InvalidInput`."""
        first, _, rest = line.strip().partition(" ")
        name = first.lower()
        if name in self._commands:
            return self._commands[name], rest
        below = sorted(known.split()[1] for known in self._commands if known.split()[0] == name and " " in known)
        if not below:
            return self.get(name), ""
        second, _, more = rest.strip().partition(" ")
        if command := self._commands.get(f"{name} {second.lower()}"):
            return command, more
        raise InvalidInput(f"/{name} needs one of these behind it: {', '.join(below)}.")


REGISTRY = Registry()
command = REGISTRY.command


def _problem(command: Command) -> str:
    words = command.name.split(" ")
    if not 1 <= len(words) <= WORDS_MAX or not all(
        word.isascii() and word.isalnum() and word.islower() for word in words
    ):
        return "a name is one or two words of small letters"
    if not 1 <= len(command.description) <= DESCRIPTION_MAX:
        return f"its description has 1 to {DESCRIPTION_MAX} characters"
    required = [option.required for option in command.options]
    if required != sorted(required, reverse=True):
        return "required options come first"
    if sum(option.is_rest for option in command.options) > 1:
        return "one option at most takes the rest"
    return ""
