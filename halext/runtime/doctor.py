"""What is wrong with this house, and the command that mends it. Looks, and changes nothing."""

from __future__ import annotations

import ipaddress
import os
import shutil
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from halext.errors import DatabaseUnavailable
from halext.nodes.types import Status
from halext.runtime import masterkey
from halext.runtime.app import App
from halext.runtime.shapes import Finding
from halext.storage import schema

FULL_DISK = 0.9
READABLE_BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO


async def examine(app: App) -> list[Finding]:
    """Every check's findings; a check that finds nothing wrong says so."""
    findings: list[Finding] = []
    for check in CHECKS:
        findings += await check(app)
    return findings


async def _files(app: App) -> list[Finding]:
    """Keys and data must be readable by their owner only."""
    found = [_private("master key", masterkey.path(app.settings))] if app.settings.master_key is None else []
    if app.database.path is not None:
        found.append(_private("database", app.database.path))
    found.append(_private("data directory", app.settings.data_dir))
    return found


def _private(check: str, path: Path) -> Finding:
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & READABLE_BY_OTHERS:
        allowed = "700" if path.is_dir() else "600"
        what = f"{path} can be read by other users of this machine (mode {mode:03o})."
        return Finding(check=check, level="error", what=what, fix=f"chmod {allowed} {path}")
    return Finding(check=check, level="ok", what=f"{path} is readable by you only.")


async def _database(app: App) -> list[Finding]:
    """The database answers, and its schema is this version's."""
    try:
        await app.database.ping()
        state = await schema.check(app.database)
    except DatabaseUnavailable as error:
        return [
            Finding(check="schema", level="error", what=error.message, fix="start the database, then run doctor again")
        ]
    if state is not schema.SchemaState.CURRENT:
        return [Finding(check="schema", level="error", what=f"The schema is {state}.", fix="halext db upgrade")]
    return [Finding(check="schema", level="ok", what=f"{app.database.dialect} answers; its schema is current.")]


async def _secrets(app: App) -> list[Finding]:
    """Every stored secret opens with the master key."""
    if lost := await app.vault.check():
        what = f"The master key does not open: {', '.join(info.title for info in lost)}."
        return [
            Finding(check="vault", level="error", what=what, fix="restore the old key, or halext key set NAME again")
        ]
    return [Finding(check="vault", level="ok", what="Every stored secret opens with the master key.")]


async def _people(app: App) -> list[Finding]:
    """Someone can administer this halext."""
    if await app.people.has_admin():
        return [Finding(check="first admin", level="ok", what="There is an administrator.")]
    what = "Nobody is an administrator yet: whoever opens the one-time link becomes one."
    fix = "open the link that `halext up` prints, or halext user add NAME --role admin"
    return [Finding(check="first admin", level="warning", what=what, fix=fix)]


async def _nodes(app: App) -> list[Finding]:
    """There are nodes, they answer, and they are reached safely."""
    states = app.registry.states()
    if not states:
        return [Finding(check="nodes", level="warning", what="There is no node yet.", fix="halext node add NAME URL")]
    found: list[Finding] = []
    for state in states:
        name, health = state.endpoint.id, state.health
        if health.status in {Status.OFFLINE, Status.MISCONFIGURED, Status.DEGRADED}:
            what = f"{name} is {health.status}: {health.reason}"
            fix = f"halext node test {state.node.name}"
            found.append(Finding(check="nodes", level="warning", what=what, fix=fix))
        if state.endpoint.insecure and not _is_loopback(urlsplit(state.endpoint.url).hostname or ""):
            what = f"{name} is reached over plain http at a public address: anyone on the way can read and change it."
            found.append(Finding(check="nodes", level="error", what=what, fix="put TLS or a tunnel in front of it"))
    return found or [Finding(check="nodes", level="ok", what="Every known endpoint answers.")]


async def _doors(app: App) -> list[Finding]:
    """Passwords and tokens don't travel in the clear."""
    host, public = app.settings.host, app.settings.public_url or ""
    if not _is_loopback(host) and not public.startswith("https://"):
        what = f"halext listens on {host} over plain http: passwords and tokens can be read on the way."
        fix = "listen on 127.0.0.1 behind nginx or Caddy, and set HALEXT_PUBLIC_URL=https://…"
        return [Finding(check="doors", level="error", what=what, fix=fix)]
    return [Finding(check="doors", level="ok", what="Nothing is offered to the network over plain http.")]


async def _disk(app: App) -> list[Finding]:
    """There is room for the database to grow."""
    usage = shutil.disk_usage(app.settings.data_dir)
    share = usage.used / usage.total
    if share > FULL_DISK:
        what = f"The disk of {app.settings.data_dir} is {share:.0%} full."
        return [Finding(check="disk", level="warning", what=what, fix="free some space, or move the data with --data")]
    return [Finding(check="disk", level="ok", what=f"The disk is {share:.0%} full.")]


CHECKS: tuple[Callable[[App], Awaitable[list[Finding]]], ...] = (
    _files,
    _database,
    _secrets,
    _people,
    _nodes,
    _doors,
    _disk,
)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
