"""Opening the vault: with the master keys as they are now, and with every use on record."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from halext.accounts.audit.types import HOUSE, Audit
from halext.errors import InvalidSetting
from halext.runtime import masterkey
from halext.runtime.redaction import remember
from halext.runtime.settings import Settings
from halext.storage.scope import Scope
from halext.types import Clock, SecretRef, UserId
from halext.vault.box import Vault
from halext.vault.cipher import Cipher
from halext.vault.store import SecretStore

_log = logging.getLogger(__name__)


async def open_vault(settings: Settings, scope: Scope, clock: Clock, audit: Audit) -> Vault:
    """The vault. Secrets that no key opens are named in the log, and stay as they are.

    Raises `InvalidSetting` for a master key that is none.
    """
    cipher = _cipher(await asyncio.to_thread(masterkey.load, settings))

    async def reload() -> Cipher | None:
        try:
            return _cipher(await asyncio.to_thread(masterkey.read, settings))
        except InvalidSetting:
            return None

    vault = Vault(SecretStore(scope), cipher, clock, reload=reload, audit=Uses(audit), hear=remember)
    if lost := await vault.check():
        names = ", ".join(info.title for info in lost)
        advice = (
            "put the old key back, or enter them again with `halext key set NAME`; nothing is overwritten until then"
        )
        _log.warning("the master key does not open %s: %s", names, advice)
    return vault


def _cipher(keys: Sequence[str]) -> Cipher:
    for key in keys:
        remember(key)  # so that the log never shows it
    return Cipher(keys)


class Uses:
    """Puts uses of secrets on record. See `halext.vault.types.Audit`."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    def used(self, ref: SecretRef, by: str, purpose: str, *, owner: UserId | None = None) -> None:
        """Remember it; the secret itself is not known here."""
        self._audit.record("keys.use", replace(HOUSE, name=by), ref, "ok", purpose=purpose, owner=owner)
