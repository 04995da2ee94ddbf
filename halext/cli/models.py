"""`halext models`: models × nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from halext.cli import house, output
from halext.runtime.units import show_size

if TYPE_CHECKING:
    from halext.runtime.shapes import ModelPlace, ModelRow


def models(ctx: typer.Context, as_json: house.AsJson = False) -> None:
    """Show every model and the nodes that have it: warm (in memory) or cold, and how fast it was."""
    from halext.runtime.shapes import Nothing
    from halext.runtime.verbs.models import list_models

    rows = house.call(ctx, list_models, Nothing())
    if as_json:
        output.json(rows)
    elif rows:
        nodes = sorted({place.node for row in rows for place in row.places})
        output.table(["model", "size", "parameters", *nodes], [_line(row, nodes) for row in rows])
    else:
        output.err("No node has shown a model yet; `halext node list` says how the nodes are.")


def _line(row: ModelRow, nodes: list[str]) -> list[str]:
    cells = {node: " / ".join(_cell(place) for place in row.places if place.node == node) or "-" for node in nodes}
    return [row.name, show_size(row.size_bytes), f"{row.parameter_size} {row.quantization}".strip(), *cells.values()]


def _cell(place: ModelPlace) -> str:
    if not place.available:
        return "away"
    speed = f", {place.tokens_per_s:.0f} tokens/s" if place.tokens_per_s else ""
    return ("warm" if place.loaded else "cold") + speed
