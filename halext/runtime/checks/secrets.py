"""Stored secrets open, and the key that opens them can't be guessed."""

from __future__ import annotations

import asyncio

from halext.runtime import masterkey
from halext.runtime.app import App
from halext.runtime.shapes import Finding
from halext.vault.cipher import key_id, weakness

RESTORE = (
    "put the old key behind the new one in {where}, a comma between them, and restart; "
    "or enter them again: halext key set NAME "
    "(a node's headers: halext node remove, then halext node add)"
)


async def look(app: App) -> list[Finding]:
    """Every stored secret opens, no rotation is half done, every master key is random."""
    found = await _opens(app)
    found += await _strength(app)
    if await app.vault.is_half_rotated():
        what = "Some secrets are still sealed by an older master key: a rotation was not finished."
        found.append(Finding(check="vault", level="warning", what=what, why=OLD_KEY, fix="halext key rotate"))
    return found


OLD_KEY = "They open, but whoever has the older key opens them too."


async def _opens(app: App) -> list[Finding]:
    lost = await app.vault.check()
    if not lost:
        return [Finding(check="vault", level="ok", what="Every stored secret opens with the master key.")]
    where = "HALEXT_MASTER_KEY" if app.settings.master_key else str(masterkey.path(app.settings))
    return [
        Finding(
            check="vault",
            level="error",
            what=f"The master key does not open: {', '.join(info.title for info in lost)}.",
            why=f"They were sealed by the key {', '.join(sorted({info.key_id for info in lost}))}, or were altered.",
            fix=RESTORE.format(where=where),
        )
    ]


async def _strength(app: App) -> list[Finding]:
    keys = await asyncio.to_thread(masterkey.read, app.settings)
    weak = [(key_id(key), why) for key in keys if (why := weakness(key))]
    fix = "halext key rotate"
    if app.settings.master_key is not None:
        fix = "put a random key in front of it in HALEXT_MASTER_KEY, restart, then halext key rotate"
    if weak and weak[0][0] != key_id(keys[0]):
        return [
            Finding(check="master key strength", level="ok", what="The key that seals is random; an older one is not.")
        ]
    return [
        Finding(
            check="master key strength",
            level="error",
            what=f"The master key {name} {why}.",
            why="It can be guessed, and a stolen copy of the database opened with it.",
            fix=fix,
        )
        for name, why in weak[:1]
    ] or [Finding(check="master key strength", level="ok", what="The master key looks drawn at random.")]
