"""What comes along with a question: pictures are shown to the model, texts are put behind the question."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from halext.commands.types import File
from halext.errors import InvalidInput

PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
"""What a picture's file begins with; a WebP is told by its two marks."""
BYTES_MAX = 8_000_000
"""Doors need not fetch a larger file: no model could use it."""
TEXT_MAX = 60_000
"""Characters of a text file. A model's context rarely holds more."""


def with_files(question: str, files: Sequence[File]) -> tuple[str, list[str]]:
    """The question with the texts behind it, and the pictures as bare base64.

    Raises `InvalidInput` for a file that is neither, whatever its name promises.
    """
    pictures = [base64.b64encode(file.data).decode() for file in files if is_picture(file.data)]
    texts = [_quoted(file) for file in files if not is_picture(file.data)]
    if not question.strip() and pictures:
        question = "What is in this picture?"
    return "\n\n".join([question, *texts]).strip(), pictures


def is_picture(data: bytes) -> bool:
    """Whether these are the bytes of a PNG, JPEG, GIF or WebP file, by what they begin with."""
    return data.startswith(PICTURES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def text_of(file: File) -> str:
    """A text file as text. Raises `InvalidInput` for what is none, whatever its name promises, and for a long one."""
    try:
        text = file.data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InvalidInput(f"“{file.name}” is neither a picture (PNG, JPEG, GIF, WebP) nor a text in UTF-8.")
    if len(text) > TEXT_MAX:
        raise InvalidInput(f"“{file.name}” has {len(text):,} characters; send at most {TEXT_MAX:,}.")
    return text.rstrip()


def _quoted(file: File) -> str:
    text = text_of(file)
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{file.name}:\n{fence}\n{text}\n{fence}"
