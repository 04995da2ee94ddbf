"""`halext embed`: vectors for texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from halext.cli import house, output
from halext.cli.entry import read_piped

if TYPE_CHECKING:
    from halext.messages import EmbedReply
    from halext.runtime.control import Control

EXAMPLES = "Examples: `halext embed 'a cat' 'a dog' -m nomic-embed-text`; `halext embed < lines.txt > vectors.jsonl`."


def embed(
    ctx: typer.Context,
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT", help="Without any, one per line that is piped in.")
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="Without it, the one that is fastest now.")] = "",
    node: Annotated[str | None, typer.Option(help="Only this node.")] = None,
) -> None:
    """Turn texts into vectors: one JSON array per text, in the same order."""
    import msgspec

    from halext.messages import EmbedRequest
    from halext.types import ModelName, NodeName

    inputs = tuple(texts or read_piped().splitlines())
    if not inputs:
        raise typer.BadParameter("Give a text, or pipe lines in.", param_hint="TEXT")
    request = EmbedRequest(ModelName(model), inputs)

    async def work(control: Control) -> EmbedReply:
        return await control.embed(request, NodeName(node) if node else None)

    for vector in house.run(ctx, work).vectors:
        output.out(msgspec.json.encode(vector).decode())
