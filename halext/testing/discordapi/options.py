"""What a person types into a slash command, checked against the command as the bot synced it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from halext.testing.discordapi.commands import GROUP, SUBCOMMAND, Command
from halext.testing.discordapi.things import Attachment, Channel, Guild, Role, User

STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(3, 12)
TYPES: Mapping[int, tuple[type, ...]] = {
    STRING: (str,),
    INTEGER: (int,),
    BOOLEAN: (bool,),
    USER: (User,),
    CHANNEL: (Channel,),
    ROLE: (Role,),
    MENTIONABLE: (User, Role),
    NUMBER: (int, float),
    ATTACHMENT: (tuple,),
}
MAX_STRING = 6000
Keep = Callable[[str, bytes], Attachment]


def subcommand(command: Command, path: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    """The options of a command, or of the subcommand at the end of `path`; LookupError when there is none."""
    options = command.options
    for name in path:
        found = next((one for one in options if one["type"] in {SUBCOMMAND, GROUP} and one["name"] == name), None)
        if found is None:
            raise LookupError(f"/{command.name} has no subcommand {name!r}")
        options = found.get("options") or []
    if any(one["type"] in {SUBCOMMAND, GROUP} for one in options):
        raise LookupError(f"/{' '.join([command.name, *path])} needs one of {[one['name'] for one in options]}")
    return options


def fill(
    schema: Sequence[Mapping[str, Any]], values: Mapping[str, Any], resolve: Resolved, *, focused: str = ""
) -> list[dict[str, Any]]:
    """The options of an interaction. ValueError for what Discord doesn't let a person send.

    With `focused` it is what has been typed so far: that option may hold anything, and others may be missing.
    """
    known = {str(one["name"]): one for one in schema}
    if strange := values.keys() - known.keys():
        raise ValueError(f"no option {', '.join(sorted(strange))}; there are {', '.join(known) or 'none'}")
    missing = [name for name, one in known.items() if one.get("required") and name not in values]
    if missing and not focused:
        raise ValueError(f"{', '.join(missing)} must be filled in")
    filled = []
    for name, value in values.items():
        option = known[name]
        if name == focused:
            filled.append({"name": name, "type": option["type"], "value": str(value), "focused": True})
        else:
            check(option, value)
            filled.append({"name": name, "type": option["type"], "value": resolve.value(value)})
    return filled


def check(option: Mapping[str, Any], value: Any) -> None:
    """ValueError when an option doesn't take this value."""
    kind, name = option["type"], option["name"]
    if not _fits(kind, value):
        raise ValueError(f"{name} takes {' or '.join(one.__name__ for one in TYPES[kind])}, not {value!r}")
    choices = option.get("choices") or []
    if choices and value not in [one["value"] for one in choices]:
        raise ValueError(f"{name} is one of {[one['value'] for one in choices]}, not {value!r}")
    if kind == STRING:
        _check_range(name, len(value), option.get("min_length", 0), option.get("max_length", MAX_STRING))
    elif kind in {INTEGER, NUMBER}:
        _check_range(name, value, option.get("min_value", -(2**53)), option.get("max_value", 2**53))
    elif kind == CHANNEL and option.get("channel_types"):
        types = option["channel_types"]
        if value.json()["type"] not in types:
            raise ValueError(f"{name} takes channels of the types {types}")


def _fits(kind: int, value: object) -> bool:
    is_flag = isinstance(value, bool)  # which Python takes for a number too
    return isinstance(value, TYPES[kind]) and is_flag is (kind == BOOLEAN)


def _check_range(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} must be between {least} and {most}, not {value}")


class Resolved:
    """Collects the things that an interaction refers to by their ids. `keep` stores an uploaded file."""

    def __init__(self, guild: Guild | None, keep: Keep) -> None:
        self._guild = guild
        self._keep = keep
        self._found: dict[str, dict[str, Any]] = {}

    def value(self, value: Any) -> Any:
        """What stands in the interaction for a value: itself, or the id of a thing."""
        if isinstance(value, tuple):
            value = self._keep(*value)
        if isinstance(value, User):
            self._put("users", value.id, value.json())
            if self._guild:
                rights = {"permissions": str(self._guild.permissions(value))}
                self._put("members", value.id, {**self._guild.member(value), **rights})
        elif isinstance(value, Role):
            self._put("roles", value.id, value.json())
        elif isinstance(value, Channel):
            self._put("channels", value.id, {**value.json(), "permissions": str(2**53 - 1)})
        elif isinstance(value, Attachment):
            self._put("attachments", value.id, value.json())
        else:
            return value
        return str(value.id)

    def put_message(self, number: int, body: Mapping[str, Any]) -> str:
        """Refer to a message."""
        self._put("messages", number, body)
        return str(number)

    def json(self) -> dict[str, Any]:
        """The field `resolved`, if anything is in it."""
        return {"resolved": self._found} if self._found else {}

    def _put(self, kind: str, number: int, body: Mapping[str, Any]) -> None:
        self._found.setdefault(kind, {})[str(number)] = dict(body)
