"""The key that opens the vault: from the settings, from a file, or made on first start."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from halext.accounts.jwts import signing_key
from halext.errors import InvalidSetting
from halext.hosts.files import write_private
from halext.hosts.lock import DataDirLock
from halext.runtime.settings import Settings
from halext.vault.cipher import new_key, parse_keys


def path(settings: Settings) -> Path:
    """The key file in use when the key is not given in the settings themselves."""
    return settings.master_key_file or settings.data_dir / "master.key"


def load(settings: Settings) -> tuple[str, ...]:
    """The master keys, newest first; a first start makes one, in a file that only its owner can read.

    Raises `InvalidSetting` for a key that is none, or a named file that is missing.
    """
    if settings.master_key is None and settings.master_key_file is None and not path(settings).exists():
        write_private(path(settings), new_key() + "\n")
    return read(settings)


def read(settings: Settings) -> tuple[str, ...]:
    """The master keys as they are now; makes none. Raises `InvalidSetting`."""
    if settings.master_key is not None:
        return parse_keys(settings.master_key.get_secret_value())
    file = path(settings)
    try:
        return parse_keys(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        named = "HALEXT_MASTER_KEY_FILE names" if settings.master_key_file else "The master key was in"
        raise InvalidSetting(f"{named} {file}, which does not exist.") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidSetting(f"The master key in {file} can't be read: {reason}.") from None


def signing_keys(settings: Settings) -> tuple[bytes, ...]:
    """The keys for JWTs that belong to the master keys, newest first. Raises as `load` does."""
    return tuple(signing_key(key) for key in load(settings))


def add(settings: Settings) -> tuple[str, ...]:
    """Put a new key in front of the others in the key file, and return all of them.

    The file is replaced as a whole, so that a process that reads it meanwhile sees all keys of before or all of now.
    Raises `InvalidSetting`, and `AlreadyRunning` when another process adds one in this moment.
    """
    if settings.master_key is not None:
        raise InvalidSetting(
            "The master key is given by HALEXT_MASTER_KEY; put the new key in front of it there, and start halext anew."
        )
    file = path(settings)
    # Two that add a key at the same time would each write a file without the other's. Our own folder is ours alone.
    is_ours = file.parent.resolve() == settings.data_dir.resolve()
    with nullcontext() if is_ours else DataDirLock(file.parent):
        keys = (new_key(), *read(settings))
        write_private(file, ",".join(keys) + "\n")
    return keys
