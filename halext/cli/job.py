"""`halext job`: questions that are answered in the background."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from halext.cli import house, output
from halext.errors import InvalidInput
from halext.runtime.units import show_time

if TYPE_CHECKING:
    from halext.runtime.control import Control
    from halext.runtime.shapes_jobs import JobInfo, JobStateWord

app = typer.Typer(help="Questions that are answered in the background.", no_args_is_help=True)
OfUser = Annotated[str | None, typer.Option("--user", help="Whose jobs, on the server's own machine.")]
Id = Annotated[int, typer.Argument(metavar="ID", help="As in `job list`.")]
STATES: tuple[JobStateWord, ...] = ("queued", "running", "done", "failed", "cancelled", "interrupted", "expired")
PAGE = 500
SHOWN = 60
"""Characters of a question in a list."""


def _state(text: str) -> str:
    if text not in STATES:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(STATES)}")
    return text


@app.command(epilog='Examples: `halext job add "Write a haiku"`; `halext job add --name labels --file prompts.txt`.')
def add(
    ctx: typer.Context,
    prompt: Annotated[str, typer.Argument(help="The question.")] = "",
    model: Annotated[str, typer.Option("--model", "-m", help="Without it, the one that answers soonest.")] = "",
    name: Annotated[str, typer.Option(help="What to call it; a file of questions needs a name.")] = "",
    file: Annotated[
        str, typer.Option("--file", "-f", help="A question per line, or JSON Lines; `-` is standard input.")
    ] = "",
    system: Annotated[str, typer.Option(help="What the model should know or be before it answers.")] = "",
    urgent: Annotated[bool, typer.Option("--urgent", help="Before all that nobody waits for.")] = False,
    user: OfUser = None,
    as_json: house.AsJson = False,
) -> None:
    """Put a question in line, or a file of them; the answers stay until you fetch them."""
    if bool(prompt) == bool(file):
        raise typer.BadParameter("Give a question, or a file of them.", param_hint="PROMPT")
    common = {"model": model, "system": system, "priority": "interactive" if urgent else "batch", "user": user}
    if file:
        _add_many(ctx, {**common, "name": name, "prompts": list(_prompts(file))}, as_json=as_json)
        return
    from msgspec import convert

    from halext.runtime.shapes_jobs import AddJob
    from halext.runtime.verbs.jobs import add_job

    row = house.call(ctx, add_job, convert({**common, "prompt": prompt, "name": name}, AddJob))
    if as_json:
        output.json(row)
    else:
        output.out(f"Job {row.id} is in line; `halext job show {row.id}` has the answer when it is done.")


def _add_many(ctx: typer.Context, fields: dict[str, Any], *, as_json: bool) -> None:
    from msgspec import convert

    from halext.runtime.shapes_jobs import AddJobs
    from halext.runtime.verbs.jobs import add_jobs

    done = house.call(ctx, add_jobs, convert(fields, AddJobs))
    if as_json:
        output.json(done)
        return
    known = f", {done.known:,} were there already" if done.known else ""
    output.out(f"{done.new:,} jobs are in line as {done.name!r}{known}; `halext job results` shows their answers.")


def _prompts(file: str) -> Iterator[str]:
    """The questions in a file: its lines, or in JSON Lines texts or objects with `prompt`. Raises `InvalidInput`."""
    import json

    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} can't be read: {error}.") from error
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        if not file.endswith((".jsonl", ".ndjson")):
            yield line
            continue
        try:
            said = json.loads(line)
        except ValueError as error:
            raise InvalidInput(f"Line {number} of {file} is no JSON.") from error
        prompt = said.get("prompt") if isinstance(said, dict) else said
        if not isinstance(prompt, str):
            raise InvalidInput(f"Line {number} of {file} is neither a text nor an object with a `prompt`.")
        yield prompt


@app.command("list")
def list_(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Option(help="Only those of this name.")] = None,
    state: Annotated[str | None, typer.Option(parser=_state, metavar="|".join(STATES))] = None,
    after: Annotated[int | None, typer.Option(help="Older ones than this job.")] = None,
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
    user: OfUser = None,
    as_json: house.AsJson = False,
) -> None:
    """List jobs, the newest first."""
    from msgspec import convert

    from halext.runtime.shapes_jobs import ListJobs
    from halext.runtime.verbs.jobs import list_jobs

    fields = {"name": name, "state": state, "after": after, "limit": limit, "user": user}
    rows = house.call(ctx, list_jobs, convert(fields, ListJobs))
    if as_json:
        output.json(rows)
    elif rows:
        lines = [
            (str(row.id), row.state, row.name or "-", show_time(row.created_at), _short(row.prompt)) for row in rows
        ]
        output.table(["id", "state", "name", "added", "question"], lines)
    else:
        output.err('There are none; `halext job add "…"` puts a question in line.')


@app.command()
def show(ctx: typer.Context, id_: Id, user: OfUser = None, as_json: house.AsJson = False) -> None:
    """Show how far a job is, and its answer."""
    from halext.runtime.shapes_jobs import JobRef
    from halext.runtime.verbs.jobs import show_job

    row = house.call(ctx, show_job, JobRef(id=id_, user=user))
    if as_json:
        output.json(row)
        return
    output.err(_line(row))
    if row.answer is not None:
        output.out(row.answer.text)


@app.command()
def results(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the jobs are called.")],
    user: OfUser = None,
    as_json: house.AsJson = False,
) -> None:
    """Print the answers of a name in the order of the questions; with `--json` as JSON Lines, failures too."""
    from msgspec.json import encode

    async def work(control: Control) -> list[JobInfo]:
        return await _all(control, name, user)

    rows = sorted(house.run(ctx, work), key=lambda row: (_place(row), row.id))
    if not rows:
        raise InvalidInput(f"There are no jobs called {name!r}; `halext job list` shows yours.")
    for row in rows:
        if as_json:
            output.out(encode(row).decode())
        elif row.answer is not None:
            output.out(row.answer.text)
    if left := [row for row in rows if row.answer is None]:
        output.err(f"{len(left):,} of {len(rows):,} have no answer yet; {_line(left[0])}")


async def _all(control: Control, name: str, user: str | None) -> list[JobInfo]:
    from halext.runtime.shapes_jobs import ListJobs
    from halext.runtime.verbs.jobs import list_jobs

    found: list[JobInfo] = []
    while page := await control.call(
        list_jobs, ListJobs(name=name, after=found[-1].id if found else None, limit=PAGE, user=user)
    ):
        found += page
    return found


@app.command()
def cancel(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(metavar="ID|NAME", help="A job, or all jobs of a name.")],
    user: OfUser = None,
) -> None:
    """Cancel a job, or all of a name."""
    from halext.runtime.shapes_jobs import CancelJobs, JobRef
    from halext.runtime.verbs.jobs import cancel_job, cancel_jobs

    if what.isdecimal():
        row = house.call(ctx, cancel_job, JobRef(id=int(what), user=user))
        output.out(f"Job {row.id} is {'ending' if row.state == 'running' else row.state}.")
        return
    done = house.call(ctx, cancel_jobs, CancelJobs(name=what, user=user))
    output.out(f"{done.cancelled:,} jobs are cancelled.")


@app.command()
def retry(
    ctx: typer.Context,
    ids: Annotated[list[int], typer.Argument(metavar="ID…", help="As in `job list --state failed`.")],
    user: OfUser = None,
) -> None:
    """Try jobs again that failed, were cancelled or broke off."""
    from halext.runtime.shapes_jobs import JobRef
    from halext.runtime.verbs.jobs import retry_job

    for number in ids:
        output.out(f"Job {house.call(ctx, retry_job, JobRef(id=number, user=user)).id} is in line again.")


def _place(row: JobInfo) -> int:
    """The place of a question in its batch, which its key ends with."""
    place = (row.key or "").rpartition("/")[2]
    return int(place) if place.isdecimal() else 0


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def _line(row: JobInfo) -> str:
    """How a job stands, as a sentence."""
    why = f": {row.error.message}" if row.error else ""
    note = f" ({row.note})" if row.note and row.state == "running" else ""
    return f"job {row.id} is {row.state}{note}{why}"
