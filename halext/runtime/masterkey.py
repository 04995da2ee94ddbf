"""The key that opens the vault: from the settings, from a file, or made on first start."""

from __future__ import annotations

from pathlib import Path

from halext.accounts.jwts import signing_key
from halext.errors import InvalidSetting
from halext.hosts.files import write_private
from halext.runtime.settings import Settings
from halext.vault.cipher import new_key, parse_keys


def path(settings: Settings) -> Path:
    """The key file in use when the key is not given in the settings themselves."""
    return settings.master_key_file or settings.data_dir / "master.key"


def load(settings: Settings) -> tuple[str, ...]:
    """The master keys, newest first; a first start makes one, in a file that only its owner can read.

    Raises `InvalidSetting` for a key that is none, or a named file that is missing.
    """
    if settings.master_key is not None:
        return parse_keys(settings.master_key.get_secret_value())
    file = path(settings)
    try:
        return parse_keys(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if settings.master_key_file is not None:
            raise InvalidSetting(f"HALEXT_MASTER_KEY_FILE names {file}, which does not exist.") from None
    except OSError as error:
        raise InvalidSetting(f"The master key in {file} can't be read: {error.strerror}.") from None
    key = new_key()
    write_private(file, key + "\n")
    return (key,)


def signing_keys(settings: Settings) -> tuple[bytes, ...]:
    """The keys for JWTs that belong to the master keys, newest first. Raises as `load` does."""
    return tuple(signing_key(key) for key in load(settings))


def add(settings: Settings) -> tuple[str, ...]:
    """Put a new key in front of the others in the key file, and return all of them."""
    if settings.master_key is not None:
        raise InvalidSetting("The master key is given by HALEXT_MASTER_KEY; put the new key in front of it there.")
    keys = (new_key(), *load(settings))
    write_private(path(settings), ",".join(keys) + "\n")
    return keys
