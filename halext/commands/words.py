"""Words: foreign ones made harmless for our Markdown, and a command line taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from halext.accounts.workspaces.types import Access, Sharing
from halext.commands.types import Command, Option, Speaker
from halext.errors import InvalidInput

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&@:=])")
_BLANKS = re.compile(r"\s+")
_FENCE = re.compile(r"^ {0,3}(?:```|~~~).*$", re.MULTILINE)
_MARKS = re.compile(r"^ {0,3}(?:#{1,6}|>) +|\*\*|`", re.MULTILINE)


def plain(text: str) -> str:
    """Foreign text as one line in which nothing is markup, wherever in a line it stands."""
    return _SPECIAL.sub(r"\\\1", _BLANKS.sub(" ", text).strip())


def code(text: str) -> str:
    """Foreign text as a code span, for names that people copy."""
    text = _BLANKS.sub(" ", text).strip() or " "
    fence = "`" * (max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def shortened(text: str, most: int) -> str:
    """The beginning of a text, with an ellipsis where something is missing."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def excerpt(markdown: str, most: int) -> str:
    """The beginning of what a model wrote, as bare words: its first paragraph without the marks, for a reminder."""
    first = next((block for block in re.split(r"\n\s*\n", markdown) if _FENCE.sub("", block).strip()), "")
    return shortened(_MARKS.sub("", _FENCE.sub("", first)).strip(), most)


def shared(sharing: Sharing) -> str:
    """What stands behind something that is shared: where, and whose it is when it is another's."""
    if sharing.workspace is None:
        return ""
    whose = "" if sharing.access is Access.OWN else f", {plain(sharing.owner)}’s"
    return f" (in {plain(sharing.workspace)}{whose})"


def may_list(speaker: Speaker, sharing: Sharing) -> bool:
    """Whether a list may show this: where others read along, nothing of what is only shared with the speaker."""
    return speaker.is_private or sharing.access is Access.OWN


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table of foreign words."""
    lines = [list(map(plain, head)), ["---"] * len(head), *(list(map(plain, row)) for row in rows)]
    return "\n".join("| " + " | ".join(cell or " " for cell in line) + " |" for line in lines)


def parse(command: Command, text: str, *, has_files: bool = False) -> dict[str, str]:
    """The values in what was typed behind a command's name.

    `option=value` names one; the other words fill the options that are still open, in their order, and an option that
    takes the rest takes it as it stands. Raises `InvalidInput` as `check` does.
    """
    values: dict[str, str] = {}
    by_name = {option.name: option for option in command.options}
    rest = text.strip()
    while rest:
        word, *more = rest.split(maxsplit=1)
        name, sign, value = word.partition("=")
        named = by_name.get(name) if sign and name not in values else None
        option = named or _next_open(command, values)
        if option.is_rest:
            values[option.name] = rest.removeprefix(f"{name}=").lstrip() if named else rest
            break
        values[option.name] = value if named else word
        rest = more[0] if more else ""
    return check(command, values, has_files=has_files)


def check(command: Command, values: Mapping[str, str], *, has_files: bool = False) -> dict[str, str]:
    """The values, if the command can be run with them. Raises `InvalidInput` with the usage.

    Files may stand in for the words of an option that takes the rest: a picture is a question, too.
    """
    for option in command.options:
        value = values.get(option.name, "")
        if option.required and not value.strip() and not (option.is_rest and has_files):
            raise InvalidInput(f"{option.description.rstrip('.')} is missing: {usage(command)}")
        if value and option.choices and value not in option.choices:
            raise InvalidInput(f"{option.name} is one of {', '.join(option.choices)}: {usage(command)}")
    return {name: value for name, value in values.items() if value}


def usage(command: Command) -> str:
    """How a command is typed: `/task add TITLE [priority=…]`."""
    parts = [_shown(option) for option in command.options]
    return " ".join([f"/{command.name}", *parts])


def _shown(option: Option) -> str:
    if option.required:
        return option.name.upper()
    return f"[{option.name}]" if option.is_rest else f"[{option.name}=…]"


def _next_open(command: Command, values: dict[str, str]) -> Option:
    """The option for the next word: required ones first, then one that takes the rest, then any."""
    still = [option for option in command.options if option.name not in values]
    if not still:
        raise InvalidInput(f"That is too much: {usage(command)}")
    return min(still, key=lambda option: (not option.required, not option.is_rest))
