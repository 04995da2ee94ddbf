"""The vault, from outside: secrets go in and never come out."""

from __future__ import annotations

from halext.accounts.types import Caller, Permission
from halext.runtime.app import App
from halext.runtime.operations import operation
from halext.runtime.present import key_row
from halext.runtime.shapes import Done, KeyRow, Named, Nothing, SetKey
from halext.types import SecretRef
from halext.upstreams import webhook


@operation("PUT", "/hx/keys/{name}", Permission.MANAGE_KEYS, fresh=True)
async def set_key(app: App, caller: Caller, params: SetKey) -> Done:
    """Store a secret under a name, encrypted."""
    del caller
    if params.name in webhook.PLATFORMS:
        webhook.parse(params.name, params.value)  # said now, and not when a node is offline
    await app.vault.set(SecretRef(params.name), params.value)
    return Done(f"The secret {params.name!r} is stored.")


@operation("GET", "/hx/keys", Permission.MANAGE_KEYS)
async def list_keys(app: App, caller: Caller, params: Nothing) -> list[KeyRow]:
    """The names of all stored secrets."""
    del caller, params
    return [key_row(secret) for secret in await app.vault.list()]


@operation("DELETE", "/hx/keys/{name}", Permission.MANAGE_KEYS, fresh=True)
async def remove_key(app: App, caller: Caller, params: Named) -> Done:
    """Forget a secret."""
    del caller
    await app.vault.remove(SecretRef(params.name))
    return Done(f"The secret {params.name!r} is forgotten.")
