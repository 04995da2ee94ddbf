"""Commands about tasks."""

from __future__ import annotations

from halext.accounts.types import Permission
from halext.commands import words
from halext.commands.asking import MODEL, number
from halext.commands.attachments import text_of
from halext.commands.registry import command
from halext.commands.types import Button, Option, Reply, Said, Text
from halext.runtime.app import App
from halext.tasks.types import Draft, Priority, Task, TaskId, TaskState

LISTED = 20
"""Tasks in one message; the page shows them all."""
WITH_BUTTONS = 5
NUMBER = Option("number", "Its number, as the list shows it", required=True)


@command(
    "task add",
    Option("title", "What is to be done", required=True, is_rest=True),
    Option("priority", "How much it matters", choices=tuple(priority.value for priority in Priority)),
    permission=Permission.OWN,
)
async def add(app: App, said: Said) -> Reply:
    """Write a task down."""
    draft = Draft(said.get("title"), priority=Priority(said.get("priority") or "normal"))
    return Text(f"Written down as {_line(await app.desk.add(said.caller, draft))}")


@command("task list", permission=Permission.OWN)
async def list_(app: App, said: Said) -> Reply:
    """Your open tasks, what matters first."""
    known = await app.desk.tasks(said.caller, [TaskState.OPEN, TaskState.SUGGESTED])
    tasks = [task for task in known if words.may_list(said.speaker, task.sharing)]
    open_ = [task for task in tasks if task.state is TaskState.OPEN]
    suggested = [task for task in tasks if task.state is TaskState.SUGGESTED]
    if not tasks:
        return Text("Nothing is open.", is_quiet=True)
    parts = ["\n".join(f"- {_line(task)}" for task in open_[:LISTED])] if open_ else []
    if suggested:
        parts.append("Suggested:\n\n" + "\n".join(f"- {_line(task)}" for task in suggested[:LISTED]))
    if (left := len(tasks) - min(len(open_), LISTED) - min(len(suggested), LISTED)) > 0:
        parts.append(f"And {left} more.")
    buttons = [Button(f"Done {task.id}", f"task done {task.id}") for task in open_[:WITH_BUTTONS]]
    return Text("\n\n".join(parts), tuple(buttons), is_quiet=True)


@command("task done", NUMBER, permission=Permission.OWN)
async def done(app: App, said: Said) -> Reply:
    """Finish a task."""
    return await _moved(app, said, TaskState.DONE, "Done with")


@command("task drop", NUMBER, permission=Permission.OWN)
async def drop(app: App, said: Said) -> Reply:
    """Drop a task or a suggestion."""
    return await _moved(app, said, TaskState.DROPPED, "Dropped")


@command("task accept", NUMBER, permission=Permission.OWN)
async def accept(app: App, said: Said) -> Reply:
    """Make a suggestion a task of yours."""
    return await _moved(app, said, TaskState.OPEN, "Accepted")


@command(
    "task suggest",
    Option("text", "Minutes, a mail, anything; a text file works too", is_rest=True),
    MODEL,
    permission=Permission.OWN,
    also=Permission.USE,
    is_slow=True,
    takes_files=True,
)
async def suggest(app: App, said: Said) -> Reply:
    """Let a model find the tasks in a text; you decide on each."""
    text = "\n\n".join([said.get("text"), *map(text_of, said.files)])
    tasks = await app.desk.suggest(said.caller, text, said.get("model"))
    if not tasks:
        return Text("I found no task in that.")
    buttons = [
        button
        for task in tasks[:WITH_BUTTONS]
        for button in (
            Button(f"Accept {task.id}", f"task accept {task.id}"),
            Button(f"Drop {task.id}", f"task drop {task.id}"),
        )
    ]
    return Text("Suggested:\n\n" + "\n".join(f"- {_line(task)}" for task in tasks), tuple(buttons))


async def _moved(app: App, said: Said, to: TaskState, word: str) -> Text:
    task = await app.desk.move(said.caller, TaskId(number(said.get("number"))), to)
    return Text(f"{word} {_line(task)}", is_quiet=True)


def _line(task: Task) -> str:
    priority = "" if task.priority is Priority.NORMAL else f" ({task.priority})"
    notes = f" – {words.plain(words.shortened(task.notes, 200))}" if task.notes else ""
    return f"{task.id}: {words.plain(task.title)}{priority}{words.shared(task.sharing)}{notes}"
