"""To-dos, and suggestions by a model."""

from __future__ import annotations

from halext.accounts.types import Caller, Permission
from halext.runtime.acting import acting_for
from halext.runtime.app import App
from halext.runtime.operations import operation
from halext.runtime.shapes_tasks import AddTask, EditTask, ListTasks, MoveTask, ShareTask, SuggestTasks, TaskRow
from halext.tasks.types import Draft, Priority, Task, TaskId, TaskState


@operation("POST", "/hx/tasks", Permission.OWN)
async def add_task(app: App, caller: Caller, params: AddTask) -> TaskRow:
    """Write a task down."""
    draft = Draft(params.title, params.notes, Priority(params.priority), params.due_at)
    return _row(await app.desk.add(await acting_for(app, caller, params.user), draft))


@operation("GET", "/hx/tasks", Permission.OWN)
async def list_tasks(app: App, caller: Caller, params: ListTasks) -> list[TaskRow]:
    """The caller's tasks, and those shared with them, what matters first."""
    states = [TaskState(state) for state in params.states] or [TaskState.OPEN, TaskState.SUGGESTED]
    return [_row(task) for task in await app.desk.tasks(await acting_for(app, caller, params.user), states)]


@operation("PUT", "/hx/tasks/{id}/state", Permission.OWN)
async def move_task(app: App, caller: Caller, params: MoveTask) -> TaskRow:
    """Finish, drop or reopen a task, or accept a suggestion."""
    person = await acting_for(app, caller, params.user)
    return _row(await app.desk.move(person, TaskId(params.id), TaskState(params.state)))


@operation("PUT", "/hx/tasks/{id}", Permission.OWN)
async def edit_task(app: App, caller: Caller, params: EditTask) -> TaskRow:
    """Change a task's words, priority or date."""
    draft = Draft(params.title, params.notes, Priority(params.priority), params.due_at)
    return _row(await app.desk.edit(await acting_for(app, caller, params.user), TaskId(params.id), draft))


@operation("PUT", "/hx/tasks/{id}/workspace", Permission.OWN)
async def share_task(app: App, caller: Caller, params: ShareTask) -> TaskRow:
    """Share a task of one's own in a workspace, or in none."""
    person = await acting_for(app, caller, params.user)
    return _row(await app.desk.share(person, TaskId(params.id), params.workspace))


@operation("POST", "/hx/tasks/suggest", Permission.OWN, also=Permission.USE)
async def suggest_tasks(app: App, caller: Caller, params: SuggestTasks) -> list[TaskRow]:
    """Let a model find the to-dos in a text; each is a suggestion until it is accepted."""
    person = await acting_for(app, caller, params.user)
    return [_row(task) for task in await app.desk.suggest(person, params.text, params.model)]


def _row(task: Task) -> TaskRow:
    return TaskRow(
        id=task.id,
        title=task.title,
        notes=task.notes,
        priority=str(task.priority),
        state=str(task.state),
        due_at=task.due_at,
        created_at=task.created_at,
        done_at=task.done_at,
        workspace=task.sharing.workspace,
        owner=task.sharing.owner,
        may=task.sharing.access.name.lower(),
    )
