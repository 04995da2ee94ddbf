"""The vault on both databases: what it keeps, hands out, refuses, notes and rotates."""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from halext.accounts.store import PeopleStore
from halext.accounts.types import Role
from halext.errors import DatabaseUnavailable, InvalidInput, UnknownSecret, VaultError, WrongKey
from halext.storage.engine import Database
from halext.storage.schema import upgrade
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock
from halext.types import SecretRef, UserId
from halext.upstream import Reveal
from halext.vault.box import Vault
from halext.vault.cipher import Cipher, new_key
from halext.vault.store import SecretStore
from halext.vault.types import Label, Sealed, SecretKind
from tests.halext.vault.test_cipher import sealed_as_before

MARKER = "canary-in-a-coal-mine"
MAC, PC = SecretRef("node/mac"), SecretRef("node/pc")
OLD, NEW = new_key(), new_key()


@dataclass
class Book:
    """An audit log in memory."""

    lines: list[tuple[str, str, str, UserId | None]] = field(default_factory=list)

    def used(self, ref: SecretRef, by: str, purpose: str, *, owner: UserId | None = None) -> None:
        """Take it down."""
        self.lines.append((ref, by, purpose, owner))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(scope: Scope) -> SecretStore:
    return SecretStore(scope)


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def vault(store: SecretStore, clock: ManualClock, book: Book) -> Vault:
    return Vault(store, Cipher([OLD]), clock, audit=book)


@pytest.fixture
async def mia(scope: Scope) -> UserId:
    return (await PeopleStore(scope).add("Mia", Role.MEMBER, None, 0.0)).id


def rotated(store: SecretStore, clock: ManualClock) -> Vault:
    return Vault(store, Cipher([NEW]), clock)


async def opened(vault: Vault, ref: str, owner: UserId | None = None) -> str:
    return await vault.reveal(SecretRef(ref), purpose="a test", owner=owner)


async def lost(vault: Vault) -> list[str]:
    return [info.title for info in await vault.check()]


async def test_a_secret_is_kept_replaced_and_removed(vault: Vault, clock: ManualClock) -> None:
    await vault.set(MAC, "one")
    await clock.advance(10)
    await vault.set(MAC, "two")
    assert await opened(vault, MAC) == "two"
    (info,) = await vault.list()
    assert (info.ref, info.updated_at - info.created_at, info.key_id) == (MAC, 10, Cipher([OLD]).key_id)
    await vault.remove(MAC)
    assert await vault.list() == ()
    for gone in (opened(vault, MAC), vault.remove(MAC), vault.reveal_headers(MAC)):
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
    mac = await store.get(MAC, None)
    assert mac is not None
    await store.put(Label(PC, None, SecretKind.NODE), mac.sealed, 0)
    with pytest.raises(WrongKey):
        await opened(vault, PC)
    assert await lost(vault) == [PC]


async def test_a_lost_key_names_what_to_enter_again_and_overwrites_nothing(
    vault: Vault, store: SecretStore, clock: ManualClock
) -> None:
    await vault.set(MAC, "one")
    await vault.set(PC, "two")
    gone = rotated(store, clock)
    assert await lost(gone) == [MAC, PC]
    with pytest.raises(WrongKey):
        await opened(gone, MAC)
    with pytest.raises(WrongKey, match="node/mac, node/pc"):
        await gone.rotate(Cipher([NEW]))
    assert await opened(vault, MAC) == "one"
    await gone.set(MAC, "entered again")
    assert await lost(gone) == [PC]
    assert await opened(vault, PC) == "two"


async def test_rotation_rewrites_every_row_once(vault: Vault, store: SecretStore, clock: ManualClock) -> None:
    for number in range(5):
        await vault.set(SecretRef(f"ref-{number}"), f"value-{number}")
    both = Cipher([NEW, OLD])
    assert await vault.rotate(both) == 5
    assert await vault.rotate(both) == 0
    after = rotated(store, clock)
    assert [await opened(after, f"ref-{number}") for number in range(5)] == [f"value-{number}" for number in range(5)]
    assert {info.key_id for info in await after.list()} == {both.key_id}


