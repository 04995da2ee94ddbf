"""The table of sealed secrets, on both databases."""

from __future__ import annotations

import pytest

from halext.storage.scope import Scope
from halext.types import SecretRef
from halext.vault.store import Sealed, SecretStore
from halext.vault.types import SecretInfo

REF = SecretRef("telegram")
ONE, TWO, THREE = Sealed("one", "k1"), Sealed("two", "k2"), Sealed("three", "k3")


@pytest.fixture
def store(scope: Scope) -> SecretStore:
    return SecretStore(scope)


async def test_a_row_is_added_and_then_changed(store: SecretStore) -> None:
    assert await store.get(REF) is None
    await store.put(REF, ONE, 1.0)
    await store.put(REF, TWO, 2.0)
    assert await store.get(REF) == TWO
    assert await store.infos() == (SecretInfo(REF, 1.0, 2.0, "k2"),)


async def test_a_row_is_replaced_only_if_it_is_as_it_was_read(store: SecretStore) -> None:
    await store.put(REF, ONE, 1.0)
    assert not await store.replace(REF, TWO, THREE)
    assert await store.get(REF) == ONE
    assert await store.replace(REF, ONE, THREE)
    assert await store.infos() == (SecretInfo(REF, 1.0, 1.0, "k3"),)


async def test_a_row_is_removed_once(store: SecretStore) -> None:
    await store.put(REF, ONE, 1.0)
    assert await store.remove(REF)
    assert not await store.remove(REF)


async def test_rows_come_by_name(store: SecretStore) -> None:
    for name in ("b", "a", "c"):
        await store.put(SecretRef(name), ONE, 1.0)
    assert [info.ref for info in await store.infos()] == ["a", "b", "c"]
