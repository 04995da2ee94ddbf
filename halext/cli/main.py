"""The command `halext`: its tree of commands, and what each ending means to a shell.

Exit codes: 0 done, 1 it did not work, 2 wrong use, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from halext._version import __version__
from halext.cli import (
    alerts,
    ask,
    audit,
    chat,
    db,
    doctor,
    embed,
    imagine,
    job,
    key,
    models,
    node,
    task,
    token,
    up,
    user,
    workspace,
)
from halext.cli.house import Invocation
from halext.cli.output import err, one_line, out
from halext.errors import BadRequest, HalextError, InvalidInput, InvalidSetting

DONE, FAILED, WRONG_USE = 0, 1, 2

app = typer.Typer(
    name="halext",
    help="One assistant from the computers you own.",
    epilog="Begin with `halext up`, then `halext node add mac http://mac.local:11434` and `halext ask Hello`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
USE, RUN, KEEP = "Use your fleet", "Run halext", "Look after it"
app.command("ask", epilog=ask.EXAMPLES, rich_help_panel=USE)(ask.ask)
app.command("chat", rich_help_panel=USE)(chat.chat)
app.command("imagine", epilog=imagine.EXAMPLES, rich_help_panel=USE)(imagine.imagine)
app.command("embed", epilog=embed.EXAMPLES, rich_help_panel=USE)(embed.embed)
app.command("models", rich_help_panel=USE)(models.models)
app.add_typer(task.app, name="task", rich_help_panel=USE)
app.add_typer(job.app, name="job", rich_help_panel=USE)
app.command("up", epilog=up.EXAMPLES, rich_help_panel=RUN)(up.up)
app.command("alerts", rich_help_panel=RUN)(alerts.alerts)
app.command("audit", epilog=audit.EXAMPLES, rich_help_panel=KEEP)(audit.audit)
app.command("doctor", rich_help_panel=RUN)(doctor.doctor)
for name, group in (
    ("node", node),
    ("user", user),
    ("workspace", workspace),
    ("token", token),
    ("key", key),
    ("db", db),
):
    app.add_typer(group.app, name=name, rich_help_panel=KEEP)


def _show_version(wanted: bool) -> None:
    if wanted:
        out(f"halext {__version__}")
        raise typer.Exit


@app.callback()
def before(
    ctx: typer.Context,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="The data directory to use.")] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """One assistant from the computers you own."""
    del version
    ctx.obj = Invocation(data)


def main(args: Sequence[str] | None = None) -> int:
    """Run one command line (None: this process's own) and return its exit code; errors are one line, no traceback.

    When whoever reads our output has seen enough, as in `halext models | head -1`, typer ends it quietly by SystemExit.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a character that this terminal can't show is no reason to stop
    try:
        ended = app(args, prog_name="halext", standalone_mode=False)
    except typer.TyperException as error:
        return _wrong_use(error)
    except HalextError as error:
        err(f"halext: {one_line(error.message)}")
        return WRONG_USE if isinstance(error, InvalidSetting | InvalidInput | BadRequest) else FAILED
    except typer.Abort:  # Ctrl-D at a prompt
        return FAILED
    return ended if isinstance(ended, int) else DONE


def _wrong_use(error: typer.TyperException) -> int:
    context: typer.Context | None = getattr(error, "ctx", None)
    if message := error.format_message().replace("Value error, ", ""):  # pydantic's way to begin; empty after help
        err(f"halext: {message}")
    if message and context is not None:
        err(f"Try `{context.command_path} --help`.")
    return error.exit_code
