"""Where a line may be cut: after a sentence, after a word, or at least not inside what people see as one character."""

from __future__ import annotations

import re
import unicodedata

_SENTENCE = re.compile(r"(?:[.!?…][\"'”’)\]]*\s|[。！？])")
_JOINER = "\u200d"
_NOTHING = frozenset("\u2800\u3164\u115f\u1160\uffa0")
"""Characters that are letters by their class, and empty to look at."""


def utf16(text: str) -> int:
    """The length as both platforms count: in UTF-16 units, of which an emoji takes two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def is_blank(text: str) -> bool:
    """Whether there is nothing to see."""
    return all(_is_unseen(char) for char in text)


def _is_unseen(char: str) -> bool:
    return char.isspace() or char in _NOTHING or unicodedata.category(char) in {"Cf", "Cc", "Mn", "Zs"}


def best_break(text: str, most: int, *, sentences: bool = True) -> int:
    """The best place to cut at or before `most` (at least 1), looking no further than the one character behind it."""
    least = most // 2
    if sentences:
        ends = [found.end() for found in _SENTENCE.finditer(text, 0, most) if found.end() >= least]
        if ends:
            return ends[-1]
    for at in range(most, max(least, 1) - 1, -1):
        if text[at - 1].isspace() or text[at : at + 1].isspace():
            return at
    for at in range(most, 0, -1):
        if is_boundary(text, at):
            return at
    return most


def is_boundary(text: str, at: int) -> bool:
    """Whether people see two characters here: not before an accent, not inside an emoji that is made of several."""
    if at <= 0 or at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    if (before, after) == ("\r", "\n") or _JOINER in {before, after} or _extends(after):
        return False
    if _is_flag(before) and _is_flag(after):
        run = at
        while run and _is_flag(text[run - 1]):
            run -= 1
        return (at - run) % 2 == 0
    return not (_is_jamo(before) and _is_jamo(after))


def _extends(char: str) -> bool:
    if char < "\u0300":
        return False
    is_tone = "\U0001f3fb" <= char <= "\U0001f3ff"
    is_tag = "\U000e0020" <= char <= "\U000e007f"
    return is_tone or is_tag or unicodedata.category(char) in {"Mn", "Me", "Mc"}


def _is_flag(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _is_jamo(char: str) -> bool:
    return "\u1100" <= char <= "\u11ff"
