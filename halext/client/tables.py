"""Nodes, models and explanations as people want to see them: a table as text, as HTML and as a pandas frame."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from halext.errors import MissingExtra, UnknownModel, UnknownNode
from halext.runtime.shapes import ChoiceInfo, EstimateInfo, ModelRow, NodeInfo

T = TypeVar("T")
Row = Mapping[str, Any]

SHOWN = 60
"""Rows of a longer table that are shown: its head and its tail. All of them are in `.df` and in the table itself."""


class Table(ABC, Generic[T]):
    """A sequence of things that shows itself as a table."""

    def __init__(self, things: Sequence[T]) -> None:
        self._things = tuple(things)

    @abstractmethod
    def rows(self) -> list[dict[str, Any]]:
        """One mapping per line, with plain values."""

    @property
    def df(self) -> Any:
        """The same as a pandas DataFrame. Raises `MissingExtra` without pandas."""
        try:
            import pandas as pd  # type: ignore[import-untyped]  # it brings no types along
        except ModuleNotFoundError as error:
            raise MissingExtra("Frames need pandas: pip install 'halext[notebook]'") from error
        return pd.DataFrame(self.rows())

    def __iter__(self) -> Iterator[T]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)

    def __repr__(self) -> str:
        return as_text(self.rows())

    def _repr_mimebundle_(self, **_options: object) -> Mapping[str, str]:
        rows = self.rows()
        return {"text/plain": as_text(rows), "text/html": as_html(rows)}


class Nodes(Table[NodeInfo]):
    """The nodes and how they are. `nodes["mac"]` is one of them."""

    def __getitem__(self, name: str) -> NodeInfo:
        for node in self:
            if node.name == name:
                return node
        raise UnknownNode(f"There is no node called {name!r}.")

    def rows(self) -> list[dict[str, Any]]:
        """One line per endpoint: a node can have several."""
        return [
            {
                "node": node.name,
                "kind": endpoint.kind,
                "status": node.status if node.cordon != "open" else endpoint.status,
                "models": len(endpoint.models),
                "loaded": ", ".join(endpoint.loaded),
                "busy": endpoint.in_flight,
                "slots": endpoint.slots,
                "latency_ms": None if endpoint.latency_s is None else round(endpoint.latency_s * 1000, 1),
                "reason": endpoint.reason,
            }
            for node in self
            for endpoint in node.endpoints
        ]


class Models(Table[ModelRow]):
    """The models and where they are. `models["llama3.2:3b"]` is one of them."""

    def __getitem__(self, name: str) -> ModelRow:
        for model in self:
            if model.name == name:
                return model
        raise UnknownModel(f"No node has a model {name!r}.")

    def rows(self) -> list[dict[str, Any]]:
        """One line per model and node."""
        return [
            {
                "model": model.name,
                "node": place.node,
                "loaded": place.loaded,
                "available": place.available,
                "tokens_per_s": None if place.tokens_per_s is None else round(place.tokens_per_s, 1),
                "size_gb": round(model.size_bytes / 1e9, 2) or None,
                "parameters": model.parameter_size,
                "quantization": model.quantization,
                "context": model.context_length or None,
                "can": ", ".join(model.capabilities),
            }
            for model in self
            for place in model.places
        ]


class Explanation(Table[EstimateInfo]):
    """Where a question would go, and why: the candidates, best first."""

    def __init__(self, choice: ChoiceInfo) -> None:
        super().__init__(choice.estimates)
        self.model = choice.model
        self.node = choice.chosen
        """The node that would be asked; None when nobody can take the question."""
        self.sentence = choice.sentence
        self.rejected = choice.rejected
        """Endpoint to the reason why it is no candidate."""

    def rows(self) -> list[dict[str, Any]]:
        """One line per candidate with its expected seconds, then those that are none with the reason."""
        candidates: list[dict[str, Any]] = [
            {
                "node": estimate.node,
                "finish_s": round(estimate.finish_s, 2),
                "first_token_s": round(estimate.first_token_s, 2),
                **{f"{name}_s": round(seconds, 2) for name, seconds in estimate.terms.items()},
                "reason": estimate.reason,
            }
            for estimate in self
        ]
        return candidates + [{"node": endpoint, "reason": reason} for endpoint, reason in self.rejected.items()]

    def __str__(self) -> str:
        return self.sentence

    def __repr__(self) -> str:
        return f"{self.sentence}\n{super().__repr__()}"

    def _repr_mimebundle_(self, **_options: object) -> Mapping[str, str]:
        table = as_html(self.rows())
        return {"text/plain": repr(self), "text/html": f"<p>{html.escape(self.sentence)}</p>{table}"}


# --- drawing ---


def as_text(rows: Sequence[Row]) -> str:
    """Columns under their names; numbers to the right."""
    if not rows:
        return "(none)"
    names = list(rows[0])
    shown = [[_cell(row.get(name)) for name in names] if row else ["…"] * len(names) for row in _ends(rows)]
    widths = [max(len(line[i]) for line in [names, *shown]) for i in range(len(names))]
    right = [all(isinstance(row.get(name), int | float | None) for row in rows) for name in names]
    lines = [
        "  ".join(
            text.rjust(width) if is_right else text.ljust(width)
            for text, width, is_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in [names, *shown]
    ]
    return "\n".join(lines)


def as_html(rows: Sequence[Row]) -> str:
    """A plain table that reads well without any style; every name in it was somebody else's text, so all is escaped."""
    if not rows:
        return "<p>(none)</p>"
    names = list(rows[0])
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_cell(row.get(name)) if row else '…')}</td>" for name in names) + "</tr>"
        for row in _ends(rows)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _ends(rows: Sequence[Row]) -> list[Row]:
    """The rows, or head and tail of many with an empty one between."""
    half = SHOWN // 2
    return list(rows) if len(rows) <= SHOWN else [*rows[:half], {}, *rows[-half:]]


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case _:
            return "".join(char if char.isprintable() else " " for char in str(value))
