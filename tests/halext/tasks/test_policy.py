from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.errors import Conflict, InvalidInput
from halext.tasks import policy
from halext.tasks.types import Draft, Priority, Task, TaskId, TaskState
from halext.types import UserId


def task(number: int = 1, **known: object) -> Task:
    plain = Task(TaskId(number), UserId(1), "t", "", Priority.NORMAL, TaskState.OPEN, None, 0.0, None)
    return replace(plain, **known)  # type: ignore[arg-type]  # the tests name fields of Task


@pytest.mark.parametrize("title", ["", "  \n ", "x" * 201])
def test_titles_that_are_none(title: str) -> None:
    with pytest.raises(InvalidInput):
        policy.clean(Draft(title))


def test_titles_are_one_line() -> None:
    assert policy.clean(Draft("  water\n the\tplants ", " soon ")) == Draft("water the plants", "soon")
    with pytest.raises(InvalidInput):
        policy.clean(Draft("x", "y" * 4001))


@pytest.mark.parametrize(
    ("state", "to", "goes"),
    [
        (TaskState.SUGGESTED, TaskState.OPEN, True),
        (TaskState.SUGGESTED, TaskState.DROPPED, True),
        (TaskState.SUGGESTED, TaskState.DONE, False),
        (TaskState.OPEN, TaskState.DONE, True),
        (TaskState.OPEN, TaskState.DROPPED, True),
        (TaskState.OPEN, TaskState.SUGGESTED, False),
        (TaskState.DONE, TaskState.OPEN, True),
        (TaskState.DONE, TaskState.DROPPED, False),
        (TaskState.DROPPED, TaskState.OPEN, True),
        (TaskState.DONE, TaskState.DONE, True),
    ],
)
def test_where_a_task_can_go(state: TaskState, to: TaskState, goes: bool) -> None:
    if goes:
        policy.check_move(task(state=state), to)
    else:
        with pytest.raises(Conflict, match=f"Task 1 is {state} and can't become {to}"):
            policy.check_move(task(state=state), to)


def test_what_matters_stands_on_top() -> None:
    tasks = [
        task(1, state=TaskState.DONE, done_at=5.0),
        task(2, state=TaskState.DONE, done_at=9.0),
        task(3, state=TaskState.SUGGESTED, priority=Priority.URGENT),
        task(4, priority=Priority.LOW),
        task(5, due_at=20.0),
        task(6, due_at=10.0),
        task(7),
        task(8, priority=Priority.URGENT),
    ]
    assert [each.id for each in policy.in_order(tasks)] == [8, 6, 5, 7, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("answer", "drafts"),
    [
        ('{"tasks": []}', []),
        ('{"tasks": [{"title": "Call Ann", "priority": "high"}]}', [Draft("Call Ann", "", Priority.HIGH)]),
        ('Sure! ```json\n{"tasks": [{"title": " a \\n b ", "notes": " n "}]}\n``` Bye.', [Draft("a b", "n")]),
        ('{"tasks": [{"title": "  "}, {"title": "x"}]}', [Draft("x")]),
        (json.dumps({"tasks": [{"title": str(i)} for i in range(20)]}), [Draft(str(i)) for i in range(8)]),
        (json.dumps({"tasks": [{"title": "x" * 500, "notes": "y" * 9000}]}), [Draft("x" * 200, "y" * 4000)]),
    ],
)
def test_suggestions_are_read(answer: str, drafts: list[Draft]) -> None:
    assert policy.read_suggestions(answer) == drafts


@pytest.mark.parametrize(
    "answer", ["", "no json", "[]", "{}", '{"tasks": [{"title": 1}]}', '{"tasks": [{"title": "x", "priority": "now"}]}']
)
def test_what_is_no_suggestion_is_said(answer: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        policy.read_suggestions(answer)


@given(st.text())
def test_whatever_a_model_writes_is_read_or_refused(answer: str) -> None:
    try:
        drafts = policy.read_suggestions(answer)
    except ValueError:
        return
    assert all(policy.clean(draft) for draft in drafts)
