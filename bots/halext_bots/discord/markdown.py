"""Lines as Discord's Markdown, in which only our own markers mean anything.

What a model writes is escaped; a mention is broken by a character without width, also in code, where Discord would most
likely not obey it: nothing that a model says may call anybody. Discord has no tables, so they are code in columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from operator import attrgetter

from halext_bots.shared.boundaries import utf16
from halext_bots.shared.lines import Line, Run, groups, trimmed
from halext_bots.shared.tables import aligned

MESSAGE_MAX = 2_000
"""In UTF-16 units: Discord does not say what it counts, and this is the stricter reading."""
HEADINGS = 3
"""Levels that Discord has; deeper ones are bold."""

LINES_KEPT = 1_024
"""Drawn lines that are kept: cutting measures the same lines again and again."""

BREAKER = "\u200b"
_ADDRESS = re.compile(r"https?://[^\s<>]+", re.IGNORECASE)
_SPECIAL = re.compile(r"[\\*_~`|<\[\]]")
_LEADING = re.compile(r"^(\s*)(-#|[#>\-+]|\d+(?=[.)]))")
_MENTION = re.compile(r"@(?=everyone|here|[!&]?\d)", re.IGNORECASE)
_TAG = re.compile(r"<(?=[@#:/]|a:|t:|id:)", re.IGNORECASE)
_FENCE = re.compile("``(?=`)")
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,24}")
_ENCODED = {ord(char): f"%{ord(char):02X}" for char in "\\*|~`@"}
_STYLES = (("url", ""), ("strong", "**"), ("strike", "~~"), ("emphasis", "*"), ("code", "`"))


class Markdown:
    """The renderer for Discord: bodies are strings."""

    def __init__(self, limit: int = MESSAGE_MAX) -> None:
        self.limit = limit

    def render(self, lines: Sequence[Line]) -> str:
        """These lines as the content of one message."""
        drawn: list[str] = []
        previous: Line | None = None
        for group in groups(lines):
            if previous is not None and group[0].has_gap:
                drawn.append(">" if previous.is_quoted and group[0].is_quoted else "")
            quote = "> " if group[0].is_quoted else ""
            drawn += [f"{quote}{row}".rstrip() for row in _group(group)]
            previous = group[-1]
        return "\n".join(drawn)

    def length(self, lines: Sequence[Line]) -> int:
        """Its length in UTF-16 units."""
        return utf16(self.render(lines))


def plain(text: str) -> str:
    """Words of ours or of anybody, such as the name of a node: shown as they are, calling nobody."""
    return "\n".join(_guarded(_escaped(line)) for line in text.split("\n"))


def _group(group: Sequence[Line]) -> Iterator[str]:
    first = group[0]
    match first.kind:
        case "code":
            language = first.language if _LANGUAGE.fullmatch(first.language) else ""
            yield from _fenced([line.text for line in group], language)
        case "row":
            yield from _fenced(aligned(group), "")
        case "rule":
            yield f"{_prefix(first)}⸻"
        case _:
            yield _words(first)


def _fenced(rows: Sequence[str], language: str) -> Iterator[str]:
    yield f"```{language}"
    yield from _unpinging(_FENCE.sub(f"``{BREAKER}", "\n".join(rows))).split("\n")
    yield "```"


def _prefix(line: Line) -> str:
    marks = "".join("- " if number is None else f"{number}. " for number in line.markers)
    return "  " * line.indent + marks


@lru_cache(LINES_KEPT)
def _words(line: Line) -> str:
    prefix = _prefix(line)
    _, runs, _ = trimmed(line.runs)
    if line.kind != "heading" or not runs:
        return prefix + _guarded(_dressed(runs))
    if line.level > HEADINGS or prefix:
        runs = tuple(replace(run, strong=True) for run in runs)
        return prefix + _dressed(runs)
    return f"{'#' * line.level} {_dressed(runs)}"


def _guarded(text: str) -> str:
    """A line whose first characters make no heading, list or quote of it."""
    found = _LEADING.match(text)
    if found is None:
        return text
    space, mark = found.groups()
    return f"{space}{mark}\\{text[found.end() :]}" if mark.isdigit() else f"{space}\\{text[len(space) :]}"


def _dressed(runs: Sequence[Run], depth: int = 0) -> str:
    if depth == len(_STYLES):
        return "".join(_escaped(run.text) for run in runs)
    name, marker = _STYLES[depth]
    made = ""
    for value, group in groupby(runs, key=attrgetter(name)):
        same = tuple(group)
        made = _joined(made, _styled(same, name, marker, depth) if value else _dressed(same, depth + 1))
    return made


def _styled(runs: tuple[Run, ...], name: str, marker: str, depth: int) -> str:
    front, inner, behind = trimmed(runs)
    if not inner:
        return front + behind
    if name == "code":
        return front + _code("".join(run.text for run in inner)) + behind
    shown = _dressed(inner, depth + 1)
    if name == "url":
        return f"{front}[{shown}](<{inner[0].url}>){behind}"
    return f"{front}{marker}{shown}{marker}{behind}"


def _joined(left: str, right: str) -> str:
    # Markers that touch would be read as one longer marker.
    touching = left and right and left[-1] == right[0] and right[0] in "*~`"
    return f"{left}{BREAKER}{right}" if touching else left + right


def _code(text: str) -> str:
    text = _unpinging(re.sub("`(?=`)", f"`{BREAKER}", text))
    if "`" not in text:
        return f"`{text}`"
    return f"``{' ' if text[0] == '`' else ''}{text}{' ' if text[-1] == '`' else ''}``"


def _escaped(text: str) -> str:
    made = ""
    at = 0
    for found in _ADDRESS.finditer(text):
        # A backslash would become part of the address.
        made += _SPECIAL.sub(r"\\\g<0>", text[at : found.start()]) + found.group().translate(_ENCODED)
        at = found.end()
    return _MENTION.sub(f"@{BREAKER}", made + _SPECIAL.sub(r"\\\g<0>", text[at:]))


def _unpinging(code: str) -> str:
    return _TAG.sub(f"<{BREAKER}", _MENTION.sub(f"@{BREAKER}", code))
