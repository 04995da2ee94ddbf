from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from halext.errors import Forbidden
from halext.runtime.shapes_audit import AuditEntry
from tests.halext.cli.conftest import FakeControl, Run


def an_entry(**changed: Any) -> AuditEntry:
    fields: dict[str, Any] = {
        "id": 3,
        "at": 1_000.0,
        "name": "Ada",
        "user_id": 1,
        "credential": "session",
        "action": "people.set-role",
        "subject": "Eve",
        "outcome": "ok",
        "address": "10.0.0.1",
        "request_id": "r1",
        "details": {"role": "admin"},
        "count": 1,
    }
    return AuditEntry(**{**fields, **changed})


def test_each_entry_is_a_line(control: FakeControl, run: Run) -> None:
    refused = an_entry(id=2, outcome="denied", count=9, details={"why": "forbidden"}, subject="x\x1b[31m")
    control.answers["list_audit"] = [an_entry(), refused]
    titles, first, second = run("audit").out.splitlines()
    assert titles.split() == ["AT", "WHO", "BY", "ACTION", "ON", "OUTCOME", "FROM"]
    assert first.split()[2:] == ["Ada", "session", "people.set-role", "Eve", "ok", "10.0.0.1"]
    assert "denied: forbidden (9 times)" in second
    assert "\x1b" not in second


def test_what_is_asked_for(control: FakeControl, run: Run) -> None:
    control.answers["list_audit"] = []
    assert run("audit", "--since", "7d", "--who", "Ada", "--action", "people").err == "Nothing of this is on record.\n"
    ((_, asked),) = control.calls
    assert (asked.who, asked.action, asked.limit) == ("Ada", "people", 50)
    assert asked.since > 1_000_000_000
    assert run("audit", "--json").out == ""


def test_json_is_one_object_a_line(control: FakeControl, run: Run) -> None:
    control.answers["list_audit"] = [an_entry(), an_entry(id=2)]
    assert [json.loads(line)["id"] for line in run("audit", "--json").out.splitlines()] == [3, 2]


def test_a_spreadsheet_calculates_nothing(control: FakeControl, run: Run, tmp_path: Path) -> None:
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"]
    control.answers["list_audit"] = [an_entry(subject=text, name=text) for text in formulas]
    file = tmp_path / "audit.csv"
    assert run("audit", "--csv", str(file)).err == f"5 entries are in {file}.\n"
    assert file.stat().st_mode & 0o077 == 0
    with file.open(newline="") as lines:
        titles, *rows = csv.reader(lines)
    assert titles[:3] == ["id", "at", "name"]
    assert [row[titles.index("subject")] for row in rows] == [f"'{text}" for text in formulas]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row)


def test_a_file_that_cannot_be_written(control: FakeControl, run: Run, tmp_path: Path) -> None:
    control.answers["list_audit"] = []
    done = run("audit", "--csv", str(tmp_path / "no" / "audit.csv"))
    assert done.code == 2
    assert "can't be written" in done.err


def test_an_export_has_all_pages(control: FakeControl, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halext.cli.audit.PAGE", 2)
    pages = {None: [an_entry(id=5), an_entry(id=4)], 4: [an_entry(id=3)]}

    async def call(operation: object, params: Any) -> list[AuditEntry]:
        return list(pages[params.after])

    monkeypatch.setattr(control, "call", call)
    assert [json.loads(line)["id"] for line in run("audit", "--json").out.splitlines()] == [5, 4, 3]


def test_a_right_is_needed(control: FakeControl, run: Run) -> None:
    control.answers["list_audit"] = Forbidden()
    assert run("audit").code == 1
