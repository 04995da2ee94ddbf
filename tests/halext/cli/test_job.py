from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from halext.runtime.shapes_jobs import (
    AddJob,
    AddJobs,
    BatchInfo,
    CancelJobs,
    CancelledJobs,
    JobAnswer,
    JobFailure,
    JobInfo,
    JobRef,
    ListJobs,
)
from tests.halext.cli.conftest import FakeControl, Run


def row(number: int, state: str = "queued", **known: Any) -> JobInfo:
    fields: dict[str, Any] = {
        "id": number,
        "kind": "ask",
        "name": "n",
        "key": f"n/{10 - number}",
        "state": state,
        "priority": 10,
        "prompt": f"question {number}",
        "progress": 0.0,
        "note": "",
        "attempts": 0,
        "max_attempts": 3,
        "is_cancelling": False,
        "error": None,
        "answer": None,
        "created_at": 0.0,
        "run_at": 0.0,
        "started_at": None,
        "finished_at": None,
    }
    return JobInfo(**{**fields, **known})


def test_one_question(control: FakeControl, run: Run) -> None:
    control.answers["add_job"] = row(3)
    result = run("job", "add", "Why?", "-m", "m", "--urgent", "--user", "ada")
    assert result.out == "Job 3 is in line; `halext job show 3` has the answer when it is done.\n"
    assert control.calls == [("add_job", AddJob(prompt="Why?", model="m", priority="interactive", user="ada"))]
    assert json.loads(run("job", "add", "Why?", "--json").out)["id"] == 3


@pytest.mark.parametrize(
    ("file", "text"),
    [("a.txt", "one\n\ntwo words\n"), ("a.jsonl", '"one"\n{"prompt": "two words", "id": 7}\n')],
)
def test_a_file_of_questions(control: FakeControl, run: Run, tmp_path: Path, file: str, text: str) -> None:
    control.answers["add_jobs"] = BatchInfo("n", 1, 1)
    (tmp_path / file).write_text(text)
    result = run("job", "add", "--name", "n", "--file", str(tmp_path / file))
    assert result.out.startswith("1 jobs are in line as 'n', 1 were there already;")
    assert control.calls == [("add_jobs", AddJobs(name="n", prompts=["one", "two words"]))]


def test_questions_from_a_pipe(control: FakeControl, run: Run) -> None:
    control.answers["add_jobs"] = BatchInfo("n", 2, 0)
    assert json.loads(run("job", "add", "--name", "n", "-f", "-", "--json", stdin="a\nb\n").out)["new"] == 2
    assert control.calls == [("add_jobs", AddJobs(name="n", prompts=["a", "b"]))]


def test_what_can_not_be_added(control: FakeControl, run: Run, tmp_path: Path) -> None:
    assert run("job", "add").code == 2
    assert "can't be read" in run("job", "add", "-f", str(tmp_path / "none")).err
    (tmp_path / "a.jsonl").write_text('"a"\n{"question": 1}\n')
    assert "Line 2" in run("job", "add", "-f", str(tmp_path / "a.jsonl")).err
    (tmp_path / "a.jsonl").write_text("not JSON\n")
    assert "Line 1" in run("job", "add", "-f", str(tmp_path / "a.jsonl")).err
    assert control.calls == []


def test_list(control: FakeControl, run: Run) -> None:
    control.answers["list_jobs"] = [row(2, prompt="x" * 100), row(1, "done")]
    _, first, second = run("job", "list", "--state", "done", "--after", "9").out.splitlines()
    assert first.endswith("x" * 59 + "…")
    assert second.split()[:3] == ["1", "done", "n"]
    assert control.calls == [("list_jobs", ListJobs(state="done", after=9, limit=50))]
    assert len(json.loads(run("job", "list", "--json").out)) == 2
    control.answers["list_jobs"] = []
    assert "halext job add" in run("job", "list").err
    assert run("job", "list", "--state", "lost").code == 2


def test_show(control: FakeControl, run: Run) -> None:
    control.answers["show_job"] = row(1, "done", answer=JobAnswer("42"))
    result = run("job", "show", "1")
    assert (result.out, result.err) == ("42\n", "job 1 is done\n")
    control.answers["show_job"] = row(1, "running", note="7 characters so far", error=JobFailure("x", "It broke."))
    assert run("job", "show", "1").err == "job 1 is running (7 characters so far): It broke.\n"
    assert json.loads(run("job", "show", "1", "--json").out)["state"] == "running"


def test_results_are_in_the_order_of_the_questions(control: FakeControl, run: Run) -> None:
    pages = [[row(3, "done", answer=JobAnswer("first")), row(2, "failed", error=JobFailure("x", "No."))]]
    pages += [[row(1, "done", answer=JobAnswer("last"))], []]
    real = control.call

    async def page(operation: Any, params: Any) -> Any:
        control.answers["list_jobs"] = pages.pop(0)
        return await real(operation, params)

    control.call = page  # type: ignore[method-assign]  # a page after the other
    result = run("job", "results", "n")
    assert (result.code, result.out) == (0, "first\nlast\n")
    assert result.err == "1 of 3 have no answer yet; job 2 is failed: No.\n"
    assert [params.after for _, params in control.calls] == [None, 2, 1]


def test_results_for_programs(control: FakeControl, run: Run) -> None:
    control.answers["list_jobs"] = []
    result = run("job", "results", "n", "--json")
    assert result.code == 2
    assert "no jobs called 'n'" in result.err


def test_cancel_and_retry(control: FakeControl, run: Run) -> None:
    control.answers["cancel_job"] = row(1, "running")
    assert run("job", "cancel", "1").out == "Job 1 is ending.\n"
    control.answers["cancel_jobs"] = CancelledJobs(12)
    assert run("job", "cancel", "labels").out == "12 jobs are cancelled.\n"
    control.answers["retry_job"] = row(1)
    assert run("job", "retry", "1", "2").out == "Job 1 is in line again.\n" * 2
    assert control.calls == [
        ("cancel_job", JobRef(id=1)),
        ("cancel_jobs", CancelJobs(name="labels")),
        ("retry_job", JobRef(id=1)),
        ("retry_job", JobRef(id=2)),
    ]
