"""The vault on both databases: what it keeps, hands out, refuses and rotates."""

from __future__ import annotations

import asyncio
import traceback

import pytest
from sqlalchemy import text

from halext.errors import InvalidInput, UnknownSecret, VaultError, WrongKey
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock
from halext.types import SecretRef
from halext.upstream import Reveal
from halext.vault.box import Vault
from halext.vault.cipher import Cipher, new_key
from halext.vault.store import Sealed, SecretStore

MARKER = "canary-in-a-coal-mine"
MAC, PC = SecretRef("node/mac"), SecretRef("node/pc")
OLD, NEW = new_key(), new_key()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(scope: Scope) -> SecretStore:
    return SecretStore(scope)


@pytest.fixture
def vault(store: SecretStore, clock: ManualClock) -> Vault:
    return Vault(store, Cipher([OLD]), clock)


def rotated(store: SecretStore, clock: ManualClock) -> Vault:
    return Vault(store, Cipher([NEW]), clock)


async def test_a_secret_is_kept_replaced_and_removed(vault: Vault, clock: ManualClock) -> None:
    await vault.set(MAC, "one")
    await clock.advance(10)
    await vault.set(MAC, "two")
    assert await vault.reveal(MAC) == "two"
    (info,) = await vault.list()
    assert (info.ref, info.updated_at - info.created_at, info.key_id) == (MAC, 10, Cipher([OLD]).key_id)
    await vault.remove(MAC)
    assert await vault.list() == ()
    for gone in (vault.reveal(MAC), vault.remove(MAC), vault.reveal_headers(MAC)):
        with pytest.raises(UnknownSecret, match="halext key list"):
            await gone


@pytest.mark.parametrize("ref", ["", "a" * 256, "line\nbreak", "nul\0", "\u202eevil"])
async def test_a_name_must_be_readable(vault: Vault, ref: str) -> None:
    with pytest.raises(InvalidInput):
        await vault.set(SecretRef(ref), "value")


async def test_headers_are_what_drivers_ask_for(vault: Vault) -> None:
    await vault.set_headers(MAC, {"Authorization": "Bearer x"})
    reveal: Reveal = vault.reveal_headers
    assert await reveal(MAC) == {"Authorization": "Bearer x"}


@pytest.mark.parametrize("value", [MARKER, "[]", '{"a": 1}'])
async def test_what_is_no_headers_is_not_sent_and_not_shown(vault: Vault, value: str) -> None:
    await vault.set(MAC, value)
    with pytest.raises(VaultError, match="no request headers") as caught:
        await vault.reveal_headers(MAC)
    assert MARKER not in "".join(traceback.format_exception(caught.value))


async def test_the_database_never_holds_a_secret(vault: Vault, scope: Scope) -> None:
    await vault.set(MAC, MARKER)
    async with scope.read() as session:
        kept = str((await session.execute(text("SELECT * FROM secrets"))).all())
    assert MARKER not in kept
    assert MARKER not in f"{vault!r} {await vault.list()!r}"
    assert OLD not in repr(vault)


async def test_swapped_rows_do_not_open(vault: Vault, store: SecretStore) -> None:
    await vault.set(MAC, "for mac")
    await vault.set(PC, "for pc")
    mac = await store.get(MAC)
    assert mac is not None
    await store.put(PC, mac, 0)
    with pytest.raises(WrongKey):
        await vault.reveal(PC)
    assert await vault.check() == (PC,)


async def test_a_lost_key_names_what_to_enter_again_and_overwrites_nothing(
    vault: Vault, store: SecretStore, clock: ManualClock
) -> None:
    await vault.set(MAC, "one")
    await vault.set(PC, "two")
    lost = rotated(store, clock)
    assert await lost.check() == (MAC, PC)
    with pytest.raises(WrongKey):
        await lost.reveal(MAC)
    with pytest.raises(WrongKey, match="node/mac, node/pc"):
        await lost.rotate(Cipher([NEW]))
    assert await vault.reveal(MAC) == "one"
    await lost.set(MAC, "entered again")
    assert await lost.check() == (PC,)
    assert await vault.reveal(PC) == "two"


async def test_rotation_rewrites_every_row_once(vault: Vault, store: SecretStore, clock: ManualClock) -> None:
    for number in range(5):
        await vault.set(SecretRef(f"ref-{number}"), f"value-{number}")
    both = Cipher([NEW, OLD])
    assert await vault.rotate(both) == 5
    assert await vault.rotate(both) == 0
    after = rotated(store, clock)
    assert [await after.reveal(SecretRef(f"ref-{number}")) for number in range(5)] == [
        f"value-{number}" for number in range(5)
    ]
    assert {info.key_id for info in await after.list()} == {both.key_id}


@pytest.mark.parametrize("step", range(4))
async def test_a_rotation_killed_at_any_row_goes_on(
    vault: Vault, store: SecretStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    for number in range(4):
        await vault.set(SecretRef(f"ref-{number}"), f"value-{number}")
    both, replace, done = Cipher([NEW, OLD]), store.replace, 0

    async def replace_until_killed(ref: SecretRef, before: Sealed, after: Sealed) -> bool:
        nonlocal done
        if done == step:
            raise asyncio.CancelledError
        done += 1
        return await replace(ref, before, after)

    monkeypatch.setattr(store, "replace", replace_until_killed)
    with pytest.raises(asyncio.CancelledError):
        await vault.rotate(both)
    monkeypatch.undo()
    restarted = Vault(store, both, clock)
    for number in range(4):
        assert await restarted.reveal(SecretRef(f"ref-{number}")) == f"value-{number}"
    assert await restarted.rotate(both) == 4 - step
    assert await rotated(store, clock).check() == ()


async def test_a_secret_set_during_a_rotation_is_not_overwritten(
    vault: Vault, store: SecretStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await vault.set(MAC, "old")
    replace = store.replace

    async def set_just_before(ref: SecretRef, before: Sealed, after: Sealed) -> bool:
        await vault.set(MAC, "new")
        return await replace(ref, before, after)

    monkeypatch.setattr(store, "replace", set_just_before)
    assert await vault.rotate(Cipher([NEW, OLD])) == 0
    assert await vault.reveal(MAC) == "new"
