"""The vault, from outside: secrets go in and never come out."""

from __future__ import annotations

import asyncio

from halext.accounts.types import Caller, Permission
from halext.errors import Forbidden, Internal
from halext.runtime import masterkey
from halext.runtime.acting import acting_for
from halext.runtime.app import App
from halext.runtime.operations import operation
from halext.runtime.present import key_row
from halext.runtime.shapes import Done, KeyRow, Named, Nothing, SetKey
from halext.runtime.shapes_keys import KeysOf, OwnKey, Rotation, SetOwnKey
from halext.types import SecretRef, UserId
from halext.upstreams import webhook
from halext.vault.cipher import Cipher


@operation("PUT", "/hx/keys/{name}", Permission.MANAGE_KEYS, fresh=True)
async def set_key(app: App, caller: Caller, params: SetKey) -> Done:
    """Store a secret of the house under a name, encrypted."""
    del caller
    if params.name in webhook.PLATFORMS:
        webhook.parse(params.name, params.value)  # said now, and not when a node is offline
    await app.vault.set(SecretRef(params.name), params.value)
    return Done(f"The secret {params.name!r} is stored.")


@operation("GET", "/hx/keys", Permission.MANAGE_KEYS)
async def list_keys(app: App, caller: Caller, params: Nothing) -> list[KeyRow]:
    """The names of the house's secrets."""
    del caller, params
    return [key_row(secret) for secret in await app.vault.list()]


@operation("DELETE", "/hx/keys/{name}", Permission.MANAGE_KEYS, fresh=True)
async def remove_key(app: App, caller: Caller, params: Named) -> Done:
    """Forget a secret of the house."""
    del caller
    await app.vault.remove(SecretRef(params.name))
    return Done(f"The secret {params.name!r} is forgotten.")


@operation("PUT", "/hx/me/keys/{name}", Permission.ACCOUNT)
async def set_own_key(app: App, caller: Caller, params: SetOwnKey) -> Done:
    """Store a secret of the caller's own under a name, encrypted."""
    await app.vault.set(SecretRef(params.name), params.value, owner=await _owner(app, caller, params.user))
    return Done(f"Your secret {params.name!r} is stored.")


@operation("GET", "/hx/me/keys", Permission.ACCOUNT)
async def list_own_keys(app: App, caller: Caller, params: KeysOf) -> list[KeyRow]:
    """The names of the caller's own secrets."""
    return [key_row(secret) for secret in await app.vault.list(await _owner(app, caller, params.user))]


@operation("DELETE", "/hx/me/keys/{name}", Permission.ACCOUNT)
async def remove_own_key(app: App, caller: Caller, params: OwnKey) -> Done:
    """Forget a secret of the caller's own."""
    await app.vault.remove(SecretRef(params.name), owner=await _owner(app, caller, params.user))
    return Done(f"Your secret {params.name!r} is forgotten.")


@operation("POST", "/hx/admin/keys/rotate", Permission.MANAGE_KEYS)
async def rotate_keys(app: App, caller: Caller, params: Nothing) -> Rotation:
    """Seal every secret with a new master key; only for the owner of the machine that has the keys."""
    del params
    if caller.credential != "local":
        raise Forbidden("Keys are rotated on the machine that has them: `halext key rotate` there.")
    async with app.vault.rotating:
        keys = await asyncio.to_thread(masterkey.read, app.settings)
        is_resumed = await app.vault.is_half_rotated()
        if not is_resumed and (app.settings.master_key is None or len(keys) == 1):
            keys = await asyncio.to_thread(masterkey.add, app.settings)
        sealed = await app.vault.rotate(Cipher(keys))
    return Rotation(sealed=sealed, older_keys=len(keys) - 1, is_resumed=is_resumed)


async def _owner(app: App, caller: Caller, name: str | None) -> UserId:
    person = await acting_for(app, caller, name)
    if person.user_id is None:
        raise Internal
    return person.user_id
