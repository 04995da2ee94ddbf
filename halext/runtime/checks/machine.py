"""The machine: whose account halext runs in, and the disk below it."""

from __future__ import annotations

import asyncio
import os
import shutil

from halext.hosts.files import filesystem
from halext.runtime.app import App
from halext.runtime.shapes import Finding

FULL = 0.9
NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "fuse.rclone", "9p", "afs", "ceph", "glusterfs"}
)


async def look(app: App) -> list[Finding]:
    """Not root, room on the disk, and a disk of its own."""
    return [_account(), *await asyncio.to_thread(_disk, app)]


def _account() -> Finding:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        what, why = "halext runs as root.", "A mistake in it, or in what it is built on, would be a mistake of root's."
        fix = "run it in an account of its own, such as User=halext in its systemd unit, and chown its data directory"
        return Finding(check="account", level="warning", what=what, why=why, fix=fix)
    return Finding(check="account", level="ok", what="halext does not run as root.")


def _disk(app: App) -> list[Finding]:
    data = app.settings.data_dir
    usage = shutil.disk_usage(data)
    share = usage.used / usage.total
    found = [Finding(check="disk", level="ok", what=f"The disk is {share:.0%} full.")]
    if share > FULL:
        what, why = f"The disk of {data} is {share:.0%} full.", "When it is full, nothing can be saved any more."
        found = [
            Finding(check="disk", level="warning", what=what, why=why, fix=f"du -xsh {data}/*; or move it: --data")
        ]
    if (kind := filesystem(data)) in NETWORK and app.database.path is not None:
        what, why = (
            f"{data} is on a network drive ({kind}).",
            "SQLite's locks don't hold there: the file can be damaged.",
        )
        fix = "move it to a disk of this machine with --data, or use PostgreSQL (HALEXT_DATABASE_URL)"
        found.append(Finding(check="network drive", level="error", what=what, why=why, fix=fix))
    return found
