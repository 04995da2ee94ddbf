"""The commands that a bot has told Discord of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from halext.testing.discordapi.refusal import Refusal, invalid, too_long, unknown
from halext.testing.discordapi.world import World

SLASH, USER, MESSAGE = 1, 2, 3
MAX_COMMANDS = {SLASH: 100, USER: 15, MESSAGE: 15}
MAX_OPTIONS = MAX_CHOICES = 25
MAX_COMMAND_TEXT = 8000
"""Characters of names, descriptions and values of one command."""
CREATES_A_DAY = 200
DAY_S = 86_400.0
NAME = re.compile(r"[-_'\w]{1,32}")
SUBCOMMAND, GROUP = 1, 2

Scope = int
"""A guild, or 0 for everywhere."""


@dataclass(frozen=True, slots=True)
class Command:
    """A synced command, as the bot described it."""

    id: int
    scope: Scope
    form: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What people type."""
        return str(self.form["name"])

    @property
    def kind(self) -> int:
        """Slash command, or in the menu of a user or a message."""
        return int(self.form.get("type") or SLASH)

    @property
    def options(self) -> Sequence[Mapping[str, Any]]:
        """Its options, subcommands among them."""
        return self.form.get("options") or []

    def json(self, application: int) -> dict[str, Any]:
        """As the API shows it."""
        usual = {"default_member_permissions": None, "nsfw": False, "contexts": None, "integration_types": [0]}
        place = {"guild_id": str(self.scope)} if self.scope else {}
        about = {"id": str(self.id), "application_id": str(application), "version": str(self.id), "type": self.kind}
        return {**usual, "description": "", "options": [], **self.form, **about, **place}


class Commands:
    """Everywhere's and each guild's commands."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[Scope, list[Command]] = {}
        self._creates: dict[Scope, list[float]] = {}

    def of(self, scope: Scope) -> list[Command]:
        """The commands of a guild, or of everywhere."""
        return list(self._known.get(scope, []))

    def get(self, scope: Scope, number: int) -> Command:
        """A command by its id; Refusal when it isn't there."""
        for command in self.of(scope):
            if command.id == number:
                return command
        raise unknown("application command")

    def replace(self, scope: Scope, forms: Iterable[Mapping[str, Any]]) -> list[Command]:
        """Let these be all commands of a scope: those that bear a known name are changed, others are created."""
        wanted = list(forms)
        for at, form in enumerate(wanted):
            check(form, str(at))
        kinds = [(form.get("type") or SLASH, form["name"]) for form in wanted]
        if len(set(kinds)) < len(kinds):
            raise invalid("name", "Application command names must be unique", "APPLICATION_COMMANDS_DUPLICATE_NAME")
        for kind, most in MAX_COMMANDS.items():
            if sum(one == kind for one, _ in kinds) > most:
                raise Refusal(400, 30032, f"Maximum number of application commands reached ({most})")
        known = {(command.kind, command.name): command for command in self.of(scope)}
        self._count_creates(scope, len(set(kinds) - known.keys()))
        ids = [known[key].id if key in known else self._world.ids.next() for key in kinds]
        made = [Command(number, scope, form) for number, form in zip(ids, wanted, strict=True)]
        self._known[scope] = made
        self._world.changed()
        return made

    def upsert(self, scope: Scope, form: Mapping[str, Any]) -> Command:
        """Create a command, or change the one that bears this name."""
        key = (form.get("type") or SLASH, form.get("name"))
        others = [command.form for command in self.of(scope) if (command.kind, command.name) != key]
        return self.replace(scope, [*others, form])[-1]

    def change(self, scope: Scope, number: int, form: Mapping[str, Any]) -> Command:
        """Change some fields of a command."""
        old = self.get(scope, number)
        new = Command(old.id, scope, {**old.form, **form})
        check(new.form, "")
        self._known[scope] = [new if command is old else command for command in self.of(scope)]
        return new

    def remove(self, scope: Scope, number: int) -> None:
        """Forget a command."""
        old = self.get(scope, number)
        self._known[scope].remove(old)

    def _count_creates(self, scope: Scope, count: int) -> None:
        now = self._world.clock.monotonic()
        recent = [at for at in self._creates.get(scope, []) if now - at < DAY_S]
        if len(recent) + count > CREATES_A_DAY:
            text = f"Max number of daily application command creates has been reached ({CREATES_A_DAY})"
            raise Refusal(400, 30034, text)
        self._creates[scope] = recent + [now] * count


def check(form: Mapping[str, Any], where: str) -> None:
    """Refuse a command that Discord would refuse."""
    name, description = str(form.get("name") or ""), str(form.get("description") or "")
    prefix = f"{where}." if where else ""
    if (form.get("type") or SLASH) != SLASH:
        if not 1 <= len(name) <= 32:
            raise too_long(f"{prefix}name", 32)
        return
    _check_words(name, description, prefix)
    _check_options(form.get("options") or [], f"{prefix}options")
    if _text_length(form) > MAX_COMMAND_TEXT:
        raise invalid(where or "name", f"Command exceeds maximum size ({MAX_COMMAND_TEXT})", "APPLICATION_COMMAND_SIZE")


def _check_words(name: str, description: str, prefix: str) -> None:
    if not NAME.fullmatch(name) or name != name.lower():
        raise invalid(f"{prefix}name", "Command name is invalid", "APPLICATION_COMMAND_INVALID_NAME")
    if not 1 <= len(description) <= 100:
        raise invalid(f"{prefix}description", "Must be between 1 and 100 in length.")


def _check_options(options: Sequence[Mapping[str, Any]], where: str) -> None:
    if len(options) > MAX_OPTIONS:
        raise too_long(where, MAX_OPTIONS)
    required = [bool(option.get("required")) for option in options]
    if required != sorted(required, reverse=True):
        text = "Required options must be placed before non-required options"
        raise invalid(where, text, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID")
    if len({option["name"] for option in options}) < len(options):
        raise invalid(where, "Option name already in use", "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS")
    for at, option in enumerate(options):
        _check_words(str(option.get("name") or ""), str(option.get("description") or ""), f"{where}.{at}.")
        check_choices(option.get("choices") or [], f"{where}.{at}.choices")
        if option.get("choices") and option.get("autocomplete"):
            raise invalid(f"{where}.{at}", "Autocomplete can't have choices", "APPLICATION_COMMAND_OPTIONS_CHOICES")
        _check_options(option.get("options") or [], f"{where}.{at}.options")


def check_choices(choices: Sequence[Mapping[str, Any]], where: str) -> None:
    """Refuse more choices than are shown, or one that is too long."""
    if len(choices) > MAX_CHOICES:
        raise too_long(where, MAX_CHOICES)
    for at, choice in enumerate(choices):
        if not 1 <= len(str(choice["name"])) <= 100 or len(str(choice["value"])) > 100:
            raise invalid(f"{where}.{at}.name", "Must be between 1 and 100 in length.")


def _text_length(form: Mapping[str, Any]) -> int:
    total = len(str(form.get("name") or "")) + len(str(form.get("description") or "")) + len(str(form.get("value", "")))
    inner = [*(form.get("options") or []), *(form.get("choices") or [])]
    return total + sum(_text_length(one) for one in inner)
