"""What a question may be, which turns a model is shown, and where a text may be cut while it grows."""

from __future__ import annotations

from collections.abc import Sequence

from halext.chat.types import Turn
from halext.errors import InvalidInput
from halext.messages import Message

QUESTION_MAX = 100_000
"""Characters: far more than any model here can take in, and far less than would hurt the database."""
TITLE_MAX = 80
CONTEXT_CHARS = 48_000
"""About 12,000 tokens. Older turns fall off the front; the first of those that stay is always a question."""
CONTEXT_TURNS = 60


def question(text: str) -> str:
    """The text as it is kept. Raises `InvalidInput`."""
    if not (text := text.strip()):
        raise InvalidInput("There is no question in this message.")
    if len(text) > QUESTION_MAX:
        raise InvalidInput(f"A message has at most {QUESTION_MAX:,} characters; send a part of it.")
    return text


def title(text: str) -> str:
    """What a conversation that begins with this is called."""
    line = " ".join(text.split())
    return line if len(line) <= TITLE_MAX else line[: TITLE_MAX - 1].rsplit(" ", 1)[0] + "…"


def context(turns: Sequence[Turn], asked: str) -> tuple[Message, ...]:
    """What a model is shown: the latest turns that fit, and the question. Answers without text are left out."""
    room = CONTEXT_CHARS - len(asked)
    kept: list[Message] = []
    for turn in reversed(turns[-CONTEXT_TURNS:]):
        room -= len(turn.outcome.text)
        if room < 0:
            break
        if turn.outcome.text:
            kept.append(Message(turn.role, turn.outcome.text))
    while kept and kept[-1].role != "user":
        kept.pop()
    return (*reversed(kept), Message("user", asked))


def cut(text: str) -> tuple[list[str], str]:
    """The finished Markdown blocks at the beginning of a growing text, and the rest.

    A block ends with a blank line outside a code fence. Put together again they are the same text.
    """
    blocks: list[str] = []
    start = position = 0
    fence = ""
    for line in text.splitlines(keepends=True):
        position += len(line)
        mark = line.strip()
        if fence:
            fence = "" if mark.startswith(fence) and not mark.strip(fence[0]) else fence
        elif mark.startswith(("```", "~~~")):
            fence = mark[: len(mark) - len(mark.lstrip(mark[0]))]
        elif not mark and line.endswith("\n") and text[start:position].strip():
            blocks.append(text[start:position])
            start = position
    return blocks, text[start:]
