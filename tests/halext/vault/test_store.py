"""The table of sealed secrets, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from halext.accounts.store import PeopleStore
from halext.accounts.types import Role
from halext.errors import InvalidInput
from halext.storage.scope import Scope
from halext.types import SecretRef, UserId
from halext.vault import policy
from halext.vault.store import SecretStore
from halext.vault.types import Label, Sealed, SecretInfo, SecretKind

REF = SecretRef("telegram")
HOUSE = Label(REF, None, SecretKind.BOT)
ONE, TWO, THREE = Sealed("one", "d1", "k1"), Sealed("two", "d2", "k2"), Sealed("three", None, "k3")


@pytest.fixture
def store(scope: Scope) -> SecretStore:
    return SecretStore(scope)


@pytest.fixture
async def mia(scope: Scope) -> UserId:
    return (await PeopleStore(scope).add("Mia", Role.MEMBER, None, 0.0)).id


def hers(mia: UserId, ref: str = REF) -> Label:
    return Label(SecretRef(ref), mia, SecretKind.PERSONAL)


async def held(store: SecretStore, label: Label = HOUSE) -> Sealed | None:
    kept = await store.get(label.ref, label.owner)
    return None if kept is None else kept.sealed


async def test_a_row_is_added_and_then_changed(store: SecretStore) -> None:
    assert await held(store) is None
    await store.put(HOUSE, ONE, 1.0)
    await store.put(HOUSE, TWO, 2.0)
    assert await held(store) == TWO
    assert await store.infos(None) == (SecretInfo(HOUSE, "", 1.0, 2.0, None, "k2"),)


async def test_names_are_unique_per_owner(store: SecretStore, mia: UserId) -> None:
    await store.put(HOUSE, ONE, 1.0)
    await store.put(hers(mia), TWO, 1.0)
    await store.put(hers(mia), THREE, 2.0)
    assert (await held(store), await held(store, hers(mia))) == (ONE, THREE)
    (mine,) = await store.infos(mia)
    assert (mine.owner_name, mine.title, mine.label) == ("Mia", "telegram (of Mia)", hers(mia))
    assert [info.owner_name for info in await store.infos(None)] == [""]
    assert len(await store.all()) == 2
    assert await store.remove(REF, mia)
    assert await held(store) == ONE


async def test_what_belongs_to_a_person_goes_with_them(store: SecretStore, scope: Scope, mia: UserId) -> None:
    await store.put(hers(mia), ONE, 1.0)
    async with scope.write() as session:
        await session.execute(text("DELETE FROM users WHERE id = :id"), {"id": mia})
    assert await store.all() == ()


async def test_a_person_keeps_so_many_and_no_more(
    store: SecretStore, mia: UserId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "PER_PERSON", 2)
    for name in ("a", "b"):
        await store.put(hers(mia, name), ONE, 1.0)
    with pytest.raises(InvalidInput, match="more than 2"):
        await store.put(hers(mia, "c"), ONE, 1.0)
    await store.put(hers(mia, "b"), TWO, 1.0)
    assert [info.ref for info in await store.infos(mia)] == ["a", "b"]


@pytest.mark.parametrize("stored", [ONE, THREE])
async def test_a_row_is_replaced_only_if_it_is_as_it_was_read(store: SecretStore, stored: Sealed) -> None:
    await store.put(HOUSE, stored, 1.0)
    assert not await store.replace(HOUSE, TWO, THREE)
    assert not await store.replace(HOUSE, Sealed(stored.text, "another", stored.key_id), TWO)
    assert await held(store) == stored
    assert await store.replace(HOUSE, stored, TWO)
    assert await store.infos(None) == (SecretInfo(HOUSE, "", 1.0, 1.0, None, "k2"),)


async def test_a_use_is_remembered(store: SecretStore, mia: UserId) -> None:
    await store.put(HOUSE, ONE, 1.0)
    await store.put(hers(mia), ONE, 1.0)
    await store.touch(HOUSE, 5.0)
    assert {kept.info.owner_name: kept.info.used_at for kept in await store.all()} == {"": 5.0, "Mia": None}


async def test_a_row_is_removed_once(store: SecretStore) -> None:
    await store.put(HOUSE, ONE, 1.0)
    assert await store.remove(REF, None)
    assert not await store.remove(REF, None)


async def test_rows_come_by_name(store: SecretStore) -> None:
    for name in ("b", "a", "c"):
        await store.put(Label(SecretRef(name), None, SecretKind.PROVIDER), ONE, 1.0)
    assert [info.ref for info in await store.infos(None)] == ["a", "b", "c"]
