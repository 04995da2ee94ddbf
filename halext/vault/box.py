"""The vault: secrets by name, sealed at rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from halext.errors import InvalidInput, UnknownSecret, VaultError, WrongKey
from halext.types import Clock, SecretRef
from halext.vault.cipher import Cipher
from halext.vault.store import Sealed, SecretStore
from halext.vault.types import SecretInfo

REF_MAX = 255


class Vault:
    """Keeps secrets and hands them out to whoever was given the vault; never in a list, a log or an error."""

    def __init__(
        self, store: SecretStore, cipher: Cipher, clock: Clock, hear: Callable[[str], None] | None = None
    ) -> None:
        """`hear` is told every secret that is set or revealed, so that it can be kept out of the log."""
        self._hear = hear
        self._store = store
        self._cipher = cipher
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Vault {self._cipher!r}>"

    async def set(self, ref: SecretRef, value: str) -> None:
        """Keep a secret, in place of the one of this name if there is one. Raises `InvalidInput`."""
        if not 1 <= len(ref) <= REF_MAX or not ref.isprintable():
            raise InvalidInput(f"A secret's name has 1 to {REF_MAX} printable characters")
        self._tell(value)
        await self._store.put(ref, self._seal(ref, value), self._clock.now())

    async def reveal(self, ref: SecretRef) -> str:
        """The secret itself. Raises `UnknownSecret` and `WrongKey`."""
        sealed = await self._store.get(ref)
        if sealed is None:
            raise UnknownSecret(f"There is no secret “{ref}”; `halext key list` shows all")
        secret = self._cipher.open(ref, sealed.text)
        self._tell(secret)
        return secret

    async def set_headers(self, ref: SecretRef, headers: Mapping[str, str]) -> None:
        """Keep the secret request headers of an endpoint."""
        for value in headers.values():
            self._tell(value)
        await self.set(ref, json.dumps(dict(headers)))

    async def reveal_headers(self, ref: SecretRef) -> Mapping[str, str]:
        """Header name to value: what drivers get as `halext.upstream.Reveal`. Raises `VaultError`."""
        try:
            headers = json.loads(await self.reveal(ref))
        except json.JSONDecodeError:
            headers = None  # its text is the secret, so the cause is left out
        if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
            raise VaultError(f"The secret “{ref}” holds no request headers; enter them again")
        for value in headers.values():
            self._tell(value)
        return headers

    async def list(self) -> tuple[SecretInfo, ...]:
        """What there is, by name, without the secrets."""
        return await self._store.infos()

    async def remove(self, ref: SecretRef) -> None:
        """Forget a secret. Raises `UnknownSecret`."""
        if not await self._store.remove(ref):
            raise UnknownSecret(f"There is no secret “{ref}”; `halext key list` shows all")

    async def check(self) -> tuple[SecretRef, ...]:
        """The names of the secrets that the master key does not open: restore the key, or enter them again."""
        return await self._unreadable(self._cipher)

    async def rotate(self, cipher: Cipher) -> int:
        """Seal every secret with the newest key of `cipher`, which must know the older ones too; how many it rewrote.

        Row by row: a rotation that was killed midway goes on when it is run again, and until then every row opens
        with one key or another. Raises `WrongKey`, before anything is changed, if `cipher` can't open them all.
        """
        unreadable = await self._unreadable(cipher)
        if unreadable:
            names = ", ".join(unreadable)
            raise WrongKey(f"The new list of keys does not open {names}; keep the old key in it, or remove these first")
        self._cipher = cipher
        rewritten = 0
        for info in await self._store.infos():
            rewritten += await self._reseal(info.ref)
        return rewritten

    async def _reseal(self, ref: SecretRef) -> bool:
        before = await self._store.get(ref)
        if before is None or before.key_id == self._cipher.key_id:
            return False
        after = self._seal(ref, self._cipher.open(ref, before.text))
        # Not replaced: someone set or removed it in this moment, with the new key already.
        return await self._store.replace(ref, before, after)

    async def _unreadable(self, cipher: Cipher) -> tuple[SecretRef, ...]:
        refs = []
        for info in await self._store.infos():
            sealed = await self._store.get(info.ref)
            try:
                if sealed is not None:
                    cipher.open(info.ref, sealed.text)
            except WrongKey:
                refs.append(info.ref)
        return tuple(refs)

    def _tell(self, secret: str) -> None:
        if self._hear is not None:
            self._hear(secret)

    def _seal(self, ref: SecretRef, value: str) -> Sealed:
        return Sealed(self._cipher.seal(ref, value), self._cipher.key_id)
