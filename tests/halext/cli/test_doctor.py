from __future__ import annotations

import json

import pytest

from halext.runtime.shapes import Finding
from tests.halext.cli.conftest import FakeControl, Run

FINE = Finding(check="disk", level="ok", what="The disk is 9% full.")
NOTE = Finding(check="nodes", level="note", what="One node.")
WARNING = Finding(
    check="first admin",
    level="warning",
    what="Nobody yet.",
    why="Whoever opens the link is one.",
    fix="halext user add NAME --role admin",
)
ERROR = Finding(check="database", level="error", what="Readable\nby others.", fix="chmod 600 halext.db")


@pytest.mark.parametrize(("findings", "code"), [([FINE, NOTE, WARNING], 0), ([FINE, ERROR], 1), ([], 0)])
def test_only_errors_are_failures(control: FakeControl, run: Run, findings: list[Finding], code: int) -> None:
    control.answers["run_doctor"] = findings
    assert run("doctor").code == code
    assert run("doctor", "--json").code == code


def test_every_finding_has_a_mark_and_its_remedy(control: FakeControl, run: Run) -> None:
    control.answers["run_doctor"] = [FINE, NOTE, WARNING, ERROR]
    assert run("doctor").out.splitlines() == [
        "✓ disk: The disk is 9% full.",
        "· nodes: One node.",
        "! first admin: Nobody yet.",
        "    Whoever opens the link is one.",
        "    → halext user add NAME --role admin",
        "✗ database: Readable by others.",
        "    → chmod 600 halext.db",
    ]


def test_findings_as_json(control: FakeControl, run: Run) -> None:
    control.answers["run_doctor"] = [ERROR]
    assert json.loads(run("doctor", "--json").out)[0]["level"] == "error"
