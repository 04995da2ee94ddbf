"""What is wrong with this house, and the command that mends it. Looks, and changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from halext.errors import HalextError
from halext.runtime.app import App
from halext.runtime.checks import clocks, database, doors, files, machine, nodes, people, secrets
from halext.runtime.shapes import Finding

CHECKS: dict[str, Callable[[App], Awaitable[list[Finding]]]] = {
    "files": files.look,
    "database": database.look,
    "vault": secrets.look,
    "people": people.look,
    "nodes": nodes.look,
    "clock": clocks.look,
    "doors": doors.look,
    "machine": machine.look,
}
"""In the order in which they are shown."""


async def examine(app: App) -> list[Finding]:
    """Every check's findings; a check that finds nothing wrong says so, and one that can't look says why."""
    findings: list[Finding] = []
    for name, look in CHECKS.items():
        try:
            findings += await look(app)
        except HalextError as error:
            fix = "mend that, then run doctor again"
            findings.append(
                Finding(check=name, level="error", what=f"Could not be looked at: {error.message}", fix=fix)
            )
    return findings