@pytest.mark.parametrize("step", range(4))
async def test_a_rotation_killed_at_any_row_goes_on(
    vault: Vault, store: SecretStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    for number in range(4):
        await vault.set(SecretRef(f"ref-{number}"), f"value-{number}")
    both, replace, done = Cipher([NEW, OLD]), store.replace, 0

    async def replace_until_killed(label: Label, before: Sealed, after: Sealed) -> bool:
        nonlocal done
        if done == step:
            raise asyncio.CancelledError
        done += 1
        return await replace(label, before, after)

    monkeypatch.setattr(store, "replace", replace_until_killed)
    with pytest.raises(asyncio.CancelledError):
        await vault.rotate(both)
    monkeypatch.undo()
    restarted = Vault(store, both, clock)
    assert await restarted.is_half_rotated()
    for number in range(4):
        assert await opened(restarted, f"ref-{number}") == f"value-{number}"
    assert await restarted.rotate(both) == 4 - step
    assert not await restarted.is_half_rotated()
    assert await rotated(store, clock).check() == ()


async def test_a_secret_set_during_a_rotation_is_not_overwritten(
    vault: Vault, store: SecretStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await vault.set(MAC, "old")
    replace = store.replace

    async def set_just_before(label: Label, before: Sealed, after: Sealed) -> bool:
        await vault.set(MAC, "new")
        return await replace(label, before, after)

    monkeypatch.setattr(store, "replace", set_just_before)
    assert await vault.rotate(Cipher([NEW, OLD])) == 0
    assert await opened(vault, MAC) == "new"


async def test_rotation_leaves_sealed_values_alone(vault: Vault, store: SecretStore) -> None:
    await vault.set(MAC, "one")
    before = await store.get(MAC, None)
    await vault.rotate(Cipher([NEW, OLD]))
    after = await store.get(MAC, None)
    assert before
    assert after
    assert (after.sealed.text, after.info.updated_at) == (before.sealed.text, before.info.updated_at)
    assert after.sealed.data_key != before.sealed.data_key


# --- owners ---


async def test_a_person_and_the_house_may_use_the_same_name(vault: Vault, mia: UserId) -> None:
    ref = SecretRef("openai")
    await vault.set(ref, "the house's")
    await vault.set(ref, "hers", owner=mia)
    assert await opened(vault, ref) == "the house's"
    assert await opened(vault, ref, mia) == "hers"
    assert [(info.owner_name, info.label.kind) for info in await vault.list(mia)] == [("Mia", SecretKind.PERSONAL)]
    assert [(info.owner_name, info.label.kind) for info in await vault.list()] == [("", SecretKind.PROVIDER)]
    await vault.remove(ref, owner=mia)
    with pytest.raises(UnknownSecret):
        await vault.remove(ref, owner=mia)
    assert await opened(vault, ref) == "the house's"


async def test_a_row_given_to_another_owner_does_not_open(vault: Vault, scope: Scope, mia: UserId) -> None:
    await vault.set(MAC, "the house's")
    async with scope.write() as session:
        await session.execute(text("UPDATE secrets SET owner_id = :mia"), {"mia": mia})
    with pytest.raises(WrongKey):
        await opened(vault, MAC, mia)
    assert await lost(vault) == ["node/mac (of Mia)"]


# --- notes ---


async def test_each_use_by_a_person_is_noted(vault: Vault, book: Book, mia: UserId) -> None:
    await vault.set(MAC, MARKER, owner=mia)
    for _ in range(3):
        await vault.reveal(MAC, purpose="looking", by="Mia", owner=mia)
    assert book.lines == [(MAC, "Mia", "looking", mia)] * 3
    assert MARKER not in repr(book.lines)


async def test_uses_by_halext_are_noted_once_an_hour_and_per_purpose(
    vault: Vault, book: Book, clock: ManualClock
) -> None:
    await vault.set_headers(MAC, {"x": "y"})
    for _ in range(3):
        await vault.reveal_headers(MAC)
    await opened(vault, MAC)
    noted = [(MAC, "house", "requests to a node", None), (MAC, "house", "a test", None)]
    assert book.lines == noted
    await clock.advance(3600)
    await vault.reveal_headers(MAC)
    assert book.lines == [*noted, noted[0]]
    (info,) = await vault.list()
    assert info.used_at == clock.now()


async def test_what_does_not_open_was_not_used(vault: Vault, store: SecretStore, clock: ManualClock) -> None:
    await vault.set(MAC, "one")
    book = Book()
    with pytest.raises(WrongKey):
        await opened(Vault(store, Cipher([NEW]), clock, audit=book), MAC)
    assert book.lines == []


async def test_a_use_that_can_not_be_written_down_goes_on(
    vault: Vault, store: SecretStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await vault.set(MAC, "one")

    async def away(label: Label, now: float) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(store, "touch", away)
    assert await opened(vault, MAC) == "one"


# --- other processes and other versions ---


async def test_a_key_that_another_process_made_is_looked_up(
    vault: Vault, store: SecretStore, clock: ManualClock
) -> None:
    asked = 0

    async def reload() -> Cipher | None:
        nonlocal asked
        asked += 1
        return None if asked == 1 else Cipher([NEW, OLD])

    reader = Vault(store, Cipher([OLD]), clock, reload=reload)
    await vault.set(MAC, "one")
    assert await opened(reader, MAC) == "one"
    assert asked == 0
    await vault.rotate(Cipher([NEW, OLD]))
    with pytest.raises(WrongKey):
        await opened(reader, MAC)  # its key file can't be read just now
    for _ in range(3):
        assert await opened(reader, MAC) == "one"
    assert asked == 2


async def test_rows_of_before_are_read_and_get_data_keys(empty_database: Database, clock: ManualClock) -> None:
    scope = Scope(empty_database)
    await upgrade(empty_database, "0008")
    names = ["discord", "node/mac/headers", "webhook/slack", "openai"]
    async with scope.write() as session:
        for name in names:
            sealed = sealed_as_before(OLD, name, f"value of {name}")
            row = {"ref": name, "sealed": sealed.text, "key_id": sealed.key_id}
            await session.execute(text("INSERT INTO secrets VALUES (:ref, :sealed, :key_id, 1.0, 2.0)"), row)
    await upgrade(empty_database)
    store = SecretStore(scope)
    vault = Vault(store, Cipher([OLD]), clock)
    assert {info.ref: str(info.label.kind) for info in await vault.list()} == {
        "discord": "bot",
        "node/mac/headers": "node",
        "webhook/slack": "webhook",
        "openai": "provider",
    }
    for name in names:
        assert await opened(vault, name) == f"value of {name}"
    await vault.set(SecretRef("openai"), "written anew")
    assert [kept.info.ref for kept in await store.all() if kept.sealed.data_key] == ["openai"]
    assert await vault.rotate(Cipher([OLD])) == 3  # the same key: only rows of before have something to gain
    assert all(kept.sealed.data_key for kept in await store.all())
    assert await opened(vault, "discord") == "value of discord"
