"""`halext doctor`: what is wrong, and what to do."""

from __future__ import annotations

import typer

from halext.cli import house, output

MARKS = {"ok": "✓", "note": "·", "warning": "!", "error": "✗"}


def doctor(ctx: typer.Context, as_json: house.AsJson = False) -> int:
    """Find what is wrong with this halext, and say what to do. Exit 1 when something is broken."""
    from halext.runtime.shapes import Nothing
    from halext.runtime.verbs.house import run_doctor

    findings = house.call(ctx, run_doctor, Nothing())
    if as_json:
        output.json(findings)
    else:
        for finding in findings:
            output.out(output.one_line(f"{MARKS[finding.level]} {finding.check}: {finding.what}"))
            if finding.why:
                output.out(output.one_line(f"    {finding.why}"))
            if finding.fix:
                output.out(output.one_line(f"    → {finding.fix}"))
    return 1 if any(finding.level == "error" for finding in findings) else 0
