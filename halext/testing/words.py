"""Seeded text, vectors and token counts: the same question always gets the same answer."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

WORDS = (
    *("the", "node", "answers", "quickly", "and", "then", "waits", "for", "more", "work", "while", "rain", "falls"),
    *("on", "warm", "roofs", "lanterns", "glow", "slowly", "above", "quiet", "streets", "café", "naïve", "señor"),
    *("Übung", "日本語", "→", "🙂", "привет"),
)
"""Plain words, and some whose letters take two, three and four bytes in UTF-8."""


def answer(seed: str, prompt: str, count: int) -> list[str]:
    """`count` tokens that depend on seed and prompt only; the first has no space before it."""
    rng = random.Random(f"{seed}/{prompt}")  # noqa: S311 - nothing here is secret
    return [("" if n == 0 else " ") + rng.choice(WORDS) for n in range(count)]


def cut_at_stop(tokens: Sequence[str], stops: Sequence[str]) -> list[str]:
    """The tokens up to, and without, the first stop word."""
    text = "".join(tokens)
    ends = [at for stop in stops if stop and (at := text.find(stop)) >= 0]
    kept, left = [], min(ends, default=len(text))
    for token in tokens:
        if left <= 0:
            break
        kept.append(token[:left])
        left -= len(token)
    return kept


def count_tokens(text: str) -> int:
    """One token per word."""
    return len(text.split())


def vector(text: str, length: int) -> list[float]:
    """A unit vector that depends on the text only."""
    rng = random.Random(hashlib.sha256(text.encode()).digest())  # noqa: S311
    raw = [rng.gauss(0.0, 1.0) for _ in range(length)]
    norm = math.sqrt(sum(x * x for x in raw)) or 1.0
    return [x / norm for x in raw]


def json_tokens(schema: Any, value: Any = None) -> list[str]:
    """A JSON text, cut into tokens: of `value`, else of one that fits the schema (any object for the bare "json")."""
    if value is None:
        value = _instance(schema) if isinstance(schema, Mapping) else {"answer": "yes"}
    text = json.dumps(value, ensure_ascii=False)
    return [text[at : at + 6] for at in range(0, len(text), 6)]


def _instance(schema: Mapping[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        return {name: _instance(part) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [_instance(schema.get("items", {"type": "string"}))]
    return {"string": "text", "integer": 1, "number": 1.5, "boolean": True}.get(kind)
