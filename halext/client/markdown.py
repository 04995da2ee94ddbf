"""A model's text as Markdown that can't do anything: it is shown in the reader's notebook, where HTML would be live.

Outside code no HTML, no entity, no picture (a picture is a request to somebody else's server) and no link but to the
web, mail or this page survives. Fenced code stays as it is where every renderer agrees that it is code; from a place on
where they might disagree, all is treated as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_OPENING = re.compile(r"(?P<indent> {0,3})(?P<fence>`{3,}|~{3,})[ \w+#.-]*")
_FENCE_LIKE = re.compile(r"[\s>*+\-0-9.)]*(?:`{3}|~{3})")
_TICKS = re.compile(r"(?<![`\\])(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_SPECIAL = re.compile(r"[^A-Za-z0-9 ]")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_PICTURE = re.compile(r"!(?=\[)")
_LINK = re.compile(r"\]\((?!(?:https?://|mailto:|#))", re.IGNORECASE)
_DEFINITION = re.compile(r"\]:")


def safe_markdown(text: str) -> str:
    """The same text for `text/markdown`."""
    return "\n".join(_lines(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")))


def _lines(lines: list[str]) -> Iterator[str]:
    fence: re.Match[str] | None = None
    is_sure = True
    for line in lines:
        if fence is None:
            fence = _OPENING.fullmatch(line) if is_sure else None
            is_sure = is_sure and (fence is not None or _FENCE_LIKE.match(line) is None)
            yield line if fence else _harmless(line)
        elif _closes(line, fence):
            fence = None
            yield line
        elif _is_inside(line, fence):
            yield line
        else:
            is_sure, fence = False, None
            yield _harmless(line)


def _closes(line: str, fence: re.Match[str]) -> bool:
    """The same fence at the same place. Longer ones, other indents and what follows are read in different ways."""
    return line == fence["indent"] + fence["fence"]


def _is_inside(line: str, fence: re.Match[str]) -> bool:
    """Code for every renderer: nothing that might close the fence, nor leave the list that it stands in."""
    return _FENCE_LIKE.match(line) is None and (not line or line.startswith(fence["indent"]))


def _harmless(line: str) -> str:
    """A line of text; code between backticks is kept, as code that we have written out ourselves."""
    parts: list[str] = []
    end = 0
    for match in _TICKS.finditer(line):
        parts += [_text(line[end : match.start()]), _code(match[2])]
        end = match.end()
    return "".join(parts) + _text(line[end:])


def _code(text: str) -> str:
    inner = text[1:-1] if text.startswith(" ") and text.endswith(" ") and text.strip() else text
    return f"<code>{_SPECIAL.sub(lambda match: f'&#{ord(match[0])};', inner)}</code>"


def _text(text: str) -> str:
    text = _ENTITY.sub("&amp;", text)
    text = _TAG.sub("&lt;", text)
    text = _PICTURE.sub("&#33;", text)
    text = _LINK.sub("]&#40;", text)
    return _DEFINITION.sub("]&#58;", text)
