from __future__ import annotations

import json

from halext.runtime.shapes_tasks import AddTask, ListTasks, MoveTask, SuggestTasks, TaskRow
from tests.halext.cli.conftest import FakeControl, Run


def row(number: int, state: str = "open", **known: object) -> TaskRow:
    fields: dict[str, object] = {"notes": "", "priority": "normal", "due_at": None, "created_at": 0.0, "done_at": None}
    return TaskRow(id=number, title=f"task {number}", state=state, **(fields | known))  # type: ignore[arg-type]  # fields of TaskRow


def test_add(control: FakeControl, run: Run) -> None:
    control.answers["add_task"] = row(3)
    result = run("task", "add", "task 3", "--priority", "high", "--user", "ada")
    assert (result.code, result.out) == (0, "Task 3: task 3\n")
    assert control.calls == [("add_task", AddTask(title="task 3", priority="high", user="ada"))]
    assert json.loads(run("task", "add", "x", "--json").out)["id"] == 3


def test_a_priority_that_is_none_is_wrong_use(control: FakeControl, run: Run) -> None:
    result = run("task", "add", "x", "--priority", "now")
    assert result.code == 2
    assert "low, normal, high, urgent" in result.err
    assert control.calls == []


def test_list(control: FakeControl, run: Run) -> None:
    control.answers["list_tasks"] = [
        row(1, priority="urgent"),
        row(2, "suggested", workspace="home", owner="Ann", may="read"),
    ]
    _, first, second = run("task", "list").out.splitlines()
    assert first.split()[:5] == ["1", "open", "urgent", "task", "1"]
    assert second.split()[1] == "suggested"
    assert (first.split()[-1], second.split()[-2:]) == ("-", ["home,", "Ann's"])
    run("task", "list", "--all", "--json")
    assert control.calls == [
        ("list_tasks", ListTasks()),
        ("list_tasks", ListTasks(states=["open", "suggested", "done", "dropped"])),
    ]


def test_nothing_to_do(control: FakeControl, run: Run) -> None:
    control.answers["list_tasks"] = []
    assert "halext task add" in run("task", "list").err
    assert json.loads(run("task", "list", "--json").out) == []


def test_moving(control: FakeControl, run: Run) -> None:
    control.answers["move_task"] = row(1, "done")
    assert run("task", "done", "1", "2").out == "Task 1 is done: task 1\n" * 2
    for word in ("reopen", "accept", "drop"):
        assert run("task", word, "3").code == 0
    states = [(params.id, params.state) for _, params in control.calls]
    assert states == [(1, "done"), (2, "done"), (3, "open"), (3, "open"), (3, "dropped")]
    assert all(isinstance(params, MoveTask) for _, params in control.calls)


def test_suggestions_from_a_pipe(control: FakeControl, run: Run) -> None:
    control.answers["suggest_tasks"] = [row(5, "suggested")]
    result = run("task", "suggest", "-m", "m", stdin="minutes of the meeting")
    assert "task 5" in result.out
    assert "halext task accept" in result.err
    assert control.calls == [("suggest_tasks", SuggestTasks(text="minutes of the meeting", model="m"))]
    control.answers["suggest_tasks"] = []
    assert "nothing to do" in run("task", "suggest", "text").err
    assert json.loads(run("task", "suggest", "text", "--json").out) == []
