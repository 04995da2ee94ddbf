"""The JSON of tasks."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from halext.runtime.shapes import Params

PriorityWord = Literal["low", "normal", "high", "urgent"]
StateWord = Literal["suggested", "open", "done", "dropped"]


class OfPerson(Params, frozen=True):
    """Whose tasks: only for the owner of the machine, who has no account; everyone else has their own."""

    user: str | None = None


class AddTask(OfPerson, frozen=True, kw_only=True):
    """A new to-do. `due_at` is in seconds since the epoch."""

    title: str
    notes: str = ""
    priority: PriorityWord = "normal"
    due_at: float | None = None


class ListTasks(OfPerson, frozen=True, kw_only=True):
    """To-dos in these states; without any, what is open or suggested."""

    states: list[StateWord] = field(default_factory=list)


class MoveTask(OfPerson, frozen=True, kw_only=True):
    """Put a task into another state: done, dropped, open again, or a suggestion accepted (open)."""

    id: int
    state: Literal["open", "done", "dropped"]


class EditTask(OfPerson, frozen=True, kw_only=True):
    """Give a task other words."""

    id: int
    title: str
    notes: str = ""
    priority: PriorityWord = "normal"
    due_at: float | None = None


class ShareTask(OfPerson, frozen=True, kw_only=True):
    """Share a task in the workspace of this name, and in no other; null shares it in none."""

    id: int
    workspace: str | None


class SuggestTasks(OfPerson, frozen=True, kw_only=True):
    """Let a model find the to-dos in a text."""

    text: str
    model: str = ""


class TaskRow(Struct, frozen=True):
    """A to-do. `workspace` is where it is shared, if it is, and `owner` whose it then is.

    `may` is `own`, `write` or `read`: what the caller may do with it.
    """

    id: int
    title: str
    notes: str
    priority: str
    state: str
    due_at: float | None
    created_at: float
    done_at: float | None
    workspace: str | None = None
    owner: str = ""
    may: str = "own"
