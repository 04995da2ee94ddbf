"""This server's ssh host key: made with mode 0600 the first time that it is needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from halext.errors import DataDirUnusable, MissingExtra
from halext.hosts.files import write_private
from halext.runtime.settings import Settings

if TYPE_CHECKING:
    from halext.tunnel.hostkey import HostKey

FILE = "ssh_host_key"


def path(settings: Settings) -> Path:
    """Where it is kept. Without this file, every computer that dials in would have to be joined again."""
    return settings.data_dir / FILE


def load(settings: Settings) -> HostKey:
    """The key, made now if there is none. Raises `DataDirUnusable` and `MissingExtra`."""
    try:
        from halext.tunnel import hostkey
    except ModuleNotFoundError as error:
        raise MissingExtra("Computers dial in by ssh, which needs asyncssh: pip install 'halext[tunnel]'") from error
    file = path(settings)
    if not file.exists():
        write_private(file, hostkey.make())
    try:
        return hostkey.read(file.read_text())
    except (OSError, ValueError) as error:
        message = (
            f"{file} can't be read as an ssh key. Restore it from a backup, or remove it and join each node again."
        )
        raise DataDirUnusable(message) from error
