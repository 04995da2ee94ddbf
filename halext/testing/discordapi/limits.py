"""How much fits into a message: text, embeds, files, nonces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from halext.testing.discordapi.refusal import Refusal, invalid, too_long

MAX_CONTENT = 2000
MAX_EMBEDS = 10
MAX_EMBED_TEXT = 6000
"""Characters of all embeds of a message together."""
MAX_FIELDS = 25
MAX_FILES = 10
FILE_BYTES = 10 * 1024 * 1024
REQUEST_BYTES = 25 * 1024 * 1024
MAX_NONCE = 25
EMBED_TEXTS = {"title": 256, "description": 4096, "footer.text": 2048, "author.name": 256}
FIELD_TEXTS = {"name": 256, "value": 1024}


def length(text: str) -> int:
    """Characters as UTF-16 counts them. Discord doesn't say how it counts: this is the stricter reading."""
    return len(text.encode("utf-16-le")) // 2


def check_content(text: str) -> None:
    """Refuse a text that is too long."""
    if length(text) > MAX_CONTENT:
        raise too_long("content", MAX_CONTENT)


def check_embeds(embeds: Sequence[Mapping[str, Any]]) -> None:
    """Refuse embeds that are too many, or one with too much in it."""
    if len(embeds) > MAX_EMBEDS:
        raise too_long("embeds", MAX_EMBEDS)
    total = sum(_check_embed(embed, f"embeds.{at}") for at, embed in enumerate(embeds))
    if total > MAX_EMBED_TEXT:
        raise invalid("embeds", f"Embed size exceeds maximum size of {MAX_EMBED_TEXT}", "MAX_EMBED_SIZE_EXCEEDED")


def check_files(sizes: Iterable[int], *, file_bytes: int, count: int) -> None:
    """Refuse uploads that are too big or, with those that stay on the message, too many."""
    if count > MAX_FILES:
        raise too_long("attachments", MAX_FILES)
    total = 0
    for size in sizes:
        total += size
        if size > file_bytes or total > REQUEST_BYTES:
            raise too_large()


def too_large() -> Refusal:
    """A refused upload."""
    return Refusal(413, 40005, "Request entity too large")


def check_nonce(nonce: object) -> str:
    """The nonce as text; empty for none."""
    text = "" if nonce is None else str(nonce)
    if len(text) > MAX_NONCE:
        raise too_long("nonce", MAX_NONCE)
    return text


def _check_embed(embed: Mapping[str, Any], where: str) -> int:
    """The characters of an embed; Refusal when a part of it is too long."""
    total = sum(_checked(f"{where}.{name}", _text(embed, name), limit) for name, limit in EMBED_TEXTS.items())
    fields = embed.get("fields") or []
    if len(fields) > MAX_FIELDS:
        raise too_long(f"{where}.fields", MAX_FIELDS)
    for number, field in enumerate(fields):
        for name, limit in FIELD_TEXTS.items():
            if not field.get(name):
                raise invalid(f"{where}.fields.{number}.{name}", "This field is required", "BASE_TYPE_REQUIRED")
            total += _checked(f"{where}.fields.{number}.{name}", field[name], limit)
    return total


def _checked(field: str, text: str, limit: int) -> int:
    if length(text) > limit:
        raise too_long(field, limit)
    return length(text)


def _text(embed: Mapping[str, Any], path: str) -> str:
    first, _, second = path.partition(".")
    part: Any = embed.get(first) or {}
    return str((part.get(second) if second else part) or "")
