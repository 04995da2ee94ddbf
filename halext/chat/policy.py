"""What a question may be, which turns a model is shown, and where a text may be cut while it grows."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from halext.accounts.types import Caller
from halext.chat.types import Conversation, Turn, TurnId
from halext.errors import InvalidInput, TooLarge
from halext.messages import Message
from halext.types import UserId

QUESTION_MAX = 100_000
"""Characters: far more than any model here can take in, and far less than would hurt the database."""
ANSWER_MAX = 400_000
"""Characters, some 100,000 tokens: a model that has not come to an end by then never will."""
TITLE_MAX = 80
PLACE_MAX = 200
"""Characters in the name of a chat place."""
CONTEXT_CHARS = 48_000
"""About 12,000 tokens. Older turns fall off the front; the first of those that stay is always a question."""
CONTEXT_TURNS = 60
CONTINUE = "Continue where you stopped."

MODEL_MAX = 255
PICTURES_MAX = 4
"""Per question; also how many a model is shown at once, the latest ones."""
PICTURE_BYTES_MAX = 8_000_000
"""Discord and Telegram give pictures of up to about this size; models scale them down anyway."""
PICTURE_BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")


def owner(caller: Caller) -> UserId:
    """Whose conversations this caller has. Raises `InvalidInput` for those without an account."""
    if caller.user_id is None:
        raise InvalidInput("Conversations belong to a person: sign in, or use that person's API token.")
    return caller.user_id


def question(text: str) -> str:
    """The text as it is kept. Raises `InvalidInput`."""
    if not (text := text.strip()):
        raise InvalidInput("There is no question in this message.")
    return _within_limit(text)


def system(text: str) -> str:
    """What every model is told first, as it is kept. Raises `InvalidInput`."""
    return _within_limit(text.strip())


def _within_limit(text: str) -> str:
    if len(text) > QUESTION_MAX:
        raise InvalidInput(f"A message has at most {QUESTION_MAX:,} characters; send a part of it.")
    return text


def pictures(images: Sequence[str]) -> tuple[str, ...]:
    """The pictures of one question, bare base64. Raises `InvalidInput` and `TooLarge`."""
    if len(images) > PICTURES_MAX:
        raise InvalidInput(f"A question can show at most {PICTURES_MAX} pictures.")
    for image in images:
        if len(image) > PICTURE_BYTES_MAX * 4 // 3 + 4:
            raise TooLarge(f"A picture has at most {PICTURE_BYTES_MAX // 1_000_000} MB; send a smaller one.")
        try:
            begins = base64.b64decode(image[:16], validate=True)
        except (binascii.Error, ValueError):
            begins = b""
        if not begins.startswith(PICTURE_BEGINNINGS):
            raise InvalidInput("That is no picture that a model can look at; send a PNG, JPEG, GIF or WebP.")
    return tuple(images)


def place(name: str) -> str:
    """The name of a chat place as it is kept. Raises `InvalidInput`."""
    if not name.strip() or len(name) > PLACE_MAX:
        raise InvalidInput(f"A chat place has a name of 1 to {PLACE_MAX} characters.")
    return name


def model(name: str) -> str:
    """The name of a model as it is kept. Raises `InvalidInput`."""
    if len(name) > MODEL_MAX or not name.isprintable():
        raise InvalidInput(f"A model has a name of at most {MODEL_MAX} characters.")
    return name.strip()


def title(text: str) -> str:
    """What a conversation that begins with this is called."""
    line = " ".join(text.split())
    return line if len(line) <= TITLE_MAX else line[: TITLE_MAX - 1].rsplit(" ", 1)[0] + "…"


def path(turns: Sequence[Turn], tip: TurnId | None = None) -> tuple[Turn, ...]:
    """From the first turn to `tip`, or to the latest: what is shown. Answers that were asked for again are left out.

    `turns` come in the order of their ids; those before the first of them are not missed.
    """
    known = {turn.id: turn for turn in turns}
    found: list[Turn] = []
    turn = known.get(tip) if tip is not None else next(reversed(turns), None)
    while turn is not None:
        found.append(turn)
        turn = known.get(turn.parent) if turn.parent is not None else None
    return tuple(reversed(found))


def context(
    conversation: Conversation, turns: Sequence[Turn], shown: Mapping[TurnId, tuple[str, ...]]
) -> tuple[Message, ...]:
    """What a model is told: the system's words, and the latest turns that fit; the last one, the question, always does.

    Answers without text are left out, and so are pictures when there are newer ones enough.
    """
    *before, asked = turns[-CONTEXT_TURNS:]
    room = CONTEXT_CHARS - len(asked.outcome.text) - len(conversation.system)
    chosen = [asked]
    for turn in reversed(before):
        room -= len(turn.outcome.text)
        if room < 0:
            break
        chosen.append(turn)
    while chosen[-1].role != "user":
        chosen.pop()
    looks, told = PICTURES_MAX, list[Message]()
    for turn in chosen:
        images = shown.get(turn.id, ())[:looks]
        looks -= len(images)
        if turn.outcome.text:
            told.append(Message(turn.role, turn.outcome.text, images))
    system_words = (Message("system", conversation.system),) if conversation.system else ()
    return (*system_words, *reversed(told))


class Cutter:
    """Cuts a growing text into finished Markdown blocks and an unfinished rest, which together are the same text.

    A block ends with a blank line outside a code fence.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._fence = ""

    @property
    def tail(self) -> str:
        """The unfinished rest."""
        return "".join([*self._lines, *self._line])

    def feed(self, text: str) -> list[str]:
        """Take in the next piece; the blocks that it finished."""
        first, *more = text.split("\n")
        self._line.append(first)
        blocks: list[str] = []
        for start in more:
            if block := self._end_line("".join(self._line)):
                blocks.append(block)
            self._line = [start]
        return blocks

    def _end_line(self, line: str) -> str:
        self._lines.append(line + "\n")
        mark = line.strip()
        if mark:
            self._fence = _fence_after(self._fence, mark)
        elif not self._fence and any(map(str.strip, self._lines)):
            block = "".join(self._lines)
            self._lines.clear()
            return block
        return ""


def _fence_after(fence: str, mark: str) -> str:
    """The code fence that is open after a line: its characters, or "" for none."""
    if fence:
        return "" if mark.startswith(fence) and not mark.strip(fence[0]) else fence
    sign = mark[0]
    length = len(mark) - len(mark.lstrip(sign))
    is_fence = sign in "`~" and length >= len("```") and not (sign == "`" and sign in mark[length:])
    return sign * length if is_fence else ""
