"""One question to several models, side by side."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

from halext.client.items import pandas
from halext.client.reply import Reply
from halext.errors import HalextError


class Comparison:
    """The answers in the order of the models: `comparison["llama3.2:3b"]` is a `Reply`, or what went wrong."""

    def __init__(self, answers: Mapping[str, Reply | HalextError]) -> None:
        self._answers = dict(answers)

    def __getitem__(self, model: str) -> Reply | HalextError:
        return self._answers[model]

    def __iter__(self) -> Iterator[str]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def failures(self) -> Mapping[str, HalextError]:
        """The models that gave no answer, and why."""
        return {model: answer for model, answer in self._answers.items() if isinstance(answer, HalextError)}

    def rows(self) -> list[dict[str, Any]]:
        """One mapping per model, with plain values."""
        return [_row(model, answer) for model, answer in self._answers.items()]

    @property
    def df(self) -> Any:
        """The same as a pandas DataFrame. Raises `MissingExtra` without pandas."""
        return pandas().DataFrame(self.rows())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(self)}: {len(self.failures)} failed>"

    def _repr_mimebundle_(self, **_options: object) -> Mapping[str, str]:
        return {"text/plain": self.text, "text/html": self.html}

    @property
    def text(self) -> str:
        """One after the other."""
        return "\n\n".join(f"{model} ({_who(answer)})\n{_said(answer)}" for model, answer in self._answers.items())

    @property
    def html(self) -> str:
        """A column per model. What models say is text, whatever it looks like."""
        head = "".join(f"<th>{html.escape(model)}</th>" for model in self)
        who = "".join(f"<td>{html.escape(_who(answer))}</td>" for answer in self._answers.values())
        said = "".join(f"<td>{_lines(_said(answer))}</td>" for answer in self._answers.values())
        return f"<table><thead><tr>{head}</tr></thead><tbody><tr>{said}</tr><tr>{who}</tr></tbody></table>"


def _row(model: str, answer: Reply | HalextError) -> dict[str, Any]:
    reply = answer if isinstance(answer, Reply) else None
    return {
        "model": model,
        "text": reply.text if reply else None,
        "error": None if isinstance(answer, Reply) else answer.code,
        "node": reply.node if reply else None,
        "tokens_per_s": reply.tokens_per_s if reply else None,
        "first_token_s": reply.first_token_s if reply else None,
        "total_s": reply.total_s if reply else None,
    }


def _said(answer: Reply | HalextError) -> str:
    return answer.text if isinstance(answer, Reply) else answer.message


def _who(answer: Reply | HalextError) -> str:
    if isinstance(answer, HalextError):
        return f"failed: {answer.code}"
    rate = f"{answer.tokens_per_s:.1f} tokens/s" if answer.tokens_per_s else ""
    return ", ".join(part for part in (answer.node, rate) if part)


def _lines(text: str) -> str:
    return "<br>".join(html.escape(line) for line in text.split("\n"))
