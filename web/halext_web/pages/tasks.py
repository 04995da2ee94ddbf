"""The page of one's tasks: plain forms, which work without JavaScript."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from halext.accounts.types import Permission
from halext.errors import HalextError, InvalidInput
from halext.runtime.shapes_tasks import AddTask, ListTasks, MoveTask, ShareTask, SuggestTasks
from halext.runtime.shapes_workspaces import WorkspacesOf
from halext.runtime.verbs.tasks import add_task, list_tasks, move_task, share_task, suggest_tasks
from halext.runtime.verbs.workspaces import list_workspaces
from halext.tasks.types import Priority, TaskState
from halext_web import forms, ids
from halext_web.pages.page import page
from halext_web.routes import Route, route
from halext_web.visit import Visit


def routes() -> list[Route]:
    """The page and its form."""
    return [route("/tasks", tasks, Permission.OWN), route("/tasks", act, Permission.OWN, "POST")]


async def tasks(visit: Visit) -> ASGIApp:
    """GET /tasks."""
    return await _page(visit)


async def act(visit: Visit) -> ASGIApp:
    """POST /tasks: one button; afterwards the page as it is now."""
    fields = await forms.read(visit)
    try:
        await _carry_out(visit, forms.need(fields, "do"), fields)
    except HalextError as error:
        return await _page(visit, error=error, text=fields.get("text", ""))
    return RedirectResponse("/tasks", status_code=303)


async def _carry_out(visit: Visit, button: str, fields: dict[str, str]) -> None:
    match button:
        case "add":
            title, priority = fields.get("title", ""), _priority(fields)
            await add_task(visit.app, visit.caller, AddTask(title=title, priority=priority.value))
        case "suggest":
            await suggest_tasks(visit.app, visit.caller, SuggestTasks(text=fields.get("text", "")))
        case "open" | "done" | "dropped":
            await move_task(visit.app, visit.caller, MoveTask(id=_number(fields), state=button))
        case "share":
            shared = ShareTask(id=_number(fields), workspace=fields.get("workspace") or None)
            await share_task(visit.app, visit.caller, shared)
        case _:
            raise InvalidInput("The page does not know this button; reload it.")


def _priority(fields: dict[str, str]) -> Priority:
    try:
        return Priority(fields.get("priority", "normal"))
    except ValueError:
        raise InvalidInput("This is no priority; reload the page.") from None


def _number(fields: dict[str, str]) -> int:
    if not (text := forms.need(fields, "id")).isdigit():
        raise InvalidInput("This is no task's number; reload the page.")
    return ids.number(text)


async def _page(visit: Visit, *, error: HalextError | None = None, text: str = "") -> Response:
    rows = await list_tasks(visit.app, visit.caller, ListTasks(states=["open", "suggested", "done"]))
    groups = await list_workspaces(visit.app, visit.caller, WorkspacesOf())
    return page(
        visit,
        "tasks.html",
        status=error.status if error else 200,
        open=[row for row in rows if row.state == TaskState.OPEN],
        suggested=[row for row in rows if row.state == TaskState.SUGGESTED],
        done=[row for row in rows if row.state == TaskState.DONE][:20],
        workspaces=[each.name for each in groups if each.role != "viewer"],
        priorities=[priority.value for priority in Priority],
        error=error,
        text=text,
    )
