"""The database answers, has this version's tables, and keeps what it acknowledges."""

from __future__ import annotations

from halext.errors import DatabaseUnavailable
from halext.runtime.app import App
from halext.runtime.shapes import Finding
from halext.storage import schema

PROMISES = {
    "sqlite": {"synchronous": {"2", "3"}, "journal_mode": {"wal"}, "foreign_keys": {"1"}},
    "postgresql": {"fsync": {"on"}, "full_page_writes": {"on"}, "synchronous_commit": {"on", "local", "remote_apply"}},
}
"""The settings on which durability rests, and the values that give it; SQLite's 2 is FULL."""
WHY = "What halext has said is saved could be gone after a power cut."


async def look(app: App) -> list[Finding]:
    """Reached, current, durable."""
    try:
        state = await schema.check(app.database)
        promises = await app.database.settings(*PROMISES[app.database.dialect])
    except DatabaseUnavailable as error:
        fix = "start the database, then run doctor again"
        return [Finding(check="schema", level="error", what=error.message, fix=fix)]
    found = [Finding(check="schema", level="ok", what=f"{app.database.dialect} answers; its schema is current.")]
    if state is not schema.SchemaState.CURRENT:
        why = "Tables are not as this version of halext expects them."
        found = [
            Finding(check="schema", level="error", what=f"The schema is {state}.", why=why, fix="halext db upgrade")
        ]
    return found + _durable(app, promises)


def _durable(app: App, promises: dict[str, str]) -> list[Finding]:
    wanted = PROMISES[app.database.dialect]
    broken = [name for name, value in promises.items() if value not in wanted[name]]
    fix = "restart halext; if it stays, another program changes the file"
    if app.database.dialect == "postgresql":
        fix = "set it to `on` in postgresql.conf, and reload PostgreSQL"
    return [
        Finding(check="durability", level="error", what=f"{name} is {promises[name]}.", why=WHY, fix=fix)
        for name in broken
    ] or [Finding(check="durability", level="ok", what="What is acknowledged is on the disk.")]
