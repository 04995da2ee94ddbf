"""The table of commands: each is written once, and every door renders it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable

from halext.accounts.types import Permission
from halext.commands import words
from halext.commands.types import Command, Option, Run
from halext.errors import InvalidInput

WORDS_MAX = 2
"""Discord and Telegram both have a command and one level below it."""
WORD = re.compile(r"[a-z][a-z0-9]{0,31}")
OPTION = re.compile(r"[a-z][a-z0-9_]{0,31}")
DESCRIPTION_MAX = 100
"""Discord's limit; Telegram has room for more."""
OPTIONS_MAX = 25
"""Discord's limit, for the options of a command and for the choices of an option."""


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
        also: Permission | None = None,
    ) -> Callable[[Run], Run]:
        """Put an async function `(app, said) -> Reply` on the table; the first line of its docstring describes it.

        Raises `ValueError` for a name or a set of options that no door could offer.
        """

        def register(run: Run) -> Run:
            description = (run.__doc__ or "").strip().partition("\n")[0].rstrip(".")
            self.add(Command(name, description, options, permission, run, is_slow, is_listed, takes_files, also))
            return run

        return register

    def add(self, command: Command) -> None:
        """Put a command on the table. Raises `ValueError`."""
        if problem := self._taken(command.name) or _problem(command):
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
        raise InvalidInput(f"There is no command /{words.shortened(name, 40)}. {hint}")

    def find(self, line: str) -> tuple[Command, str]:
        """The command that a line without its slash begins with, and the rest of the line. Raises `InvalidInput`."""
        first, rest = _cut(line)
        name = first.lower()
        if name in self._commands:
            return self._commands[name], rest
        below = sorted(known.split()[1] for known in self._commands if known.split()[0] == name and " " in known)
        if not below:
            return self.get(name), ""
        second, more = _cut(rest)
        if command := self._commands.get(f"{name} {second.lower()}"):
            return command, more
        raise InvalidInput(f"/{name} needs one of these behind it: {', '.join(below)}.")

    def _taken(self, name: str) -> str:
        if name in self._commands:
            return "there is one of this name"
        first = name.partition(" ")[0]
        if any(taken.partition(" ")[0] == name or taken == first for taken in self._commands):
            return "a command and the first word of another can't be the same"
        return ""


REGISTRY = Registry()
command = REGISTRY.command


def _cut(line: str) -> tuple[str, str]:
    """The first word, and what follows it."""
    first, *rest = line.split(maxsplit=1) or [""]
    return first, rest[0] if rest else ""


def _problem(command: Command) -> str:
    parts = command.name.split(" ")
    if not 1 <= len(parts) <= WORDS_MAX or not all(map(WORD.fullmatch, parts)):
        return "a name is one or two words of small letters"
    if not 1 <= len(command.description) <= DESCRIPTION_MAX:
        return f"its description has 1 to {DESCRIPTION_MAX} characters"
    required = [option.required for option in command.options]
    if required != sorted(required, reverse=True):
        return "required options come first"
    if sum(option.is_rest for option in command.options) > 1:
        return "one option at most takes the rest"
    if len({option.name for option in command.options}) < len(command.options) or len(command.options) > OPTIONS_MAX:
        return f"it has at most {OPTIONS_MAX} options, each with a name of its own"
    return next(filter(None, map(_option_problem, command.options)), "")


def _option_problem(option: Option) -> str:
    if not OPTION.fullmatch(option.name):
        return f"the option {option.name!r} is no word of small letters"
    if not 1 <= len(option.description) <= DESCRIPTION_MAX:
        return f"the description of {option.name} has 1 to {DESCRIPTION_MAX} characters"
    return f"{option.name} has more than {OPTIONS_MAX} choices" if len(option.choices) > OPTIONS_MAX else ""
