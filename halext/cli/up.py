"""`halext up`: run everything, or the named parts, until told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from halext.cli import house
from halext.cli.output import out

EXAMPLES = "Examples: `halext up`; `halext up --port 9000 --data ./here`; `halext up web --no-demo`."
STOPPED_AT_ONCE = 130


def up(
    ctx: typer.Context,
    parts: Annotated[
        list[str] | None, typer.Argument(metavar="PART", help="Which parts to run; without any, all of them.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(help="The port to listen on; 0 takes any free one.", show_default="8484")
    ] = None,
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="The data directory to use.")] = None,
    demo: Annotated[
        bool | None,
        typer.Option("--demo/--no-demo", help="Whether to bring the small built-in model when there is no other node."),
    ] = None,
) -> None:
    """Run halext until Ctrl-C: the web page, the APIs, and the look-out over your nodes."""
    from asyncio import CancelledError

    from halext.runtime import log
    from halext.runtime.up import new_loop, run_up

    found = house.settings(ctx, host=host, port=port, demo=demo, data_dir=data)
    log.configure(found.log_format, found.log_level)
    try:
        house.finish(run_up(found, tuple(parts or ()), out), new_loop)
    except CancelledError:  # a second Ctrl-C, while the first one was being obeyed
        raise typer.Exit(STOPPED_AT_ONCE) from None
