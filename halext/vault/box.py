"""The vault: secrets by name and owner, sealed at rest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from halext.errors import DatabaseUnavailable, UnknownSecret, VaultError, WrongKey
from halext.types import Clock, SecretRef, UserId
from halext.vault import policy
from halext.vault.cipher import Cipher
from halext.vault.store import Kept, SecretStore
from halext.vault.types import Audit, Label, Sealed, SecretInfo

HOUSE = "house"
"""Who uses a secret when no person does."""

Reload = Callable[[], Awaitable[Cipher | None]]
"""The master keys as they are now; None when they can't be read."""


class Vault:
    """Keeps secrets and hands them out to whoever was given the vault; never in a list, a log or an error.

    `owner` is a person's number, or None for the house. Another process may have made a new master key: a row that
    names an unknown one makes the vault look again with `reload`. `hear` is told every secret that is set or revealed,
    so that it can be kept out of the log.
    """

    def __init__(
        self,
        store: SecretStore,
        cipher: Cipher,
        clock: Clock,
        *,
        reload: Reload | None = None,
        audit: Audit | None = None,
        hear: Callable[[str], None] = lambda _secret: None,
    ) -> None:
        self._hear = hear
        self._store = store
        self._cipher = cipher
        self._clock = clock
        self._reload = reload
        self._audit = audit
        self.rotating = asyncio.Lock()
        """Held by whoever makes a new key and seals with it: one at a time."""
        self._noted: dict[tuple[Label, str], float] = {}
        """When halext's own use of a secret for a purpose was noted last."""

    def __repr__(self) -> str:
        return f"<Vault {self._cipher!r}>"

    async def set(self, ref: SecretRef, value: str, *, owner: UserId | None = None) -> None:
        """Keep a secret, in place of the owner's one of this name if there is one. Raises `InvalidInput`."""
        policy.check(ref, value)
        self._hear(value)
        label = Label(ref, owner, policy.kind_of(ref, owner))
        await self._store.put(label, self._cipher.seal(label, value), self._clock.now())

    async def reveal(self, ref: SecretRef, *, purpose: str, by: str | None = None, owner: UserId | None = None) -> str:
        """The secret itself, for a stated purpose, by a person or (None) by halext itself.

        Each use by a person is noted; halext's own for one purpose the first time since it started, and then once an
        hour, since a node's key is used with every request. Raises `UnknownSecret` and `WrongKey`.
        """
        kept = await self._store.get(ref, owner)
        if kept is None:
            raise _unknown(ref)
        value = (await self._cipher_for(kept.sealed)).open(kept.info.label, kept.sealed)
        self._hear(value)
        await self._note(kept.info.label, by, purpose)
        return value

    async def set_headers(self, ref: SecretRef, headers: Mapping[str, str]) -> None:
        """Keep the secret request headers of an endpoint."""
        for value in headers.values():
            self._hear(value)
        await self.set(ref, json.dumps(dict(headers)))

    async def reveal_headers(self, ref: SecretRef) -> Mapping[str, str]:
        """Header name to value: what drivers get as `halext.upstream.Reveal`. Raises `VaultError`."""
        try:
            headers = json.loads(await self.reveal(ref, purpose="requests to a node"))
        except json.JSONDecodeError:
            headers = None  # its text is the secret, so the cause is left out
        if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
            raise VaultError(f"The secret “{ref}” holds no request headers; enter them again")
        for value in headers.values():
            self._hear(value)
        return headers

    async def list(self, owner: UserId | None = None) -> tuple[SecretInfo, ...]:
        """What the owner has, by name, without the secrets."""
        return await self._store.infos(owner)

    async def remove(self, ref: SecretRef, *, owner: UserId | None = None) -> None:
        """Forget a secret. Raises `UnknownSecret`, for another's just as for none."""
        if not await self._store.remove(ref, owner):
            raise _unknown(ref)

    async def check(self) -> tuple[SecretInfo, ...]:
        """Everybody's secrets that the master key does not open: restore the key, or enter them again."""
        return await self._unreadable(None)

    async def is_half_rotated(self) -> bool:
        """Whether a rotation was killed midway: some rows are sealed by an older key of ours."""
        older = self._cipher.key_ids - {self._cipher.key_id}
        return any(kept.sealed.key_id in older for kept in await self._store.all())

    async def rotate(self, cipher: Cipher) -> int:
        """Seal every data key with the newest key of `cipher`, which must know the older ones too; how many it did.

        Row by row: a rotation that was killed midway goes on when it is run again, and until then every row opens
        with one key or another. Raises `WrongKey`, before anything is changed, if `cipher` can't open them all.
        """
        unreadable = await self._unreadable(cipher)
        if unreadable:
            names = ", ".join(info.title for info in unreadable)
            raise WrongKey(f"The new list of keys does not open {names}; keep the old key in it, or remove these first")
        self._cipher = cipher
        rewritten = 0
        for kept in await self._store.all():
            rewritten += await self._rewrap(kept.info.label)
        return rewritten

    async def _rewrap(self, label: Label) -> bool:
        before = await self._store.get(label.ref, label.owner)
        is_old = before is not None and before.sealed.data_key is None
        if before is None or (before.sealed.key_id == self._cipher.key_id and not is_old):
            return False
        after = self._cipher.rewrap(before.info.label, before.sealed)
        # Not replaced: someone set or removed it in this moment, with the new key already.
        return await self._store.replace(label, before.sealed, after)

    async def _unreadable(self, cipher: Cipher | None) -> tuple[SecretInfo, ...]:
        return tuple([kept.info for kept in await self._store.all() if not await self._opens(kept, cipher)])

    async def _opens(self, kept: Kept, cipher: Cipher | None) -> bool:
        try:
            (cipher or await self._cipher_for(kept.sealed)).open(kept.info.label, kept.sealed)
        except WrongKey:
            return False
        return True

    async def _cipher_for(self, sealed: Sealed) -> Cipher:
        if sealed.key_id not in self._cipher.key_ids and self._reload is not None:
            self._cipher = await self._reload() or self._cipher
        return self._cipher

    async def _note(self, label: Label, by: str | None, purpose: str) -> None:
        if by is None:
            now = self._clock.monotonic()
            if not policy.is_noted(self._noted.get((label, purpose)), now):
                return
            self._noted[label, purpose] = now
        if self._audit is not None:
            self._audit.used(label.ref, by or HOUSE, purpose, owner=label.owner)
        with suppress(DatabaseUnavailable):  # the use is what was asked for; when it was is only worth knowing
            await self._store.touch(label, self._clock.now())


def _unknown(ref: SecretRef) -> UnknownSecret:
    return UnknownSecret(f"There is no secret “{ref}”; `halext key list` shows all")
