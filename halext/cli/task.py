"""`halext task`: to-dos."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from halext.cli import house, output
from halext.runtime.units import show_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from halext.runtime.shapes_tasks import PriorityWord, StateWord, TaskRow

app = typer.Typer(help="Your to-dos.", no_args_is_help=True)
OfUser = Annotated[str | None, typer.Option("--user", help="Whose tasks, on the server's own machine.")]
Ids = Annotated[list[int], typer.Argument(metavar="ID…", help="As in `task list`.")]
PRIORITIES: tuple[PriorityWord, ...] = ("low", "normal", "high", "urgent")


def _priority(text: str) -> str:
    if text not in PRIORITIES:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(PRIORITIES)}")
    return text


@app.command(epilog='Example: `halext task add "Water the plants" --priority high`.')
def add(
    ctx: typer.Context,
    title: Annotated[str, typer.Argument(help="What is to be done.")],
    notes: Annotated[str, typer.Option(help="More about it.")] = "",
    priority: Annotated[str, typer.Option(parser=_priority, metavar="|".join(PRIORITIES))] = "normal",
    user: OfUser = None,
    as_json: house.AsJson = False,
) -> None:
    """Write a task down."""
    from msgspec import convert

    from halext.runtime.shapes_tasks import AddTask
    from halext.runtime.verbs.tasks import add_task

    fields = {"title": title, "notes": notes, "priority": priority, "user": user}
    row = house.call(ctx, add_task, convert(fields, AddTask))
    if as_json:
        output.json(row)
    else:
        output.out(f"Task {row.id}: {row.title}")


@app.command("list")
def list_(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="What is done or dropped, too.")] = False,
    user: OfUser = None,
    as_json: house.AsJson = False,
) -> None:
    """List what is open and what was suggested; what matters first."""
    from halext.runtime.shapes_tasks import ListTasks
    from halext.runtime.verbs.tasks import list_tasks

    states: list[StateWord] = ["open", "suggested", "done", "dropped"] if everything else []
    rows = house.call(ctx, list_tasks, ListTasks(states=states, user=user))
    if as_json:
        output.json(rows)
    elif rows:
        _show(rows)
    else:
        output.err('There is nothing to do; `halext task add "…"` writes something down.')


@app.command()
def done(ctx: typer.Context, ids: Ids, user: OfUser = None) -> None:
    """Mark tasks as done."""
    _move(ctx, ids, "done", user)


@app.command()
def reopen(ctx: typer.Context, ids: Ids, user: OfUser = None) -> None:
    """Open tasks again that were done or dropped."""
    _move(ctx, ids, "open", user)


@app.command()
def accept(ctx: typer.Context, ids: Ids, user: OfUser = None) -> None:
    """Make suggestions your own."""
    _move(ctx, ids, "open", user)


@app.command()
def drop(ctx: typer.Context, ids: Ids, user: OfUser = None) -> None:
    """Give tasks or suggestions up."""
    _move(ctx, ids, "dropped", user)


@app.command(epilog="Example: `halext task suggest < minutes.txt`, then `halext task accept 3 5`.")
def suggest(
    ctx: typer.Context,
    text: Annotated[str | None, typer.Argument(help="The text; without it, standard input.")] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="The model to ask.")] = "",
    user: OfUser = None,
    as_json: house.AsJson = False,
) -> None:
    """Let a model find the to-dos in a text. You accept or drop each of them."""
    from halext.runtime.shapes_tasks import SuggestTasks
    from halext.runtime.verbs.tasks import suggest_tasks

    rows = house.call(ctx, suggest_tasks, SuggestTasks(text=text or sys.stdin.read(), model=model, user=user))
    if as_json:
        output.json(rows)
    elif rows:
        _show(rows)
        output.err("`halext task accept ID…` keeps them, `halext task drop ID…` does not.")
    else:
        output.err("The model found nothing to do in it.")


def _move(ctx: typer.Context, ids: Sequence[int], state: StateWord, user: str | None) -> None:
    from msgspec import convert

    from halext.runtime.shapes_tasks import MoveTask
    from halext.runtime.verbs.tasks import move_task

    for number in ids:
        row = house.call(ctx, move_task, convert({"id": number, "state": state, "user": user}, MoveTask))
        output.out(f"Task {row.id} is {row.state}: {row.title}")


def _show(rows: Sequence[TaskRow]) -> None:
    lines = [
        (
            *(str(row.id), row.state, row.priority, row.title, show_time(row.due_at) if row.due_at else "-"),
            _shared(row),
        )
        for row in rows
    ]
    output.table(["id", "state", "priority", "task", "due", "shared"], lines)


def _shared(row: TaskRow) -> str:
    whose = "" if row.may == "own" else f", {row.owner}'s"
    return f"{row.workspace}{whose}" if row.workspace else "-"
